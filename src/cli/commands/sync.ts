import { type Command, CommanderError } from "commander";
import {
  ClientError,
  CopyError,
  type SyncResult,
  syncSnapshots,
  type TagPattern,
} from "../../client/index.ts";
import { timeSpanArgument } from "../arguments.ts";
import { describeError } from "../describe-error.ts";
import { NotDeletedError, UsageError } from "../errors.ts";
import { EXIT_CODES, type ExitCode } from "../exit-codes.ts";
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
  const { output, signal, client } = session;
  const tell = (error: unknown) => output.failure(describeError(error, client.endpoint));
  if (options.every === undefined) {
    const failures = await sync(session, clients, options);
    failures.slice(0, -1).forEach(tell);
    if (failures.length > 0) throw failures.at(-1);
    return;
  }
  for (;;) {
    try {
      const failures = await sync(session, clients, options);
      failures.forEach(tell);
    } catch (error) {
      const failure = describeError(error, client.endpoint);
      if (signal.aborted || isLasting(error, failure.exitCode)) throw error;
      output.failure(failure);
    }
    await client.clock.sleep(options.every, signal);
  }
}

/**
 * True for a failure that waiting does not cure, which ends a loop: a service refuses the keys.
 * That none can be found may pass, for they may come from a service that is away.
 */
function isLasting(error: unknown, exitCode: ExitCode): boolean {
  const cause = error instanceof CopyError ? error.cause : error;
  if (cause instanceof CommanderError) return true;
  return cause instanceof ClientError && exitCode === EXIT_CODES.denied;
}

/** One round; answers what of it failed though all else was done. */
async function sync(
  session: Session,
  { source, destination }: TwoClients,
  options: SyncCommandOptions,
): Promise<readonly unknown[]> {
  const { output, client } = session;
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
    const failures = result.failed.map(
      ({ snapshotId, error }) => new NotDeletedError(snapshotId, error),
    );
    const failed = failures.map((failure) => {
      const { message } = describeError(failure.cause, client.endpoint);
      return { snapshotId: failure.snapshotId, message };
    });
    output.result({ dryRun, ...result, failed }, summary(result, options));
    return [...failures, ...failureOf(() => checkVerified(result.copies, options))];
  } finally {
    display.clear();
  }
}

function failureOf(check: () => void): unknown[] {
  try {
    check();
    return [];
  } catch (error) {
    return [error];
  }
}

function summary(result: SyncResult, { dryRun, every }: SyncCommandOptions): string {
  const { toCopy, toDelete, copies, vanished, deleted, failed, upToDate } = result;
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
  const passed = vanished.length === 0 ? "" : `, ${vanished.length} gone meanwhile`;
  const lost = failed.length === 0 ? "" : `, ${failed.length} not deleted`;
  const copied = `${formatCount(copies.length, "snapshot")} copied${passed}`;
  const done = `${copied}, ${deleted.length} deleted${lost}`;
  return `${done}, ${there}.${next}`;
}
