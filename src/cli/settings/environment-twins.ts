import { Command, Help, type Option } from "commander";
import { UsageError } from "../errors.ts";
import type { Environment } from "./settings.ts";

/** Commands whose options have variables without the command's name: a service has but one. */
const UNNAMED = new Set(["varve", "serve"]);
/** Options that mean the same wherever they stand. */
const SHARED = new Set([
  "--data",
  "--store",
  "--store-endpoint",
  "--store-region",
  "--store-ca-file",
  "--store-encryption",
  "--catalog",
]);
const NOT_GIVEN = new Set(["", "0", "false", "no", "off"]);
const GIVEN = new Set(["1", "true", "yes", "on"]);

/**
 * A command whose every option has a variable of the environment that says the same: `--endpoint`
 * has VARVE_ENDPOINT, `upload --parent` has VARVE_UPLOAD_PARENT. The command line goes first. Of a
 * switch, `1` or `true` gives it, and `0`, `false` or nothing does not. A variable that is empty
 * says nothing.
 */
export class TwinnedCommand extends Command {
  override createCommand(name?: string): TwinnedCommand {
    return new TwinnedCommand(name);
  }

  /** Throws a `UsageError` where a switch's variable says something else. */
  override addOption(option: Option): this {
    const variable = variableOf(namesOf(this), option);
    // Commander would take an option for given whatever its variable says, and if it is nothing.
    const { env } = process;
    const isHeard = (name: string) => (isSwitch(option) ? isGiven(name, env) : env[name] !== "");
    if (variable !== undefined && isHeard(variable)) option.env(variable);
    return super.addOption(option);
  }
}

/** The variable of an option of the command with these names, the program's not among them. */
export function variableOf(names: readonly string[], { long }: Option): string | undefined {
  if (!long || long === "--version" || long === "--help") return undefined;
  const [first = "varve"] = names;
  const own = UNNAMED.has(first) || SHARED.has(long) ? [] : names;
  return ["VARVE", ...own, long.slice(2)].join("_").replaceAll("-", "_").toUpperCase();
}

function isSwitch({ required, optional }: Option): boolean {
  return !required && !optional;
}

/** Of a command and those above it, without the program's own. */
function namesOf(command: Command): string[] {
  return command.parent ? [...namesOf(command.parent), command.name()] : [];
}

/** How the help shows an option: commander would name its variable behind each. */
export function describeOption(option: Option): string {
  const unnamed = Object.create(option, { envVar: { value: undefined } }) as Option;
  return new Help().optionDescription(unnamed);
}

function isGiven(variable: string, env: Environment): boolean {
  const text = (env[variable] ?? "").toLowerCase();
  if (GIVEN.has(text) || NOT_GIVEN.has(text)) return GIVEN.has(text);
  throw new UsageError(`${variable} is '${env[variable]}': give 1 or 0, for it is a switch.`);
}
