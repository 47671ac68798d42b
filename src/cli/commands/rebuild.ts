import type { Command } from "commander";
import type { RebuildOutcome } from "../../rebuild-store.ts";
import { DamagedDataError } from "../errors.ts";
import { formatBytes } from "../output/format.ts";
import { outputFor } from "../session.ts";
import { readKeyEncryptionKey } from "../settings/key-encryption-key.ts";
import {
  addScaledOptions,
  keyNeeded,
  refuseSeenPassword,
  type ScaledOptions,
  scaledOptionsOf,
  scaledSettings,
} from "../settings/scaled-settings.ts";
import type { GlobalOptions } from "../settings/settings.ts";

interface RebuildOptions extends GlobalOptions, ScaledOptions {
  readonly data?: string;
  readonly keyEncryptionKey?: string;
  readonly force?: boolean;
}

/** Adds `varve rebuild`. */
export function addRebuildCommand(program: Command): void {
  const command = program
    .command("rebuild")
    .summary("make a lost or damaged catalog anew from the segments")
    .description(
      "Make the catalog of a data folder anew from its segments, while no service runs on it. " +
        "A healthy store is left alone. A catalog that is replaced is kept beside the new one. " +
        "With --store and --catalog: fill an empty database from what a bucket holds.",
    )
    .option("--data <folder>", "the data folder (default: ./data)")
    .option("--key-encryption-key <source>", "as for serve")
    .option("--force", "replace the catalog even where it knows what the segments do not");
  addScaledOptions(command).action((_options: object, given: Command) => {
    refuseSeenPassword(given, "catalog");
    return rebuild(given.optsWithGlobals<RebuildOptions>());
  });
}

async function rebuild(options: RebuildOptions): Promise<void> {
  const { env } = process;
  const source = options.keyEncryptionKey;
  const scaled = await scaledSettings(scaledOptionsOf(options), env);
  if (scaled && source === undefined) throw keyNeeded();
  const { rebuildStore } = await import("../../rebuild-store.ts");
  const outcome = await rebuildStore({
    dataDirectory: options.data ?? "./data",
    scaled,
    keyEncryptionKey: source === undefined ? undefined : await readKeyEncryptionKey(source, env),
    force: options.force ?? false,
  });
  outputFor(options).result(outcome, inWords(outcome));
  const isWhole = outcome.incomplete.length === 0 && outcome.unreadable.length === 0;
  if (!isWhole) throw new DamagedDataError("Something is missing in the segments.");
  if (outcome.outcome === "differs") throw new Error(DIFFERS);
}

const DIFFERS =
  "The catalog lacks something that the segments tell, and knows something that they do not. " +
  "It stays as it is; --force takes what the segments tell.";

function inWords(found: RebuildOutcome): string {
  const { segmentCount, recordCount, unknownBytes, damagedCount, snapshotCount } = found;
  const unknown = unknownBytes > 0 ? `, ${formatBytes(unknownBytes)} that are no record` : "";
  const damaged = damagedCount > 0 ? `, ${damagedCount} of them torn or damaged` : "";
  const records = `${recordCount} records${damaged}${unknown}`;
  return [
    `Read ${segmentCount} segments: ${records}; ${snapshotCount} snapshots.`,
    ...found.incomplete.map(({ snapshotId, reason }) => `${snapshotId} is incomplete: ${reason}`),
    ...found.unreadable.map((reason) => `Unreadable: ${reason}`),
    ENDINGS[found.outcome],
    ...(found.notedCount > 0 ? [`It knows of ${found.notedCount} more damaged records now.`] : []),
    ...(found.kept === undefined ? [] : [`The catalog that was there is ${found.kept}.`]),
  ].join("\n");
}

const ENDINGS: Readonly<Record<RebuildOutcome["outcome"], string>> = {
  replaced: "The catalog has been made anew.",
  healthy: "The catalog knows all of it already, and stays as it is.",
  differs: "The catalog that is there stays as it is.",
};
