import type { Command } from "commander";
import {
  EmptySourceError,
  type SyncResult,
  syncSnapshots,
  type TagPattern,
} from "../../client/index.ts";
import { timeSpanArgument } from "../arguments.ts";
import { describeError } from "../describe-error.ts";
import { UsageError } from "../errors.ts";
import { EXIT_CODES } from "../exit-codes.ts";
import { addSelectionOptions } from "../filter-options.ts";
import { formatCount, formatSeconds } from "../output/format.ts";
import { ProgressDisplay } from "../output/progress.ts";
import { addSecondServiceOptions, type TwoClients, withTwoClients } from "../second-client.ts";
import { type Session, withSession } from "../session.ts";
import { addCopyOptions, type CopyCommandOptions, checkVerified, copyOptionsFor } from "./copy.ts";

interface SyncCommandOptions extends CopyCommandOptions {
  readonly tag?: TagPattern[];
  readonly volume?: string;
  readonly all?: boolean;
  readonly delete?: boolean;
  readonly allowEmptySource?: boolean;
  readonly dryRun?: boolean;
  readonly every?: number;
}

/** Failures that waiting does not cure: they end a loop. */
const LASTING = new Set<number>([EXIT_CODES.usage, EXIT_CODES.denied, EXIT_CODES.interrupted]);

/** Adds `varve sync`. */
export function addSyncCommand(program: Command): void {
  const command = program
    .command("sync")
    .summary("keep another service up to date with your snapshots")
    .description(
      "Copy what the destination lacks of the snapshots with a tag or of a volume, in order. " +
        "Doing it again does nothing.",
    );
  addCopyOptions(addSelectionOptions(addSecondServiceOptions(command)))
    .option("--all", "all snapshots of the account")
    .option("--delete", "delete copies whose originals are gone")
    .option("--allow-empty-source", "delete copies even when no snapshot at the source matches")
    .option("--dry-run", "tell what would be done, and do nothing")
    .option("--every <time>", "do it again and again, as every 15m", timeSpanArgument)
    .action((_options: object, own: Command) =>
      withSession(own, (session) => {
        const options = own.optsWithGlobals<SyncCommandOptions>();
        checkSelection(options);
        return withTwoClients(session, options, (clients) => syncAll(session, clients, options));
      }),
    );
}

function checkSelection({ tag, volume, all }: SyncCommandOptions): void {
  const isSelected = tag !== undefined || volume !== undefined;
  if (isSelected !== (all === true)) return;
  throw new UsageError(
    "Say which snapshots to keep up to date: --tag KEY=VALUE, --volume ID, or --all of them.",
  );
}

async function syncAll(
  session: Session,
  clients: TwoClients,
  options: SyncCommandOptions,
): Promise<void> {
  if (options.every === undefined) return sync(session, clients, options);
  const { output, signal, client } = session;
  for (;;) {
    try {
      await sync(session, clients, options);
    } catch (error) {
      const failure = describeError(error, client.endpoint);
      if (signal.aborted || LASTING.has(failure.exitCode)) throw error;
      output.failure(failure);
    }
    await client.clock.sleep(options.every, signal);
  }
}

async function sync(
  session: Session,
  { source, destination }: TwoClients,
  options: SyncCommandOptions,
): Promise<void> {
  const { output } = session;
  const display = new ProgressDisplay(output, destination.clock);
  const { tag: tags, volume: volumeId, dryRun = false, allowEmptySource } = options;
  try {
    const result = await syncSnapshots(source, destination, {
      ...(await copyOptionsFor(session, { options, display })),
      ...{ filter: { tags, volumeId }, delete: options.delete, allowEmptySource, dryRun },
      onDeleted(snapshotId) {
        output.note(`Deleted ${snapshotId}.`, { event: "deleted", snapshotId });
      },
    });
    display.clear();
    output.result({ dryRun, ...result }, summary(result, options));
    checkVerified(result.copies);
  } catch (error) {
    if (!(error instanceof EmptySourceError)) throw error;
    const next = error.canBeAllowed ? " If that is right, say so with --allow-empty-source." : "";
    throw new UsageError(`${error.message}.${next}`);
  } finally {
    display.clear();
  }
}

function summary(result: SyncResult, { dryRun, every }: SyncCommandOptions): string {
  const { toCopy, toDelete, copies, deleted, upToDate } = result;
  const there = `${upToDate} up to date`;
  if (dryRun) {
    const lines = [
      ...toCopy.map((id) => `would copy    ${id}`),
      ...toDelete.map(
        (each) => `would delete  ${each.snapshotId}, a copy of ${each.sourceSnapshotId}`,
      ),
    ];
    return [...lines, `${toCopy.length} to copy, ${toDelete.length} to delete, ${there}.`].join(
      "\n",
    );
  }
  const next = every === undefined ? "" : ` Again in ${formatSeconds(every / 1_000)}.`;
  const done = `${formatCount(copies.length, "snapshot")} copied, ${deleted.length} deleted`;
  return `${done}, ${there}.${next}`;
}
