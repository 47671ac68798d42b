import { stat } from "node:fs/promises";
import type { Command } from "commander";
import {
  type DownloadOptions,
  type DownloadResult,
  downloadLogPath,
  downloadSnapshot,
} from "../../client/index.ts";
import { integerArgument, snapshotIdArgument } from "../arguments.ts";
import { DamagedDataError, UsageError } from "../errors.ts";
import { extentTable } from "../output/extent-table.ts";
import { formatBytes, formatCount, formatSeconds } from "../output/format.ts";
import type { Output } from "../output/output.ts";
import { ProgressDisplay } from "../output/progress.ts";
import { goOnWhenNobodyReads, leaveReaders, waitForReaders } from "../output/standard-streams.ts";
import { transferLogPath, withResumeCommand } from "../resume.ts";
import { type Session, withSession } from "../session.ts";

interface DownloadCommandOptions {
  readonly force?: boolean;
  readonly onto?: boolean;
  readonly base?: string;
  readonly targetIsZero?: boolean;
  readonly salvage?: boolean;
  readonly concurrency?: number;
  readonly restart?: boolean;
  readonly resume: boolean;
  readonly resumeFile?: string;
}

/** A download as it was asked for on the command line. */
interface Wish extends DownloadCommandOptions {
  readonly snapshotId: string;
  readonly path: string;
}

/** What stands for standard output. */
const STDOUT = "-";

/** Adds `varve download SNAPSHOT IMAGE`. */
export function addDownloadCommand(program: Command): void {
  program
    .command("download")
    .summary("write a snapshot to an image")
    .description(
      "Download a snapshot, verify it block by block, and write it as a sparse image. The same " +
        "command goes on with a download that ended early.",
    )
    .argument("<snapshot>", "id of a completed snapshot", snapshotIdArgument)
    .argument("<image>", "file to write, a block device, or - for standard output")
    .option("--force", "replace the file if it exists, or all that is on the device")
    .option("--onto", "write only what differs onto the image: an older restore")
    .option(
      "--base <snapshot>",
      "with --onto, where the service tells no digests: what the image was restored from",
      snapshotIdArgument,
    )
    .option("--target-is-zero", "the device holds nothing but zeros: do not read it first")
    .option("--salvage", "write zeros for blocks that cannot be read, and say which")
    .option("--concurrency <n>", "blocks under way at once", integerArgument(1, 256), 16)
    .option("--restart", "begin anew, whatever an unfinished download has written")
    .option("--no-resume", "keep nothing to go on with; when it fails, remove what it wrote")
    .option("--resume-file <file>", "where to keep what is needed to go on")
    .action((snapshotId: string, path: string, options: DownloadCommandOptions, command: Command) =>
      withSession(command, (session) => download(session, { snapshotId, path, ...options })),
    );
}

async function download(session: Session, wish: Wish): Promise<void> {
  const { client, output, signal } = session;
  const display = new ProgressDisplay(output, client.clock);
  const options = await downloadOptions(session, wish);
  if (options.sink) {
    goOnWhenNobodyReads();
    waitForReaders();
  }
  display.start();
  try {
    const result = await downloadSnapshot(client, {
      ...options,
      onProgress: display.update,
      onNote: ({ event, message }) => {
        display.clearLine();
        output.note(message, { event, message });
      },
      onCompleted: (result) => {
        display.clear();
        tell(output, result, options.sink !== undefined);
      },
      signal,
    });
    if (result.badBlocks > 0) throw damaged(result);
  } catch (error) {
    if (options.sink) leaveReaders();
    throw withResumeCommand(error);
  } finally {
    display.clear();
  }
}

async function downloadOptions({ client }: Session, wish: Wish): Promise<DownloadOptions> {
  const { base, resume, resumeFile, ...others } = wish;
  const { snapshotId, path, onto, salvage } = others;
  const isStream = path === STDOUT;
  if (onto && !resume) throw new UsageError("--onto needs what --no-resume would not keep.");
  if (base !== undefined && !onto) throw new UsageError("--base goes with --onto only.");
  if (isStream && (onto || salvage)) {
    const which = onto ? "--onto" : "--salvage";
    throw new UsageError(`Standard output is written once and in order: ${which} needs a file.`);
  }
  const { endpoint, region } = client;
  const isDevice = (await stat(path).catch(() => undefined))?.isBlockDevice() ?? false;
  const usualPath = isDevice
    ? transferLogPath(process.env, "download", { endpoint, region, path })
    : downloadLogPath(path);
  const logPath = resume && !isStream ? (resumeFile ?? usualPath) : undefined;
  const sink = isStream ? process.stdout : undefined;
  return { ...others, snapshotId, path, sink, baseSnapshotId: base, logPath };
}

function tell(output: Output, result: DownloadResult, isStream: boolean): void {
  if (!output.options.json) output.note(summary(result), {});
  // Standard output carries the image and nothing else.
  if (isStream) {
    if (output.options.json) output.note("", { event: "result", ...result });
    return;
  }
  const table = result.badBlocks > 0 ? `\n\n${extentTable(result.badExtents, true)}` : "";
  output.result(result, `${result.path}${table}`);
}

function damaged({ snapshotId, path, badBlocks }: DownloadResult): DamagedDataError {
  const blocks = formatCount(badBlocks, "block");
  return new DamagedDataError(
    `${blocks} of ${snapshotId} could not be read: there are zeros in ${path} instead.`,
  );
}

function summary(result: DownloadResult): string {
  const { snapshotId, imageBytes, blocksReceived, blocksKept, seconds } = result;
  const kept = blocksKept > 0 ? `, ${blocksKept} there already` : "";
  return (
    `Downloaded ${snapshotId} in ${formatSeconds(seconds)}: ${formatBytes(imageBytes)}, ` +
    `${formatCount(blocksReceived, "block")} received and verified${kept}.`
  );
}
