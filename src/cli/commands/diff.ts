import type { Command } from "commander";
import { diffSnapshots, diffSnapshotWithImage, type SnapshotDiff } from "../../client/index.ts";
import { blockCountOf, offsetOf } from "../../model/geometry.ts";
import { parseSnapshotId } from "../../model/ids.ts";
import { integerArgument, snapshotIdArgument } from "../arguments.ts";
import { EXTENTS_SHOWN_MAX, extentTable } from "../output/extent-table.ts";
import { formatBytes, formatCount } from "../output/format.ts";
import { ProgressDisplay } from "../output/progress.ts";
import { paintCells } from "../output/volume-picture.ts";
import { type Session, withSession } from "../session.ts";

interface DiffCommandOptions {
  readonly all?: boolean;
  readonly map?: string;
  readonly raw?: boolean;
  readonly concurrency?: number;
}

/** How a text says which of the two it speaks of. */
interface Names {
  readonly first: string;
  readonly second: string;
}

/** Adds `varve diff FIRST SECOND`. */
export function addDiffCommand(program: Command): void {
  program
    .command("diff")
    .summary("show where two snapshots differ, or a snapshot and an image")
    .description(
      "Show which blocks differ between two snapshots of one lineage, or between a snapshot and " +
        "a local image.",
    )
    .argument("<first>", "id of a completed snapshot", snapshotIdArgument)
    .argument("<second>", "id of another one of the same lineage, or a raw image or block device")
    .option("--all", `list all extents, not only the first ${EXTENTS_SHOWN_MAX}`)
    .option("--map <file>", "take the image's holes from the JSON of: qemu-img map --output=json")
    .option("--raw", "compare the image's bytes as they are, also those of a qcow2, VMDK, …")
    .option("--concurrency <n>", "blocks of an image compared at once", integerArgument(1, 256), 16)
    .action((first: string, second: string, options: DiffCommandOptions, command: Command) =>
      withSession(command, (session) =>
        parseSnapshotId(second)
          ? diff(session, [first, second], options)
          : diffWithImage(session, [first, second], options),
      ),
    );
}

async function diff(
  { client, output, signal }: Session,
  [firstSnapshotId, secondSnapshotId]: readonly [string, string],
  { all = false }: DiffCommandOptions,
): Promise<void> {
  const found = await diffSnapshots(client, { firstSnapshotId, secondSnapshotId, signal });
  const same = "The snapshots have the same contents.";
  const text = textOf(found, { all, same, names: { first: "the first", second: "the second" } });
  output.result({ firstSnapshotId, secondSnapshotId, ...found }, text);
}

async function diffWithImage(
  { client, output, signal }: Session,
  [snapshotId, path]: readonly [string, string],
  { all = false, map, raw, concurrency }: DiffCommandOptions,
): Promise<void> {
  const display = new ProgressDisplay(output, client.clock);
  display.start();
  try {
    const found = await diffSnapshotWithImage(client, {
      snapshotId,
      path,
      mapPath: map,
      raw,
      concurrency,
      onProgress: display.update,
      signal,
    });
    display.clear();
    const same = "The snapshot and the image have the same contents.";
    const text = textOf(found, {
      all,
      same,
      names: { first: "the snapshot", second: "the image" },
    });
    output.result({ snapshotId, path, ...found }, text);
  } finally {
    display.clear();
  }
}

function textOf(
  found: SnapshotDiff,
  { all, same, names }: { readonly all: boolean; readonly same: string; readonly names: Names },
): string {
  if (found.changedBlocks === 0) return same;
  const isColored = Boolean(process.stdout.isTTY) && !process.env["NO_COLOR"];
  const table = extentTable(found.extents, all);
  return [summary(found, names), "", picture(found, isColored), "", table].join("\n");
}

function summary(found: SnapshotDiff, { first, second }: Names): string {
  const { changedBlocks, changedBytes, onlyInFirst, onlyInSecond } = found;
  return (
    `${formatCount(changedBlocks, "block")} differ (${formatBytes(changedBytes)}): ` +
    `${changedBlocks - onlyInFirst - onlyInSecond} in both, ${onlyInFirst} only in ${first}, ` +
    `${onlyInSecond} only in ${second}.`
  );
}

function picture({ extents, volumeSizeGib }: SnapshotDiff, isColored: boolean): string {
  const end = extents.reduce((last, { start, count }) => Math.max(last, start + count), 0);
  const blockCount = Math.max(blockCountOf(volumeSizeGib), end);
  const size = formatBytes(offsetOf(blockCount));
  return `0 |${paintCells(extents, blockCount, isColored)}| ${size}`;
}
