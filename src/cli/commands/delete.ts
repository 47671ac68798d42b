import type { Command } from "commander";
import { deleteSnapshot, describeSnapshots, findHolds } from "../../client/index.ts";
import { snapshotIdArguments } from "../arguments.ts";
import { describeError } from "../describe-error.ts";
import { formatTable } from "../output/format.ts";
import { type Session, withSession } from "../session.ts";

interface DeleteOptions {
  readonly dryRun?: boolean;
}

/** Adds `varve delete SNAPSHOT…`. */
export function addDeleteCommand(program: Command): void {
  program
    .command("delete")
    .summary("delete snapshots")
    .description("Delete snapshots. Snapshots made from them keep everything they need.")
    .argument("<snapshots...>", "ids of snapshots, in whatever state", snapshotIdArguments)
    .option("--dry-run", "tell what would be deleted, and what holds it, and delete nothing")
    .action((snapshotIds: string[], { dryRun }: DeleteOptions, command: Command) =>
      withSession(command, (session) =>
        dryRun ? tellAll(session, snapshotIds) : deleteAll(session, snapshotIds),
      ),
    );
}

/** Deletes one after another; one that fails does not save the others, and the last is thrown. */
async function deleteAll(session: Session, snapshotIds: readonly string[]): Promise<void> {
  const { client, output, signal } = session;
  const deleted: string[] = [];
  const failures: unknown[] = [];
  for (const snapshotId of snapshotIds) {
    try {
      await deleteSnapshot(client, snapshotId, { signal });
      deleted.push(snapshotId);
    } catch (error) {
      if (signal.aborted) throw error;
      const earlier = failures.at(-1);
      if (earlier !== undefined) output.failure(describeError(earlier, client.endpoint));
      failures.push(error);
    }
  }
  if (deleted.length > 0) output.result({ deleted }, deleted.join("\n"));
  if (failures.length > 0) throw failures.at(-1);
}

/** Fails as the deletion would where there is no such snapshot. */
async function tellAll(
  { client, output, signal }: Session,
  snapshotIds: readonly string[],
): Promise<void> {
  const { Snapshots } = await describeSnapshots(client, { SnapshotIds: snapshotIds }, { signal });
  const { holds, unknown } = await findHolds(client, { signal });
  const found = Snapshots.map(({ SnapshotId: snapshotId, State: state, Description }) => {
    const heldBy = (holds.get(snapshotId) ?? []).map(({ kind, what }) => `${kind} ${what}`);
    return { snapshotId, state, description: Description, heldBy };
  });
  const columns = ["SNAPSHOT", "STATE", "WOULD BE", "DESCRIPTION"].map((title) => ({ title }));
  const rows = found.map(({ snapshotId, state, heldBy, description }) => {
    const fate = heldBy.length === 0 ? "deleted" : `refused: ${heldBy.join(", ")}`;
    return [snapshotId, state, fate, description];
  });
  output.result(
    { dryRun: true, snapshots: found, holdsUnknown: unknown },
    formatTable(columns, rows),
  );
}
