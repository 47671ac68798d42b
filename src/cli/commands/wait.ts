import type { Command } from "commander";
import { SnapshotStateError, waitForSnapshot } from "../../client/index.ts";
import { WAIT_MS_DEFAULT } from "../../model/defaults.ts";
import { snapshotIdArguments, timeSpanArgument } from "../arguments.ts";
import { TimeOverError } from "../errors.ts";
import { formatSeconds } from "../output/format.ts";
import { type Session, withSession } from "../session.ts";

interface WaitCommandOptions {
  readonly timeout?: number;
}

/** Adds `varve wait SNAPSHOT…`. */
export function addWaitCommand(program: Command): void {
  program
    .command("wait")
    .summary("wait until snapshots are completed")
    .description(
      "Wait until snapshots are completed. Ends with 1 when one ends in error, with 8 when one " +
        "is still pending at the end of the time.",
    )
    .argument("<snapshots...>", "ids of snapshots", snapshotIdArguments)
    .option(
      "--timeout <time>",
      "how long to wait, as 90s, 15m or 2h (default: 30m)",
      timeSpanArgument,
    )
    .action((snapshotIds: string[], options: WaitCommandOptions, command: Command) =>
      withSession(command, (session) => waitForAll(session, snapshotIds, options)),
    );
}

/** One after another, all within the same time. */
async function waitForAll(
  { client, output, signal }: Session,
  snapshotIds: readonly string[],
  { timeout = WAIT_MS_DEFAULT }: WaitCommandOptions,
): Promise<void> {
  const endMs = client.clock.monotonicMs() + timeout;
  for (const snapshotId of snapshotIds) {
    const timeoutMs = Math.max(0, endMs - client.clock.monotonicMs());
    await waitForSnapshot(client, snapshotId, { timeoutMs, signal }).catch((error: unknown) => {
      if (!(error instanceof SnapshotStateError) || error.state !== "pending") throw error;
      // The time is that of all of them, not what was left for this one.
      const time = formatSeconds(timeout / 1_000);
      throw new TimeOverError(`Snapshot ${snapshotId} is still pending after ${time}.`);
    });
    const event = { event: "completed", snapshotId };
    if (output.options.json) output.note("", event);
  }
  output.result({ completed: snapshotIds }, snapshotIds.join("\n"));
}
