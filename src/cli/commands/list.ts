import type { Command } from "commander";
import {
  type Client,
  ClientError,
  type SnapshotDescription,
  snapshotsOf,
  type VerificationDescription,
  verificationsOf,
} from "../../client/index.ts";
import { formatBytes, formatTable } from "../format.ts";
import { type Session, withSession } from "../session.ts";

/** Snapshots asked for at once: the most that EC2 gives. */
const PAGE_COUNT = 1_000;

/** Adds `varve list`. */
export function addListCommand(program: Command): void {
  program
    .command("list")
    .summary("list your snapshots")
    .description("List the snapshots of your account, the oldest first.")
    .action((_options: object, command: Command) => withSession(command, list));
}

async function list({ client, output, signal }: Session): Promise<void> {
  const input = { OwnerIds: ["self"], MaxResults: PAGE_COUNT };
  const snapshots: SnapshotDescription[] = [];
  for await (const snapshot of snapshotsOf(client, input, { signal })) snapshots.push(snapshot);
  snapshots.sort((a, b) => (a.StartTime < b.StartTime ? -1 : 1));
  const verified = await findVerifications(client, signal);
  const text = snapshots.length === 0 ? "" : table(snapshots, verified);
  if (snapshots.length === 0 && !output.options.json) {
    output.note("There are no snapshots yet. Make one with: varve upload IMAGE", {});
  }
  output.result({ snapshots: snapshots.map((each) => toJson(each, verified)) }, text);
}

/** By snapshot id. */
type Verifications = ReadonlyMap<string, VerificationDescription>;

/** How snapshots were verified last, where the service knows such a thing and tells us. */
async function findVerifications(client: Client, signal: AbortSignal): Promise<Verifications> {
  const found = new Map<string, VerificationDescription>();
  try {
    const options = { signal, attemptsMax: 1 };
    for await (const each of verificationsOf(client, options)) found.set(each.SnapshotId, each);
  } catch (error) {
    if (!(error instanceof ClientError) || error.kind === "connection") throw error;
  }
  return found;
}

function toJson(snapshot: SnapshotDescription, verified: Verifications): object {
  const verification = verified.get(snapshot.SnapshotId);
  return {
    snapshotId: snapshot.SnapshotId,
    state: snapshot.State,
    stateMessage: snapshot.StateMessage,
    volumeSizeGib: snapshot.VolumeSize,
    fullSizeBytes: snapshot.FullSnapshotSizeInBytes,
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

function table(snapshots: readonly SnapshotDescription[], verified: Verifications): string {
  const columns = [
    { title: "SNAPSHOT" },
    { title: "STATE" },
    { title: "GIB", align: "right" },
    { title: "FULL SIZE", align: "right" },
    { title: "VERIFIED" },
    { title: "STARTED" },
    { title: "DESCRIPTION" },
    { title: "TAGS" },
  ] as const;
  return formatTable(
    columns,
    snapshots.map((snapshot) => row(snapshot, verified.get(snapshot.SnapshotId))),
  );
}

function row(
  snapshot: SnapshotDescription,
  verification: VerificationDescription | undefined,
): string[] {
  const { FullSnapshotSizeInBytes: fullSize, State, StateMessage } = snapshot;
  return [
    snapshot.SnapshotId,
    StateMessage ? `${State}: ${StateMessage}` : State,
    String(snapshot.VolumeSize),
    fullSize === undefined ? "-" : formatBytes(fullSize),
    verification ? `${verification.VerificationTime.slice(0, 10)} ${verification.Outcome}` : "-",
    snapshot.StartTime.replace("T", " ").replace(/\.\d+Z$/, "Z"),
    snapshot.Description,
    snapshot.Tags.map(({ Key, Value }) => `${Key}=${Value}`).join(" "),
  ];
}
