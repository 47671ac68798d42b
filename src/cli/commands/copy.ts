import { join } from "node:path";
import type { Command } from "commander";
import { type CopyOptions, type CopyResult, copySnapshots } from "../../client/index.ts";
import { integerArgument, snapshotIdArguments } from "../arguments.ts";
import { DamagedDataError, NotComparedError } from "../errors.ts";
import { formatBytes, formatCount, formatSeconds } from "../output/format.ts";
import type { Output } from "../output/output.ts";
import { ProgressDisplay } from "../output/progress.ts";
import { forgetOldLogs, stateFolder } from "../resume.ts";
import {
  addSecondServiceOptions,
  type SecondServiceOptions,
  type TwoClients,
  withTwoClients,
} from "../second-client.ts";
import { type Session, withSession } from "../session.ts";
import type { GlobalOptions } from "../settings/settings.ts";

/** Options that copies take, however they are asked for. */
export interface CopyCommandOptions extends SecondServiceOptions, GlobalOptions {
  readonly concurrency: number;
  readonly verify?: boolean;
  readonly encrypt?: boolean;
  readonly kmsKey?: string;
}

interface OwnOptions extends CopyCommandOptions {
  readonly lineage?: boolean;
}

/** Adds `varve copy SNAPSHOT…`. */
export function addCopyCommand(program: Command): void {
  const command = program
    .command("copy")
    .summary("copy snapshots to another service, region or account")
    .description(
      "Copy snapshots to another service, region or account. Only what the destination lacks " +
        "travels; after an interruption, the same command goes on.",
    )
    .argument("<snapshots...>", "ids of completed snapshots", snapshotIdArguments);
  addCopyOptions(addSecondServiceOptions(command))
    .option("--lineage", "copy all their ancestors, too")
    .action((snapshotIds: string[], _options: object, own: Command) =>
      withSession(own, (session) => {
        const options = own.optsWithGlobals<OwnOptions>();
        return withTwoClients(session, options, (clients) =>
          copy(session, clients, { ...options, snapshotIds }),
        );
      }),
    );
}

/** Adds the options of `CopyCommandOptions`, but for those that name the other service. */
export function addCopyOptions(command: Command): Command {
  return command
    .option("--concurrency <n>", "blocks under way at once", integerArgument(1, 256), 16)
    .option("--verify", "compare every copy with its original, block by block")
    .option("--encrypt", "encrypt copies that have no parent, under the destination's default key")
    .option("--kms-key <arn>", "encrypt them under this key");
}

/** What the library is to be told, with the progress shown, and what it tells noted. */
export async function copyOptionsFor(
  { output, signal, client }: Session,
  { options, display }: { readonly options: CopyCommandOptions; readonly display: ProgressDisplay },
): Promise<CopyOptions> {
  const { concurrency, verify, encrypt, kmsKey } = options;
  const folder = join(stateFolder(process.env), "copies");
  await forgetOldLogs(folder, client.clock.nowMs());
  return {
    concurrency,
    verify,
    encrypted: encrypt === true || kmsKey !== undefined ? true : undefined,
    kmsKeyArn: kmsKey,
    stateFolder: folder,
    onProgress: display.update,
    onResult(result) {
      display.clear();
      noteResult(output, result);
    },
    onNote(note) {
      display.clear();
      output.note(note.message, note);
    },
    signal,
  };
}

async function copy(
  session: Session,
  { source, destination }: TwoClients,
  options: OwnOptions & { readonly snapshotIds: readonly string[] },
): Promise<void> {
  const display = new ProgressDisplay(session.output, destination.clock);
  const { snapshotIds, lineage } = options;
  const results = await copySnapshots(source, destination, {
    ...(await copyOptionsFor(session, { options, display })),
    snapshotIds,
    lineage,
  }).finally(() => display.clear());
  const lines = results.map(({ snapshotId }) => snapshotId);
  session.output.result({ copies: results }, lines.join("\n"));
  checkVerified(results, options);
}

/** Throws where copies differ from their originals, or could not be compared as asked for. */
export function checkVerified(
  results: readonly CopyResult[],
  { verify = false }: Pick<CopyCommandOptions, "verify">,
): void {
  const differing = results.filter(({ verification: found }) => {
    return found && (found.differingBlocks > 0 || !found.isSameSize);
  });
  if (differing.length > 0) {
    throw new DamagedDataError(
      `Copies differ from their originals: ${pairsOf(differing)}. Delete them and copy again.`,
    );
  }
  const unknown = verify ? results.filter(({ verification }) => verification === undefined) : [];
  if (unknown.length === 0) return;
  throw new NotComparedError(
    `Copies whose originals were deleted before both were compared: ${pairsOf(unknown)}.`,
  );
}

function pairsOf(results: readonly CopyResult[]): string {
  return results.map((each) => `${each.snapshotId} from ${each.sourceSnapshotId}`).join(", ");
}

function noteResult(output: Output, result: CopyResult): void {
  output.note(summary(result), { event: "copied", ...result });
}

function summary(result: CopyResult): string {
  const { sourceSnapshotId, snapshotId, outcome, blocksSent, blocksResumed, bytesSent } = result;
  const compared = result.verification;
  const verified = compared && compared.differingBlocks === 0 ? ", the same as its original" : "";
  if (outcome === "there") return `${sourceSnapshotId} is there as ${snapshotId}${verified}.`;
  const { parentSnapshotId, seconds } = result;
  const whole = parentSnapshotId === undefined ? "" : `, on top of ${parentSnapshotId}`;
  const earlier = blocksResumed === 0 ? "" : `, ${blocksResumed} sent before`;
  return (
    `Copied ${sourceSnapshotId} to ${snapshotId} in ${formatSeconds(seconds)}: ` +
    `${formatCount(blocksSent, "block")} sent (${formatBytes(bytesSent)})` +
    `${earlier}${whole}${verified}.`
  );
}
