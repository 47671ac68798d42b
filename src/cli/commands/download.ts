import type { Command } from "commander";
import { type DownloadResult, downloadSnapshot } from "../../client/index.ts";
import { integerArgument, snapshotIdArgument } from "../arguments.ts";
import { DamagedDataError } from "../errors.ts";
import { extentTable } from "../extent-table.ts";
import { formatBytes, formatCount, formatSeconds } from "../format.ts";
import { ProgressDisplay } from "../progress.ts";
import { type Session, withSession } from "../session.ts";

interface DownloadCommandOptions {
  readonly force?: boolean;
  readonly salvage?: boolean;
  readonly concurrency?: number;
}

/** Adds `varve download SNAPSHOT IMAGE`. */
export function addDownloadCommand(program: Command): void {
  program
    .command("download")
    .summary("write a snapshot to an image")
    .description("Download a snapshot, verify it block by block, and write it as a sparse image.")
    .argument("<snapshot>", "id of a completed snapshot", snapshotIdArgument)
    .argument("<image>", "file to write")
    .option("--force", "replace the file if it exists")
    .option("--salvage", "write zeros for blocks that cannot be read, and say which")
    .option("--concurrency <n>", "blocks under way at once", integerArgument(1, 256), 16)
    .action((snapshotId: string, path: string, options: DownloadCommandOptions, command: Command) =>
      withSession(command, (session) => download(session, { snapshotId, path, ...options })),
    );
}

async function download(
  { client, output, signal }: Session,
  options: DownloadCommandOptions & { readonly snapshotId: string; readonly path: string },
): Promise<void> {
  const display = new ProgressDisplay(output, client.clock);
  try {
    const onProgress = display.update;
    const result = await downloadSnapshot(client, { ...options, onProgress, signal });
    display.clear();
    if (!output.options.json) output.note(summary(result), {});
    const table = result.badBlocks > 0 ? `\n\n${extentTable(result.badExtents, true)}` : "";
    output.result(result, `${result.path}${table}`);
    if (result.badBlocks > 0) throw damaged(result);
  } finally {
    display.clear();
  }
}

function damaged({ snapshotId, path, badBlocks }: DownloadResult): DamagedDataError {
  const blocks = formatCount(badBlocks, "block");
  return new DamagedDataError(
    `${blocks} of ${snapshotId} could not be read: there are zeros in ${path} instead.`,
  );
}

function summary({ snapshotId, imageBytes, blocksReceived, seconds }: DownloadResult): string {
  return (
    `Downloaded ${snapshotId} in ${formatSeconds(seconds)}: ${formatBytes(imageBytes)}, ` +
    `${formatCount(blocksReceived, "block")} received and verified.`
  );
}
