import { type Command, Option } from "commander";
import type { Client } from "../client/index.ts";
import { UsageError } from "./errors.ts";
import { openClient, type Session } from "./session.ts";
import type { GlobalOptions } from "./settings/settings.ts";

/** The other service of a command that works with two, as the command line names it. */
export interface SecondServiceOptions {
  readonly to?: string;
  readonly toRegion?: string;
  readonly toProfile?: string;
  readonly from?: string;
  readonly fromRegion?: string;
  readonly fromProfile?: string;
}

/** Where to read and where to write. */
export interface TwoClients {
  readonly source: Client;
  readonly destination: Client;
}

/** Adds the options that name the other service. */
export function addSecondServiceOptions(command: Command): Command {
  return command
    .addOption(new Option("--to <url>", "the destination (default: as --endpoint)"))
    .addOption(new Option("--to-region <name>", "its region"))
    .addOption(new Option("--to-profile <name>", "profile with the keys for it"))
    .addOption(new Option("--from <url>", "the source (default: as --endpoint)"))
    .addOption(new Option("--from-region <name>", "its region"))
    .addOption(new Option("--from-profile <name>", "profile with the keys for it"));
}

/**
 * Runs work with a source and a destination. What the command line does not say of one of them is
 * as `--endpoint`, `--region` and `--profile` say; at least one has to differ from that.
 */
export async function withTwoClients(
  { client, output }: Session,
  options: SecondServiceOptions & GlobalOptions,
  work: (clients: TwoClients) => Promise<void>,
): Promise<void> {
  const { to, toRegion, toProfile, from, fromRegion, fromProfile } = options;
  const opened: Client[] = [];
  const open = async (own: GlobalOptions) => {
    const isOther = Object.values(own).some((value) => value !== undefined);
    if (!isOther) return client;
    const second = await openClient({ ...options, ...own }, output);
    opened.push(second);
    return second;
  };
  try {
    const source = await open(given(from, fromRegion, fromProfile));
    const destination = await open(given(to, toRegion, toProfile));
    if (opened.length === 0) {
      throw new UsageError(
        "Source and destination are the same. Name the other one with --to or --from URL, " +
          "or its region or profile.",
      );
    }
    await work({ source, destination });
  } finally {
    for (const second of opened) second.close();
  }
}

function given(
  endpoint: string | undefined,
  region: string | undefined,
  profile: string | undefined,
): GlobalOptions {
  return {
    ...(endpoint === undefined ? {} : { endpoint }),
    ...(region === undefined ? {} : { region }),
    ...(profile === undefined ? {} : { profile }),
  };
}
