import { type CommandShape, everyCommand, type OptionShape } from "./command-shape.ts";
import { EXIT_CODE_MEANINGS } from "./exit-codes.ts";

/** The manual page in roff, for `man`, made from the same words as the help. */
export function manualOf(program: CommandShape, version: string): string {
  const [name = ""] = program.path;
  const commands = everyCommand(program).filter((each) => each !== program);
  return [
    `.TH ${name.toUpperCase()} 1 "" "${name} ${version}" "User Commands"`,
    ".SH NAME",
    `${name} \\- ${roff(program.description)}`,
    ".SH SYNOPSIS",
    `.B ${name}`,
    "[\\fIoptions\\fR] \\fIcommand\\fR [\\fIarguments\\fR]",
    ".SH OPTIONS",
    "These go with every command. Each option has a variable of the environment that says the",
    "same; the command line goes first.",
    ...program.options.flatMap(optionEntry),
    ".SH COMMANDS",
    ...commands.filter((each) => each.commands.length === 0).flatMap(commandEntry),
    ".SH EXIT STATUS",
    ...EXIT_CODE_MEANINGS.flatMap(([code, meaning]) => [".TP", `.B ${code}`, roff(meaning)]),
    ".SH ENVIRONMENT",
    "Beside the variables of the options: AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY,",
    "AWS_SESSION_TOKEN, AWS_PROFILE, AWS_REGION and AWS_ENDPOINT_URL mean what they mean to AWS's",
    "own tools. With NO_COLOR set, nothing is colored.",
    "",
  ].join("\n");
}

function commandEntry(command: CommandShape): string[] {
  const { path, description, usage, options, examples } = command;
  return [
    `.SS ${roff(path.join(" "))} ${roff(usage)}`,
    roff(description),
    ...options.flatMap(optionEntry),
    ...(examples ? [".PP", "Examples:", ".PP", ".nf", roff(examples), ".fi"] : []),
  ];
}

function optionEntry({ flags, description, choices, variable }: OptionShape): string[] {
  const oneOf = choices.length > 0 ? ` (${choices.join(", ")})` : "";
  const twin = variable ? ` [${variable}]` : "";
  return [".TP", `.B ${roff(flags)}`, roff(`${description}${oneOf}${twin}`)];
}

/** In roff backslash, dash, a dot that begins a line, and all beyond ASCII are said otherwise. */
function roff(text: string): string {
  return text
    .replaceAll("\\", "\\e")
    .replaceAll("-", "\\-")
    .replace(/^([.'])/gm, "\\&$1")
    .replace(/[^ -~\s]/g, (mark) => `\\[u${codeOf(mark)}]`);
}

function codeOf(mark: string): string {
  return (mark.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, "0");
}
