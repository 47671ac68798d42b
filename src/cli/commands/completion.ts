import { Argument, type Command } from "commander";
import { type CommandShape, shapeOf } from "../command-shape.ts";
import { bashCompletion } from "../completion/bash.ts";
import { fishCompletion } from "../completion/fish.ts";
import { zshCompletion } from "../completion/zsh.ts";
import { manualOf } from "../manual.ts";

const SHELLS: Readonly<Record<string, (program: CommandShape) => string>> = {
  bash: bashCompletion,
  zsh: zshCompletion,
  fish: fishCompletion,
};

/** Adds `varve completion` and `varve manual`. */
export function addCompletionCommands(program: Command): void {
  program
    .command("completion")
    .summary("print a script that completes commands and options in your shell")
    .description("Print a script that has your shell complete commands, options and paths.")
    .addArgument(new Argument("<shell>", "for which").choices(Object.keys(SHELLS)))
    .action((shell: string) => print(SHELLS[shell]?.(shapeOf(program)) ?? ""));
  program
    .command("manual")
    .summary("print the manual page")
    .description("Print the manual page in roff, made from the same words as the help.")
    .action(() => print(manualOf(shapeOf(program), program.version() ?? "")));
}

/** To standard output as it is: this is text for other programs, not a result to look at. */
function print(text: string): void {
  process.stdout.write(text.endsWith("\n") ? text : `${text}\n`);
}
