import { type Command, InvalidArgumentError, Option } from "commander";
import { formatTimeMs } from "../../base/clock.ts";
import {
  filterMatcher,
  isEmptyRules,
  type KeepRules,
  type PruneGrouping,
  type PruneResult,
  pruneSnapshots,
  type TagPattern,
} from "../../client/index.ts";
import { integerArgument, tagPatternArgument } from "../arguments.ts";
import { describeError } from "../describe-error.ts";
import { NotDeletedError, UsageError } from "../errors.ts";
import { addSelectionOptions, type FilterOptions, filterFrom } from "../filter-options.ts";
import { formatCount, formatTable } from "../output/format.ts";
import { type Session, withSession } from "../session.ts";

/** More than anybody keeps, and small enough to be no slip of the keyboard. */
const KEEP_COUNT_MAX = 100_000;

interface PruneCommandOptions extends Pick<FilterOptions, "tag" | "volume"> {
  readonly keepLast?: number;
  readonly keepHourly?: number;
  readonly keepDaily?: number;
  readonly keepWeekly?: number;
  readonly keepMonthly?: number;
  readonly keepYearly?: number;
  readonly keepTag?: TagPattern[];
  readonly groupBy: PruneGrouping;
  readonly timeZone: string;
  readonly dryRun?: boolean;
}

/** Adds `varve prune`. */
export function addPruneCommand(program: Command): void {
  const command = program
    .command("prune")
    .summary("delete the snapshots that no rule keeps")
    .description(
      "Delete the snapshots that no rule keeps. Each rule counts for itself, in each group by " +
        "itself, from the latest snapshot back; what any rule keeps is kept.",
    );
  const count = integerArgument(0, KEEP_COUNT_MAX);
  addSelectionOptions(command)
    .option("--keep-last <n>", "keep the latest n", count)
    .option("--keep-hourly <n>", "keep the latest of each of the last n hours with one", count)
    .option("--keep-daily <n>", "likewise of days", count)
    .option("--keep-weekly <n>", "likewise of weeks, from Monday on", count)
    .option("--keep-monthly <n>", "likewise of months", count)
    .option("--keep-yearly <n>", "likewise of years", count)
    .option(
      "--keep-tag <key=value>",
      "keep those with this tag; can be repeated",
      tagPatternArgument,
    )
    .addOption(
      new Option("--group-by <what>", "volume, tag:KEY or none")
        .argParser(groupingArgument)
        .default({ by: "volume" }, "volume"),
    )
    .option("--time-zone <name>", "whose hours and days count", timeZoneArgument, "UTC")
    .option("--dry-run", "tell what would be deleted and why, and delete nothing")
    .action((options: PruneCommandOptions, own: Command) =>
      withSession(own, (session) => prune(session, options)),
    );
}

function groupingArgument(text: string): PruneGrouping {
  if (text === "volume" || text === "none") return { by: text };
  const [, key] = /^tag:(.+)$/.exec(text) ?? [];
  if (key !== undefined) return { by: "tag", key };
  throw new InvalidArgumentError("Snapshots are grouped by volume, tag:KEY or none.");
}

function timeZoneArgument(text: string): string {
  try {
    return new Intl.DateTimeFormat("en", { timeZone: text }).resolvedOptions().timeZone;
  } catch {
    throw new InvalidArgumentError("A time zone is needed, as UTC or Europe/Berlin.");
  }
}

async function prune(session: Session, options: PruneCommandOptions): Promise<void> {
  const { client, output, signal } = session;
  const { dryRun = false, timeZone, groupBy: grouping } = options;
  const rules = rulesFrom(options);
  if (isEmptyRules(rules)) {
    throw new UsageError(
      "Without a rule nothing would be kept. Give at least one, such as --keep-last 3 or " +
        "--keep-daily 14.",
    );
  }
  const matches = filterMatcher(filterFrom(options, client.clock.nowMs()));
  const result = await pruneSnapshots(client, {
    ...{ rules, grouping, matches, timeZone, dryRun, signal },
    onDeleted(snapshotId) {
      if (output.options.json) output.note("", { event: "deleted", snapshotId });
    },
  });
  const failures = result.failed.map(
    ({ snapshotId, error }) => new NotDeletedError(snapshotId, error),
  );
  for (const failure of failures.slice(0, -1)) {
    output.failure(describeError(failure, client.endpoint));
  }
  if (!output.options.json) noteRest(session, result, dryRun);
  output.result(toJson(session, result, { rules, timeZone, dryRun }), table(result));
  const last = failures.at(-1);
  if (last) throw last;
}

function rulesFrom(options: PruneCommandOptions): KeepRules {
  return {
    last: options.keepLast,
    hourly: options.keepHourly,
    daily: options.keepDaily,
    weekly: options.keepWeekly,
    monthly: options.keepMonthly,
    yearly: options.keepYearly,
    tags: options.keepTag,
  };
}

function noteRest({ output }: Session, result: PruneResult, dryRun: boolean): void {
  const { decisions, deleted, failed, ungrouped, holdsUnknown } = result;
  const of = (action: string) => decisions.filter((each) => each.action === action).length;
  const doomed = dryRun ? of("delete") : deleted.length;
  const verb = dryRun ? "would be deleted" : "deleted";
  const held = of("held") === 0 ? "" : `, ${of("held")} held`;
  const lost = failed.length === 0 ? "" : `, ${failed.length} failed`;
  const counts = `${of("keep")} kept${held}${lost}`;
  output.note(`${formatCount(doomed, "snapshot")} ${verb}, ${counts}.`, {});
  if (ungrouped.length > 0) {
    output.note(`${formatCount(ungrouped.length, "snapshot")} in no group and left alone.`, {});
  }
  if (holdsUnknown.length > 0) {
    const text = `Not known what holds snapshots: ${holdsUnknown.join(", ")} refused.`;
    output.note(text, {});
  }
}

/** What became of each snapshot: `failed` where it was to be deleted and could not be. */
function outcomes({ decisions, failed }: PruneResult) {
  const failedIds = new Set(failed.map(({ snapshotId }) => snapshotId));
  return decisions.map(({ action, reasons, snapshot }) => {
    return { action: failedIds.has(snapshot.snapshotId) ? "failed" : action, reasons, snapshot };
  });
}

function toJson({ client }: Session, result: PruneResult, told: object): object {
  const { deleted, failed, ungrouped, holdsUnknown } = result;
  return {
    ...told,
    snapshots: outcomes(result).map(({ action, reasons, snapshot }) => ({
      ...{ snapshotId: snapshot.snapshotId, group: snapshot.group, action, reasons },
      startTime: formatTimeMs(snapshot.startTimeMs),
      description: snapshot.description.Description,
    })),
    deleted,
    failed: failed.map(({ snapshotId, error }) => {
      return { snapshotId, message: describeError(error, client.endpoint).message };
    }),
    ungrouped,
    holdsUnknown,
  };
}

function table(result: PruneResult): string {
  if (result.decisions.length === 0) return "";
  const titles = ["GROUP", "SNAPSHOT", "STARTED", "ACTION", "WHY", "DESCRIPTION"];
  const rows = outcomes(result).map(({ action, reasons, snapshot }) => [
    snapshot.group,
    snapshot.snapshotId,
    formatTimeMs(snapshot.startTimeMs)
      .replace("T", " ")
      .replace(/\.\d+Z$/, "Z"),
    action,
    reasons.join(", "),
    snapshot.description.Description,
  ]);
  return formatTable(
    titles.map((title) => ({ title })),
    rows,
  );
}
