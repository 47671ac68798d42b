import type { Command } from "commander";
import { keyPairFrom } from "../../client/settings/aws-settings.ts";
import type { Migrated, MigrationConfig } from "../../migrate-store.ts";
import { REGION_DEFAULT } from "../../model/defaults.ts";
import { DamagedDataError, UsageError } from "../errors.ts";
import { formatBytes } from "../output/format.ts";
import type { Output } from "../output/output.ts";
import { outputFor } from "../session.ts";
import { readKeyEncryptionKey } from "../settings/key-encryption-key.ts";
import { isLoopback, parseListen } from "../settings/listen-address.ts";
import {
  addReachOptions,
  keyNeeded,
  ownKeyPair,
  refuseSeenPassword,
  type ScaledOptions,
  scaledOptionsOf,
  scaledSettings,
} from "../settings/scaled-settings.ts";
import { type GlobalOptions, regionGiven } from "../settings/settings.ts";

interface MigrateOptions extends GlobalOptions, ScaledOptions {
  readonly from: string;
  readonly to: string;
  readonly keyEncryptionKey?: string;
  readonly listen?: string;
}

/** Records between two lines that say how far it has come. */
const TOLD_EVERY = 2_000;

/** Adds `varve migrate`. */
export function addMigrateCommand(program: Command): void {
  const command = program
    .command("migrate")
    .summary("bring a store from a folder into a bucket and a database, or back")
    .description(
      "Bring all that a store holds from a data folder into a bucket and a database, or back, " +
        "and check every record on both sides. What is interrupted goes on with the same command.",
    )
    .requiredOption("--from <place>", "a data folder, or s3://BUCKET/PREFIX")
    .requiredOption("--to <place>", "the other of the two: empty, or of an earlier attempt");
  addReachOptions(command)
    .option("--key-encryption-key <source>", "as for serve, and the same in both stores")
    .option("--listen <host:port>", "answer what only reads of the folder meanwhile")
    .action((_options: object, given: Command) => {
      refuseSeenPassword(given, "catalog");
      return migrateStores(given.optsWithGlobals<MigrateOptions>());
    });
}

async function migrateStores(options: MigrateOptions): Promise<void> {
  const { env } = process;
  const [isOut, isIn] = [isBucket(options.to), isBucket(options.from)];
  if (isOut === isIn) {
    throw new UsageError(
      "A migration has a data folder on one side and s3://BUCKET/PREFIX on the other: " +
        "give --from and --to so.",
    );
  }
  if (isIn && options.listen) {
    throw new UsageError(
      "--listen is for reads of a folder; those of a bucket go on by themselves.",
    );
  }
  const { from, to } = options;
  const [store, dataDirectory] = isOut ? [to, from] : [from, to];
  const scaled = await scaledSettings({ ...scaledOptionsOf(options), store }, env);
  const key = options.keyEncryptionKey;
  if (!scaled || (isIn && key === undefined)) throw keyNeeded();
  const output = outputFor(options);
  const { migrate } = await import("../../migrate-store.ts");
  const migrated = await migrate({
    dataDirectory,
    scaled,
    direction: isOut ? "out" : "in",
    keyEncryptionKey: key === undefined ? undefined : await readKeyEncryptionKey(key, env),
    ...serving(options, output),
    onProgress: progressOf(output),
  });
  output.result(migrated, inWords(migrated));
  if (migrated.damaged.length > 0 || migrated.incomplete.length > 0) {
    throw new DamagedDataError("Something is damaged at the source; all else was brought over.");
  }
  if (migrated.outcome === "changed") {
    throw new Error(
      "The source was changed meanwhile: stop what serves it, then run the same command again; " +
        "it brings over the rest.",
    );
  }
}

function isBucket(place: string): boolean {
  return place.startsWith("s3://");
}

function serving(
  options: MigrateOptions,
  output: Output,
): Pick<MigrationConfig, "serve" | "onServing"> {
  if (!options.listen) return {};
  const { host, port } = parseListen(options.listen);
  if (!isLoopback(host)) {
    throw new UsageError("--listen takes an address of this machine only; put a proxy before it.");
  }
  const region = regionGiven(options, process.env) ?? REGION_DEFAULT;
  return {
    serve: { host, port, region, keyPair: ownKeyPair(process.env) ?? keyPairFrom(process.env) },
    onServing: ({ endpoint }) =>
      output.note(`Reads go on at ${endpoint}; changes are refused.`, { endpoint }),
  };
}

function progressOf(output: Output): NonNullable<MigrationConfig["onProgress"]> {
  return (progress) => {
    const { recordCount, recordBytes, knownCount } = progress;
    if (recordCount % TOLD_EVERY !== 0) return;
    const known = knownCount > 0 ? `, ${knownCount} were there` : "";
    output.note(
      `${recordCount} records, ${formatBytes(recordBytes)} brought over${known}`,
      progress,
    );
  };
}

function inWords(migrated: Migrated): string {
  const { recordCount, recordBytes, knownCount, snapshotCount, pendingCount } = migrated;
  return [
    `Brought over ${recordCount} records, ${formatBytes(recordBytes)}; ${knownCount} were there.`,
    `${snapshotCount} completed snapshots, ${pendingCount} under way.`,
    ...migrated.leftBehind.map((id) => `${id} was under way and has to be started again.`),
    ...migrated.incomplete.map(
      ({ snapshotId, reason }) => `${snapshotId} is incomplete: ${reason}`,
    ),
    ...migrated.damaged.map((reason) => `Damaged: ${reason}`),
    ...(migrated.outcome === "done" ? ["Both stores hold the same."] : []),
  ].join("\n");
}
