import { execFile } from "node:child_process";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { jsSdkDriver } from "../support/js-sdk.ts";
import { findPythonTools } from "../support/python.ts";
import { awsEnvironment, startService } from "../support/service.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { type Driver, type Members, runCycle } from "./cycle.ts";

const tools = await findPythonTools();
const skip = typeof tools === "string" ? tools : false;

test("The AWS CLI goes through the full cycle", { skip }, async (t) => {
  if (typeof tools === "string") return;
  const service = await startService(t);
  const directory = await temporaryDirectory(t);
  const sdk = jsSdkDriver(service);
  t.after(() => sdk.destroy());
  const env = { ...process.env, ...awsEnvironment(service) };
  const run = (args: readonly string[]) => runAws(tools.aws, args, env);
  // 251 invocations would take minutes: the SDK puts what the CLI then lists.
  await runCycle(t, { ...cliDriver(run, directory), putMany: sdk.putMany });
});

type Run = (args: readonly string[]) => Promise<string>;

/** The `aws` command, one process for each call. */
function cliDriver(run: Run, directory: string): Omit<Driver, "putMany"> {
  const command = async (words: readonly string[], input: Members, more: readonly string[] = []) =>
    parse(await run([...words, "--cli-input-json", JSON.stringify(input), ...more]));
  return {
    call: (service, operation, input) =>
      command([service, kebabCase(operation)], input, ["--no-paginate"]),
    async putBlock(input, bytes) {
      const path = join(directory, "put");
      await writeFile(path, bytes);
      return command(["ebs", "put-snapshot-block"], input, ["--block-data", path]);
    },
    async getBlock(input) {
      const path = join(directory, "got");
      const flags = Object.entries(input).flatMap(([name, value]) => {
        return [`--${kebabCase(name)}`, String(value)];
      });
      const output = parse(await run(["ebs", "get-snapshot-block", ...flags, path]));
      return { output, bytes: await readFile(path) };
    },
    async waitUntilCompleted(snapshotId) {
      await run(["ec2", "wait", "snapshot-completed", "--snapshot-ids", snapshotId]);
    },
  };
}

function kebabCase(operation: string): string {
  return operation.replace(/(?<!^)([A-Z])/g, "-$1").toLowerCase();
}

/** Commands without an answer print nothing. */
function parse(text: string): Members {
  return text.trim() === "" ? {} : (JSON.parse(text) as Members);
}

function runAws(aws: string, args: readonly string[], env: NodeJS.ProcessEnv): Promise<string> {
  return new Promise((resolve, reject) => {
    execFile(aws, [...args, "--output", "json"], { env }, (error, stdout, stderr) => {
      if (!error) return resolve(stdout);
      const code = /An error occurred \(([^)]+)\)/.exec(stderr)?.[1] ?? error.name;
      reject(Object.assign(new Error(stderr), { name: code }));
    });
  });
}
