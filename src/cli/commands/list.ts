import type { Command } from "commander";
import {
  type Client,
  ClientError,
  type FoundSizes,
  filterMatcher,
  filterRequest,
  findSizes,
  type SnapshotDescription,
  type SnapshotSizes,
  snapshotsOf,
  type VerificationDescription,
  verificationsOf,
} from "../../client/index.ts";
import { addFilterOptions, type FilterOptions, filterFrom } from "../filter-options.ts";
import { formatBytes, formatCount, formatTable } from "../output/format.ts";
import { type Session, withSession } from "../session.ts";

/** Snapshots asked for at once: the most that EC2 gives. */
const PAGE_COUNT = 1_000;

interface ListOptions extends FilterOptions {
  readonly owner: string;
  readonly sizes?: boolean;
}

/** Adds `varve list`. */
export function addListCommand(program: Command): void {
  const command = program
    .command("list")
    .summary("list your snapshots")
    .description("List the snapshots of your account, the oldest first.");
  addFilterOptions(command)
    .option("--owner <account>", "those of this account that are shared with you", "self")
    .option("--sizes", "also tell what is exclusive and what changed since the parent")
    .action((options: ListOptions, own: Command) =>
      withSession(own, (session) => list(session, options)),
    );
}

/** What is told of a snapshot beside its description. */
interface Extras {
  readonly verified: ReadonlyMap<string, VerificationDescription>;
  readonly found: FoundSizes | undefined;
}

async function list(session: Session, options: ListOptions): Promise<void> {
  const { client, output, signal } = session;
  const filter = filterFrom(options, client.clock.nowMs());
  const matches = filterMatcher(filter);
  const input = { OwnerIds: [options.owner], MaxResults: PAGE_COUNT, ...filterRequest(filter) };
  const snapshots: SnapshotDescription[] = [];
  let seen = 0;
  for await (const snapshot of snapshotsOf(client, input, { signal })) {
    seen += 1;
    if (matches(snapshot)) snapshots.push(snapshot);
  }
  snapshots.sort((a, b) => (a.StartTime < b.StartTime ? -1 : 1));
  const found = options.sizes ? await findSizes(client, snapshots, { signal }) : undefined;
  if (found?.isByListing) noteRequests(session, found);
  const extras = { verified: await findVerifications(client, signal), found };
  const text = snapshots.length === 0 ? "" : table(snapshots, extras);
  if (snapshots.length === 0 && !output.options.json) output.note(nothingFound(options, seen), {});
  output.result({ snapshots: snapshots.map((each) => toJson(each, extras)) }, text);
}

function nothingFound(options: ListOptions, seen: number): string {
  const { owner, sizes: _, ...filters } = options;
  const isFiltered =
    owner !== "self" || Object.values(filters).some((value) => value !== undefined);
  if (isFiltered || seen > 0) return "No snapshot matches.";
  return "There are no snapshots yet. Make one with: varve upload IMAGE";
}

function noteRequests({ output }: Session, { requestCount }: FoundSizes): void {
  const text =
    "This service does not tell sizes: blocks were listed by " +
    `${formatCount(requestCount, "request")}, which AWS charges for.`;
  output.note(text, { event: "sizes-by-listing", requestCount });
}

/** How snapshots were verified last, where the service knows such a thing and tells us. */
async function findVerifications(client: Client, signal: AbortSignal): Promise<Extras["verified"]> {
  const found = new Map<string, VerificationDescription>();
  try {
    const options = { signal, attemptsMax: 1 };
    for await (const each of verificationsOf(client, options)) found.set(each.SnapshotId, each);
  } catch (error) {
    if (!(error instanceof ClientError) || error.kind === "connection") throw error;
  }
  return found;
}

function toJson(snapshot: SnapshotDescription, { verified, found }: Extras): object {
  const verification = verified.get(snapshot.SnapshotId);
  const sizes = found?.sizes.get(snapshot.SnapshotId);
  return {
    snapshotId: snapshot.SnapshotId,
    state: snapshot.State,
    stateMessage: snapshot.StateMessage,
    volumeId: snapshot.VolumeId,
    volumeSizeGib: snapshot.VolumeSize,
    fullSizeBytes: snapshot.FullSnapshotSizeInBytes ?? sizes?.fullBytes,
    exclusiveBytes: sizes?.exclusiveBytes,
    changedBytes: sizes?.changedBytes,
    startTime: snapshot.StartTime,
    completionTime: snapshot.CompletionTime,
    lastVerification: verification && {
      time: verification.VerificationTime,
      outcome: verification.Outcome,
    },
    description: snapshot.Description,
    tags: Object.fromEntries(snapshot.Tags.map(({ Key, Value }) => [Key, Value])),
  };
}

function table(snapshots: readonly SnapshotDescription[], { verified, found }: Extras): string {
  const right = { align: "right" } as const;
  const columns = [
    { title: "SNAPSHOT" },
    { title: "STATE" },
    { title: "GIB", ...right },
    { title: "FULL SIZE", ...right },
    ...(found
      ? [
          { title: "EXCLUSIVE", ...right },
          { title: "CHANGED", ...right },
        ]
      : []),
    { title: "VERIFIED" },
    { title: "STARTED" },
    { title: "DESCRIPTION" },
    { title: "TAGS" },
  ];
  const rows = snapshots.map((snapshot) => {
    const { SnapshotId } = snapshot;
    return row(snapshot, verified.get(SnapshotId), found && sizeCells(found.sizes.get(SnapshotId)));
  });
  return formatTable(columns, rows);
}

function sizeCells(sizes: SnapshotSizes | undefined): string[] {
  return [sizeCell(sizes?.exclusiveBytes), sizeCell(sizes?.changedBytes)];
}

function sizeCell(bytes: number | undefined): string {
  return bytes === undefined ? "-" : formatBytes(bytes);
}

function row(
  snapshot: SnapshotDescription,
  verification: VerificationDescription | undefined,
  sizes: readonly string[] = [],
): string[] {
  const { FullSnapshotSizeInBytes: fullSize, State, StateMessage } = snapshot;
  return [
    snapshot.SnapshotId,
    StateMessage ? `${State}: ${StateMessage}` : State,
    String(snapshot.VolumeSize),
    sizeCell(fullSize),
    ...sizes,
    verification ? `${verification.VerificationTime.slice(0, 10)} ${verification.Outcome}` : "-",
    snapshot.StartTime.replace("T", " ").replace(/\.\d+Z$/, "Z"),
    snapshot.Description,
    snapshot.Tags.map(({ Key, Value }) => `${Key}=${Value}`).join(" "),
  ];
}
