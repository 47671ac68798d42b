import { type Command, Option } from "commander";
import {
  type HoleSearch,
  type Tag,
  type UploadResult,
  uploadSnapshot,
} from "../../client/index.ts";
import { VOLUME_SIZE_GIB_MAX } from "../../model/limits.ts";
import { integerArgument, snapshotIdArgument, tagArgument } from "../arguments.ts";
import { formatBytes, formatCount, formatSeconds } from "../format.ts";
import { ProgressDisplay } from "../progress.ts";
import { type Session, withSession } from "../session.ts";

interface UploadCommandOptions {
  readonly parent?: string;
  readonly volumeSize?: number;
  readonly description?: string;
  readonly tag?: Tag[];
  readonly concurrency?: number;
  readonly holes: HoleSearch;
}

/** Adds `varve upload IMAGE`. */
export function addUploadCommand(program: Command): void {
  program
    .command("upload")
    .summary("make a snapshot of an image")
    .description("Upload a raw image or a block device as a new snapshot and print its id.")
    .argument("<image>", "a raw image file or a block device")
    .option("--parent <snapshot>", "send only what differs from this snapshot", snapshotIdArgument)
    .option(
      "--volume-size <gib>",
      "size of the volume in GiB (default: what the image needs)",
      integerArgument(1, VOLUME_SIZE_GIB_MAX),
    )
    .option("--description <text>", "description of the snapshot")
    .option("--tag <key=value>", "tag of the snapshot; can be repeated", tagArgument)
    .option("--concurrency <n>", "blocks under way at once", integerArgument(1, 256), 16)
    .addOption(
      new Option("--holes <how>", "how to find holes: ask the file system, or look for zeros")
        .choices(["auto", "seek", "zero"])
        .default("auto"),
    )
    .action((image: string, options: UploadCommandOptions, command: Command) =>
      withSession(command, (session) => upload(session, image, options)),
    );
}

async function upload(
  { client, output, signal }: Session,
  image: string,
  options: UploadCommandOptions,
): Promise<void> {
  const display = new ProgressDisplay(output, client.clock);
  try {
    const result = await uploadSnapshot(client, {
      path: image,
      volumeSizeGib: options.volumeSize,
      description: options.description,
      tags: options.tag,
      parentSnapshotId: options.parent,
      concurrency: options.concurrency,
      holes: options.holes,
      onProgress: display.update,
      signal,
    });
    display.clear();
    if (!output.options.json) output.note(summary(image, result), {});
    output.result(result, result.snapshotId);
  } finally {
    display.clear();
  }
}

function summary(image: string, result: UploadResult): string {
  const { blocksSent, blocksTotal, bytesSent, blocksUnchanged, blocksSkipped, seconds } = result;
  return (
    `Uploaded ${image} in ${formatSeconds(seconds)}: ${blocksSent} of ` +
    `${formatCount(blocksTotal, "block")} sent (${formatBytes(bytesSent)}), ` +
    `${blocksUnchanged} unchanged, ${blocksSkipped} in holes.`
  );
}
