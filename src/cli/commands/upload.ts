import { realpath } from "node:fs/promises";
import { join } from "node:path";
import { type Command, Option } from "commander";
import {
  type HoleSearch,
  type Tag,
  type UploadOptions,
  type UploadResult,
  uploadSnapshot,
} from "../../client/index.ts";
import { VOLUME_SIZE_GIB_MAX } from "../../model/limits.ts";
import { integerArgument, snapshotIdArgument, tagArgument } from "../arguments.ts";
import { formatBytes, formatCount, formatSeconds } from "../output/format.ts";
import { ProgressDisplay } from "../output/progress.ts";
import { forgetOldLogs, stateFolder, transferLogPath, withResumeCommand } from "../resume.ts";
import { type Session, withSession } from "../session.ts";

interface UploadCommandOptions {
  readonly parent?: string;
  readonly volumeSize?: number;
  readonly description?: string;
  readonly tag?: Tag[];
  readonly encrypted?: true;
  readonly kmsKey?: string;
  readonly concurrency?: number;
  readonly holes: HoleSearch;
  readonly map?: string;
  readonly raw?: boolean;
  readonly restart?: boolean;
  readonly resume: boolean;
  readonly resumeFile?: string;
}

/** What stands for standard input. */
const STDIN = "-";

/** Adds `varve upload IMAGE`. */
export function addUploadCommand(program: Command): void {
  program
    .command("upload")
    .summary("make a snapshot of an image")
    .description(
      "Upload a raw image as a new snapshot and print its id. The same command goes on with an " +
        "upload that ended early.",
    )
    .argument("<image>", "a raw image file, a block device, or - for standard input")
    .option("--parent <snapshot>", "send only what differs from this snapshot", snapshotIdArgument)
    .option(
      "--volume-size <gib>",
      "size of the volume in GiB (default: what the image needs)",
      integerArgument(1, VOLUME_SIZE_GIB_MAX),
    )
    .option("--description <text>", "description of the snapshot")
    .option("--tag <key=value>", "tag of the snapshot; can be repeated", tagArgument)
    .option("--encrypted", "encrypt it under the account's default key")
    .option("--kms-key <arn>", "encrypt it under this key")
    .option("--concurrency <n>", "blocks under way at once", integerArgument(1, 256), 16)
    .addOption(
      new Option("--holes <how>", "how to find holes: ask the file system, or look for zeros")
        .choices(["auto", "seek", "zero"])
        .default("auto"),
    )
    .option("--map <file>", "take holes from the JSON of: qemu-img map --output=json")
    .option("--raw", "upload the bytes as they are, also those of a qcow2, VMDK, VHD or VDI")
    .option("--restart", "begin anew, and delete what an unfinished upload has sent")
    .option("--no-resume", "keep nothing to go on with; when it fails, delete what it has sent")
    .option("--resume-file <file>", "where to keep what is needed to go on")
    .action((image: string, options: UploadCommandOptions, command: Command) =>
      withSession(command, (session) => upload(session, image, options)),
    );
}

async function upload(
  session: Session,
  image: string,
  options: UploadCommandOptions,
): Promise<void> {
  const { client, output, signal } = session;
  const display = new ProgressDisplay(output, client.clock);
  await forgetOldLogs(join(stateFolder(process.env), "uploads"), client.clock.nowMs());
  display.start();
  try {
    await uploadSnapshot(client, {
      ...(await uploadOptions(session, image, options)),
      onProgress: display.update,
      onNote: ({ event, message }) => {
        display.clearLine();
        output.note(message, { event, message });
      },
      onCompleted: (result) => {
        display.clear();
        if (!output.options.json) output.note(summary(image, result), {});
        output.result(result, result.snapshotId);
      },
      signal,
    });
  } catch (error) {
    throw withResumeCommand(error);
  } finally {
    display.clear();
  }
}

async function uploadOptions(
  { client }: Session,
  image: string,
  options: UploadCommandOptions,
): Promise<UploadOptions> {
  const { parent, volumeSize, description, tag, encrypted, kmsKey, resume } = options;
  const isStream = image === STDIN;
  const facts = { parent, volumeSize, description, tag, encrypted, kmsKey };
  const { endpoint, region } = client;
  const source = { endpoint, region, path: await realpath(image).catch(() => image) };
  // What comes from standard input has no name: nothing would tell two of them apart.
  const logPath =
    options.resumeFile ??
    (isStream ? undefined : transferLogPath(process.env, "upload", { ...source, ...facts }));
  return {
    path: image,
    stream: isStream ? process.stdin : undefined,
    volumeSizeGib: volumeSize,
    description,
    tags: tag,
    encrypted,
    kmsKeyArn: kmsKey,
    parentSnapshotId: parent,
    concurrency: options.concurrency,
    holes: options.holes,
    mapPath: options.map,
    raw: options.raw,
    logPath: resume ? logPath : undefined,
    restart: options.restart,
  };
}

function summary(image: string, result: UploadResult): string {
  const { blocksSent, blocksTotal, bytesSent, blocksUnchanged, blocksSkipped, seconds } = result;
  const kept = result.blocksKept > 0 ? `, ${result.blocksKept} sent before` : "";
  return (
    `Uploaded ${image} in ${formatSeconds(seconds)}: ${blocksSent} of ` +
    `${formatCount(blocksTotal, "block")} sent (${formatBytes(bytesSent)})${kept}, ` +
    `${blocksUnchanged} unchanged, ${blocksSkipped} in holes.`
  );
}
