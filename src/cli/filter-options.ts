import { type Command, Option } from "commander";
import type { SnapshotFilter, TagPattern } from "../client/index.ts";
import { tagPatternArgument, timeArgument, timeSpanArgument } from "./arguments.ts";
import { UsageError } from "./errors.ts";

/** Options that say which snapshots are meant. */
export interface FilterOptions {
  readonly state?: string;
  readonly tag?: TagPattern[];
  readonly volume?: string;
  readonly description?: string;
  readonly since?: number;
  readonly until?: number;
  readonly olderThan?: number;
  readonly newerThan?: number;
}

/** Adds the options by which tag and of which volume snapshots have to be. */
export function addSelectionOptions(command: Command): Command {
  return command
    .option(
      "--tag <key=value>",
      "only those with this tag; a key alone is met by every value; can be repeated",
      tagPatternArgument,
    )
    .option("--volume <id>", "only those of this volume, and copies of them");
}

/** Adds all of them. */
export function addFilterOptions(command: Command): Command {
  return addSelectionOptions(command)
    .addOption(
      new Option("--state <state>", "only those in this state").choices([
        "pending",
        "completed",
        "error",
      ]),
    )
    .option("--description <text>", "only those with this text in the description")
    .option("--since <time>", "only those started at this time or after", timeArgument)
    .option("--until <time>", "only those started before", timeArgument)
    .option("--older-than <time>", "only those older than 36h, 7d, 2w …", timeSpanArgument)
    .option("--newer-than <time>", "only those newer than that", timeSpanArgument);
}

/** The filter that the options describe. */
export function filterFrom(options: FilterOptions, nowMs: number): SnapshotFilter {
  const { state, tag, volume, description, olderThan, newerThan } = options;
  if (options.since !== undefined && newerThan !== undefined) throw both("--since", "--newer-than");
  if (options.until !== undefined && olderThan !== undefined) throw both("--until", "--older-than");
  const before = (ms: number | undefined) => (ms === undefined ? undefined : nowMs - ms);
  return {
    state,
    tags: tag,
    volumeId: volume,
    text: description,
    sinceMs: options.since ?? before(newerThan),
    untilMs: options.until ?? before(olderThan),
  };
}

function both(one: string, other: string): UsageError {
  return new UsageError(`${one} and ${other} say the same in two ways; give one of them.`);
}
