import type { Command } from "commander";
import { type SnapshotDescription, snapshotsOf } from "../../client/index.ts";
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
  const text = snapshots.length === 0 ? "" : table(snapshots);
  if (snapshots.length === 0 && !output.options.json) {
    output.note("There are no snapshots yet. Make one with: varve upload IMAGE", {});
  }
  output.result({ snapshots: snapshots.map(toJson) }, text);
}

function toJson(snapshot: SnapshotDescription): object {
  return {
    snapshotId: snapshot.SnapshotId,
    state: snapshot.State,
    stateMessage: snapshot.StateMessage,
    volumeSizeGib: snapshot.VolumeSize,
    fullSizeBytes: snapshot.FullSnapshotSizeInBytes,
    startTime: snapshot.StartTime,
    completionTime: snapshot.CompletionTime,
    description: snapshot.Description,
    tags: Object.fromEntries(snapshot.Tags.map(({ Key, Value }) => [Key, Value])),
  };
}

function table(snapshots: readonly SnapshotDescription[]): string {
  const columns = [
    { title: "SNAPSHOT" },
    { title: "STATE" },
    { title: "GIB", align: "right" },
    { title: "FULL SIZE", align: "right" },
    { title: "STARTED" },
    { title: "DESCRIPTION" },
    { title: "TAGS" },
  ] as const;
  return formatTable(columns, snapshots.map(row));
}

function row(snapshot: SnapshotDescription): string[] {
  const { FullSnapshotSizeInBytes: fullSize, State, StateMessage } = snapshot;
  return [
    snapshot.SnapshotId,
    StateMessage ? `${State}: ${StateMessage}` : State,
    String(snapshot.VolumeSize),
    fullSize === undefined ? "-" : formatBytes(fullSize),
    snapshot.StartTime.replace("T", " ").replace(/\.\d+Z$/, "Z"),
    snapshot.Description,
    snapshot.Tags.map(({ Key, Value }) => `${Key}=${Value}`).join(" "),
  ];
}
