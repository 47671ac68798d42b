import type { Command } from "commander";
import { type VerifyResult, verifySnapshot } from "../../client/index.ts";
import { snapshotIdArgument } from "../arguments.ts";
import { DamagedDataError } from "../errors.ts";
import { extentTable } from "../output/extent-table.ts";
import { formatBytes, formatCount, formatSeconds } from "../output/format.ts";
import { ProgressDisplay } from "../output/progress.ts";
import { type Session, withSession } from "../session.ts";

/** Adds `varve verify SNAPSHOT`. */
export function addVerifyCommand(program: Command): void {
  program
    .command("verify")
    .summary("have a snapshot read again and hashed")
    .description("Have the service read a snapshot again, from root to blocks, and hash all of it.")
    .argument("<snapshot>", "id of a completed snapshot of your own", snapshotIdArgument)
    .action((snapshotId: string, _options: object, command: Command) =>
      withSession(command, (session) => verify(session, snapshotId)),
    );
}

async function verify({ client, output, signal }: Session, snapshotId: string): Promise<void> {
  const display = new ProgressDisplay(output, client.clock);
  try {
    const onProgress = display.update;
    const result = await verifySnapshot(client, { snapshotId, onProgress, signal });
    display.clear();
    const table = result.badBlocks > 0 ? `\n\n${extentTable(result.badExtents, true)}` : "";
    output.result(result, `${summary(result)}${table}`);
    if (result.outcome === "whole") return;
  } finally {
    display.clear();
  }
  const next = `Get what can be read with: varve download --salvage ${snapshotId} IMAGE`;
  throw new DamagedDataError(`The snapshot ${snapshotId} is damaged. ${next}`);
}

function summary(result: VerifyResult): string {
  const { snapshotId, blocksVerified, bytesVerified, badBlocks, manifest, seconds } = result;
  const found = badBlocks === 0 ? "all of them whole" : `${formatCount(badBlocks, "block")} bad`;
  return (
    `Verified ${snapshotId} in ${formatSeconds(seconds)}: ` +
    `${formatCount(blocksVerified, "block")} (${formatBytes(bytesVerified)}), ${found}; ` +
    `manifest ${manifest}.`
  );
}
