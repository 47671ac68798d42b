import { readFile } from "node:fs/promises";
import { type Command, CommanderError } from "commander";
import { addAccountCommand } from "./commands/account.ts";
import { addCollectCommand } from "./commands/collect.ts";
import { addCompletionCommands } from "./commands/completion.ts";
import { addCopyCommand } from "./commands/copy.ts";
import { addDeleteCommand } from "./commands/delete.ts";
import { addDiffCommand } from "./commands/diff.ts";
import { addDownloadCommand } from "./commands/download.ts";
import { addKeyCommand } from "./commands/key.ts";
import { addListCommand } from "./commands/list.ts";
import { addMigrateCommand } from "./commands/migrate.ts";
import { addPruneCommand } from "./commands/prune.ts";
import { addRebuildCommand } from "./commands/rebuild.ts";
import { addScrubCommand } from "./commands/scrub.ts";
import { addServeCommand } from "./commands/serve.ts";
import { addSyncCommand } from "./commands/sync.ts";
import { addTagCommand } from "./commands/tag.ts";
import { addTopCommand } from "./commands/top.ts";
import { addUploadCommand } from "./commands/upload.ts";
import { addVerifyCommand } from "./commands/verify.ts";
import { addWaitCommand } from "./commands/wait.ts";
import { describeError } from "./describe-error.ts";
import { addExamples } from "./examples.ts";
import { EXIT_CODES } from "./exit-codes.ts";
import { leaveWhenNobodyReads } from "./output/standard-streams.ts";
import { outputFor } from "./session.ts";
import { describeOption, TwinnedCommand } from "./settings/environment-twins.ts";
import { endpointFrom, type GlobalOptions } from "./settings/settings.ts";

const HELP_FOOTER = `
Every option has a variable that says the same: --endpoint has VARVE_ENDPOINT, upload --tag has
VARVE_UPLOAD_TAG. Of a switch, 1 gives it. All of them, and exit codes: varve manual | man -l -`;

/**
 * Runs the command line (without `node` and the script's name) and answers the exit code, one of
 * `EXIT_CODES`. Never throws: every failure is told in one sentence on standard error.
 */
export async function main(argv: string[]): Promise<number> {
  leaveWhenNobodyReads();
  let program: Command | undefined;
  try {
    program = await createProgram();
    await program.parseAsync(argv, { from: "user" });
    return EXIT_CODES.ok;
  } catch (error) {
    return report(error, argv, program);
  }
}

/** The whole command line, not yet run. */
export async function createProgram(): Promise<Command> {
  const program = new TwinnedCommand("varve")
    .description("Self-hosted block snapshots that speak the Amazon EBS direct APIs.")
    .version(await readVersion(), "--version", "print the version")
    .option(
      "--endpoint <url>",
      "the service to talk to, or `aws` for AWS itself (default: http://127.0.0.1:7788)",
    )
    .option("--region <name>", "region of the service (default: us-east-1)")
    .option("--profile <name>", "profile in the files of AWS's tools to take keys and more from")
    .option("--ca-file <path>", "certificates in PEM to trust instead of the usual authorities")
    .option("--json", "result as JSON on standard output, progress and errors on standard error")
    .option("--quiet", "nothing but the result and failures")
    .configureHelp({ optionDescription: describeOption })
    .addHelpText("after", HELP_FOOTER)
    .exitOverride()
    .configureOutput({ writeErr: () => undefined, outputError: () => undefined });
  addServeCommand(program);
  addUploadCommand(program);
  addDownloadCommand(program);
  addDiffCommand(program);
  addListCommand(program);
  addDeleteCommand(program);
  addTagCommand(program);
  addWaitCommand(program);
  addPruneCommand(program);
  addCopyCommand(program);
  addSyncCommand(program);
  addRebuildCommand(program);
  addMigrateCommand(program);
  addCollectCommand(program);
  addVerifyCommand(program);
  addScrubCommand(program);
  addTopCommand(program);
  addAccountCommand(program);
  addKeyCommand(program);
  addCompletionCommands(program);
  addExamples(program);
  return program;
}

async function readVersion(): Promise<string> {
  const text = await readFile(new URL("../../package.json", import.meta.url), "utf8");
  return (JSON.parse(text) as { version: string }).version;
}

/** Without a program, where a variable's value kept it from being made. */
function report(error: unknown, argv: readonly string[], program: Command | undefined): number {
  if (error instanceof CommanderError) {
    if (error.exitCode === 0) return EXIT_CODES.ok;
    if (error.code === "commander.help") {
      process.stderr.write(program?.helpInformation() ?? "");
      return EXIT_CODES.usage;
    }
  }
  const options = program?.opts<GlobalOptions>() ?? {};
  const output = outputFor({ ...options, json: options.json ?? argv.includes("--json") });
  const failure = describeError(error, endpointFrom(options, process.env));
  output.failure(failure);
  return failure.exitCode;
}
