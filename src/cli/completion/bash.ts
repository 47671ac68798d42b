import { type CommandShape, everyCommand } from "../command-shape.ts";

/** A script that has bash complete the program's commands, options and paths. */
export function bashCompletion(program: CommandShape): string {
  const [name = ""] = program.path;
  const commands = everyCommand(program);
  const isBelow = commands.flatMap((command) =>
    command.commands.map((each) => `      '${keyOf(command)} ${each.path.at(-1)}') ;;`),
  );
  return `# bash completion for ${name}: source it, or put it among your completions as '${name}'
_${name}() {
  local current=\${COMP_WORDS[COMP_CWORD]} previous=\${COMP_WORDS[COMP_CWORD-1]}
  local command= word words=
  COMPREPLY=()
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    case "$command $word" in
${isBelow.join("\n")}
      *) continue ;;
    esac
    command="$command $word"
  done
  case "$command $previous" in
${commands.flatMap((command) => valuesOf(command, program)).join("\n")}
  esac
  case "$command" in
${commands.map((command) => wordsOf(command, program)).join("\n")}
  esac
  COMPREPLY=($(compgen -W "$words" -- "$current"))
}
complete -o bashdefault -F _${name} ${name}`;
}

/** How the script knows a command: its names below the program, a space before each. */
function keyOf({ path }: CommandShape): string {
  return path
    .slice(1)
    .map((each) => ` ${each}`)
    .join("");
}

function valuesOf(command: CommandShape, program: CommandShape): string[] {
  return optionsOf(command, program).flatMap(({ name, value, choices }) => {
    if (value === undefined) return [];
    const made = value === "choice" ? `compgen -W '${choices.join(" ")}'` : "compgen -f";
    const reply = value === "text" ? "" : `COMPREPLY=($(${made} -- "$current")); `;
    return [`    '${keyOf(command)} ${name}') ${reply}return ;;`];
  });
}

function wordsOf(command: CommandShape, program: CommandShape): string {
  const names = command.commands.map(({ path }) => path.at(-1));
  const options = optionsOf(command, program).map(({ name }) => name);
  const words = [...names, ...command.argumentChoices, ...options, "--help"].join(" ");
  const files =
    command.argument === "file"
      ? ` if [[ $current != -* ]]; then COMPREPLY=($(compgen -f -- "$current")); return; fi;`
      : "";
  return `    '${keyOf(command)}')${files} words='${words}' ;;`;
}

/** Those of the whole program go with every command. */
function optionsOf(command: CommandShape, program: CommandShape) {
  return command === program ? program.options : [...command.options, ...program.options];
}
