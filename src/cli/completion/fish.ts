import { type CommandShape, everyCommand, type OptionShape } from "../command-shape.ts";

/** A script that has fish complete the program's commands, options and paths. */
export function fishCompletion(program: CommandShape): string {
  const [name = ""] = program.path;
  const lines = everyCommand(program).flatMap((command) => [
    ...command.commands.map((each) => subcommand(each, command)),
    ...command.options.map((option) => optionLine(option, command)),
    ...argumentLines(command),
  ]);
  return `# fish completion for ${name}: put it into ~/.config/fish/completions as '${name}.fish'
complete -c ${name} -f
${lines.join("\n")}`;
}

function subcommand({ path, summary }: CommandShape, above: CommandShape): string {
  const others = above.commands.map((each) => each.path.at(-1)).join(" ");
  const before = conditionOf(above);
  const condition = `${before ? `${before}; and ` : ""}not __fish_seen_subcommand_from ${others}`;
  return `complete -c ${path[0]} -n '${condition}' -a ${path.at(-1)} -d ${quote(summary)}`;
}

function optionLine({ name, description, value, choices }: OptionShape, command: CommandShape) {
  const takes = { file: " -r -F", choice: ` -x -a ${quote(choices.join(" "))}`, text: " -x" };
  const rest = `-l ${name.slice(2)} -d ${quote(description)}${value ? takes[value] : ""}`;
  return `complete -c ${command.path[0]}${conditionPart(command)} ${rest}`;
}

function argumentLines(command: CommandShape): string[] {
  const { argument, argumentChoices, path } = command;
  if (argument === "file") return [`complete -c ${path[0]}${conditionPart(command)} -F`];
  if (argument !== "choice") return [];
  return [`complete -c ${path[0]}${conditionPart(command)} -a ${quote(argumentChoices.join(" "))}`];
}

function conditionPart(command: CommandShape): string {
  const condition = conditionOf(command);
  return condition === "" ? "" : ` -n '${condition}'`;
}

/** True in fish when the command's names have been given. */
function conditionOf({ path }: CommandShape): string {
  return path
    .slice(1)
    .map((each) => `__fish_seen_subcommand_from ${each}`)
    .join("; and ");
}

function quote(text: string): string {
  return `'${text.replace(/[\\']/g, (mark) => `\\${mark}`)}'`;
}
