import { type CommandShape, everyCommand, type OptionShape } from "../command-shape.ts";

/** A script that has zsh complete the program's commands, options and paths. */
export function zshCompletion(program: CommandShape): string {
  const [name = ""] = program.path;
  const functions = everyCommand(program).map((command) => functionOf(command, program));
  return `#compdef ${name}
# zsh completion for ${name}: put it into a folder of your fpath as '_${name}'
${functions.join("\n")}
if [ "$funcstack[1]" = "_${name}" ]; then _${name} "$@"; else compdef _${name} ${name}; fi`;
}

function functionOf(command: CommandShape, program: CommandShape): string {
  const own = command === program ? [] : program.options;
  const options = [...command.options, ...own].map(specOf);
  const rest =
    command.commands.length > 0 ? ["'1: :->command'", "'*:: :->rest'"] : argumentOf(command);
  const specs = [...options, "'--help[help for the command]'", ...rest];
  return `${nameOf(command)}() {
  local line state
  _arguments -C ${specs.join(" \\\n    ")}
${belowOf(command)}}`;
}

function belowOf(command: CommandShape): string {
  if (command.commands.length === 0) return "";
  const described = command.commands.map(({ path, summary }) =>
    quote(`${path.at(-1)}:${summary.replaceAll(":", "\\:")}`),
  );
  const cases = command.commands.map((each) => `        ${each.path.at(-1)}) ${nameOf(each)} ;;`);
  return `  case $state in
    command) local -a commands=(${described.join(" ")}); _describe command commands ;;
    rest)
      case $line[1] in
${cases.join("\n")}
      esac ;;
  esac
`;
}

function nameOf({ path }: CommandShape): string {
  return `_${path.join("_")}`;
}

function argumentOf({ argument, argumentChoices }: CommandShape): string[] {
  if (argument === "file") return ["'*:file:_files'"];
  if (argument === "choice") return [`'*:word:(${argumentChoices.join(" ")})'`];
  return [];
}

function specOf({ name, description, value, choices }: OptionShape): string {
  const words = description.replace(/[[\]:\\]/g, (mark) => `\\${mark}`);
  const action = { file: ":file:_files", choice: `:word:(${choices.join(" ")})`, text: ":value: " };
  return quote(`*${name}[${words}]${value ? action[value] : ""}`);
}

function quote(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
