import type { Command } from "commander";
import { deleteSnapshot } from "../../client/index.ts";
import { snapshotIdArguments } from "../arguments.ts";
import { describeError } from "../describe-error.ts";
import { type Session, withSession } from "../session.ts";

/** Adds `varve delete SNAPSHOT…`. */
export function addDeleteCommand(program: Command): void {
  program
    .command("delete")
    .summary("delete snapshots")
    .description("Delete snapshots. Snapshots made from them keep everything they need.")
    .argument("<snapshots...>", "ids of snapshots, in whatever state", snapshotIdArguments)
    .action((snapshotIds: string[], _options: object, command: Command) =>
      withSession(command, (session) => deleteAll(session, snapshotIds)),
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
