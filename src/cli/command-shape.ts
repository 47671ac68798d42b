import type { Argument, Command, Option } from "commander";
import { examplesFor } from "./examples.ts";
import { variableOf } from "./settings/environment-twins.ts";

/** What a value is, as far as a shell can help with it. */
export type ValueKind = "file" | "choice" | "text";

/** One option as shells and the manual show it. */
export interface OptionShape {
  /** With its dashes, the long form. */
  readonly name: string;
  /** As in the help: `--tag <key=value>`. */
  readonly flags: string;
  readonly description: string;
  /** Undefined for a switch. */
  readonly value: ValueKind | undefined;
  readonly choices: readonly string[];
  /** The variable that says the same; none for what only asks for words. */
  readonly variable: string | undefined;
}

/** One command, with those below it. */
export interface CommandShape {
  /** Names from the program's own on, as `["varve", "key", "create"]`. */
  readonly path: readonly string[];
  readonly summary: string;
  readonly description: string;
  /** As in the help, without the names: `[options] <image>`. */
  readonly usage: string;
  readonly options: readonly OptionShape[];
  readonly argument: ValueKind | undefined;
  readonly argumentChoices: readonly string[];
  readonly commands: readonly CommandShape[];
  /** Lines to paste; empty where there are none. */
  readonly examples: string;
}

/** Placeholders of values that are paths. */
const PATH_WORDS = /<(?:[a-z-]*(?:file|folder|path|image))>|\[(?:file|path|image)\]/;

/** Reads the shape of a program, from which help, completion and the manual are made alike. */
export function shapeOf(command: Command, above: readonly string[] = []): CommandShape {
  const path = [...above, command.name()];
  const commands = command.commands.filter((each) => each.name() !== "help");
  const [argument] = command.registeredArguments;
  return {
    path,
    summary: command.summary() || command.description(),
    description: command.description(),
    usage: command.usage(),
    options: command.options.filter(({ hidden }) => !hidden).map((each) => optionOf(each, path)),
    argument: argument && kindOfArgument(argument),
    argumentChoices: argument?.argChoices ?? [],
    commands: commands.map((each) => shapeOf(each, path)),
    examples: examplesFor(path.slice(1)),
  };
}

function optionOf(option: Option, [, ...names]: readonly string[]): OptionShape {
  const { description, argChoices: choices = [], long = "" } = option;
  return {
    name: long,
    flags: option.flags,
    description,
    value: kindOf(option),
    choices,
    variable: variableOf(names, option),
  };
}

function kindOf({ flags, required, optional, argChoices }: Option): ValueKind | undefined {
  if (!required && !optional) return undefined;
  if (argChoices) return "choice";
  return PATH_WORDS.test(flags) ? "file" : "text";
}

function kindOfArgument(argument: Argument): ValueKind {
  if (argument.argChoices) return "choice";
  return PATH_WORDS.test(`<${argument.name()}>`) ? "file" : "text";
}

/** The command itself and all below it. */
export function everyCommand(shape: CommandShape): CommandShape[] {
  return [shape, ...shape.commands.flatMap(everyCommand)];
}
