import { type Command, InvalidArgumentError } from "commander";
import { systemClock } from "../../base/clock.ts";
import { type CollectionDescription, getCollection, startCollection } from "../../client/index.ts";
import { formatBytes } from "../output/format.ts";
import { type Session, withSession } from "../session.ts";

/** Milliseconds between two questions how a collection goes. */
const POLL_MS = 500;

interface CollectOptions {
  readonly dryRun?: boolean;
  readonly grace?: number;
}

/** Adds `varve collect`. */
export function addCollectCommand(program: Command): void {
  program
    .command("collect")
    .summary("give back the room of what was deleted")
    .description(
      "Collect garbage now, beside everything else. A record is removed by the second run that " +
        "finds that nothing needs it, and not before the grace; the service also runs by itself.",
    )
    .option("--dry-run", "find out what would be removed, and remove nothing")
    .option("--grace <seconds>", "time between the two findings (default: 3600)", secondsArgument)
    .action((options: CollectOptions, command: Command) =>
      withSession(command, (session) => collect(session, options)),
    );
}

function secondsArgument(text: string): number {
  if (/^[0-9]{1,7}$/.test(text)) return Number(text);
  throw new InvalidArgumentError("Give a whole number of seconds.");
}

async function collect(session: Session, { dryRun, grace }: CollectOptions): Promise<void> {
  const { client, output, signal } = session;
  const input = { DryRun: dryRun, GraceSeconds: grace };
  let collection = await startCollection(client, input, { signal });
  while (collection.State === "Running") {
    await systemClock.sleep(POLL_MS, signal);
    collection = await getCollection(client, collection.CollectionId, { signal });
  }
  if (collection.State === "Failed") throw new Error(`${collection.Message}.`);
  output.result(collection, inWords(collection, dryRun ?? false));
}

function inWords({ Result = {}, DurationMs = 0 }: CollectionDescription, isDry: boolean): string {
  const { Candidates = 0, Reachable = 0, Doomed = 0 } = Result;
  const { Removed = 0, RemovedBytes = 0, Segments = 0, SegmentBytes = 0, MovedBytes = 0 } = Result;
  const seconds = (DurationMs / 1000).toFixed(1);
  const looked = `Looked at ${Candidates} records in ${seconds} s: ${Reachable} are needed`;
  if (isDry) return `${looked}, ${Doomed} are not. Nothing was removed.`;
  return [
    `${looked}, ${Doomed} are left for a later run.`,
    `Removed ${Removed} records of ${formatBytes(RemovedBytes)}.`,
    `Gave back ${Segments} segments of ${formatBytes(SegmentBytes)}, from which ` +
      `${formatBytes(MovedBytes)} were moved.`,
  ].join("\n");
}
