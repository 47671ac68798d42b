import type { Command } from "commander";
import { diffSnapshots, type SnapshotDiff } from "../../client/index.ts";
import { blockCountOf, offsetOf } from "../../model/geometry.ts";
import { snapshotIdArgument } from "../arguments.ts";
import { EXTENTS_SHOWN_MAX, extentTable } from "../extent-table.ts";
import { formatBytes, formatCount } from "../format.ts";
import { type Session, withSession } from "../session.ts";
import { paintCells } from "../volume-picture.ts";

interface DiffCommandOptions {
  readonly all?: boolean;
}

/** Adds `varve diff FIRST SECOND`. */
export function addDiffCommand(program: Command): void {
  program
    .command("diff")
    .summary("show where two snapshots differ")
    .description("Show which blocks differ between two snapshots of one lineage.")
    .argument("<first>", "id of a completed snapshot", snapshotIdArgument)
    .argument("<second>", "id of another one of the same lineage", snapshotIdArgument)
    .option("--all", `list all extents, not only the first ${EXTENTS_SHOWN_MAX}`)
    .action((first: string, second: string, options: DiffCommandOptions, command: Command) =>
      withSession(command, (session) => diff(session, [first, second], options)),
    );
}

async function diff(
  { client, output, signal }: Session,
  [firstSnapshotId, secondSnapshotId]: readonly [string, string],
  { all = false }: DiffCommandOptions,
): Promise<void> {
  const found = await diffSnapshots(client, { firstSnapshotId, secondSnapshotId, signal });
  const isColored = Boolean(process.stdout.isTTY) && !process.env["NO_COLOR"];
  const text = [
    summary(found),
    ...(found.changedBlocks > 0
      ? ["", picture(found, isColored), "", extentTable(found.extents, all)]
      : []),
  ].join("\n");
  output.result({ firstSnapshotId, secondSnapshotId, ...found }, text);
}

function summary({ changedBlocks, changedBytes, onlyInFirst, onlyInSecond }: SnapshotDiff): string {
  if (changedBlocks === 0) return "The snapshots have the same contents.";
  return (
    `${formatCount(changedBlocks, "block")} differ (${formatBytes(changedBytes)}): ` +
    `${changedBlocks - onlyInFirst - onlyInSecond} in both, ${onlyInFirst} only in the first, ` +
    `${onlyInSecond} only in the second.`
  );
}

function picture({ extents, volumeSizeGib }: SnapshotDiff, isColored: boolean): string {
  const end = extents.reduce((last, { start, count }) => Math.max(last, start + count), 0);
  const blockCount = Math.max(blockCountOf(volumeSizeGib), end);
  const size = formatBytes(offsetOf(blockCount));
  return `0 |${paintCells(extents, blockCount, isColored)}| ${size}`;
}
