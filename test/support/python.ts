import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { pythonEnvironment } from "./python-environment.ts";

const run = promisify(execFile);

/** Pinned together: both stand on the same botocore. */
const TOOLS = pythonEnvironment("varve-python", ["boto3==1.43.11", "awscli==1.45.11"]);

/** A Python that has boto3, and the `aws` command. */
export interface PythonTools {
  readonly python: string;
  readonly aws: string;
}

/**
 * Finds Python with boto3 and the `aws` command; installs both below node_modules where they are
 * missing. Answers the reason, to skip a test with, where there is no Python at all; on CI that
 * is an error.
 */
export async function findPythonTools(): Promise<PythonTools | string> {
  if (await works("python3", ["-c", "import boto3"])) {
    if (await works("aws", ["--version"])) return { python: "python3", aws: "aws" };
  }
  if (await works("python3", ["--version"])) return installed();
  const reason = "python3 is not installed";
  if (process.env["CI"] === "true") throw new Error(`${reason}, and CI must run every test`);
  return reason;
}

async function works(command: string, args: readonly string[]): Promise<boolean> {
  return run(command, args).then(
    () => true,
    () => false,
  );
}

async function installed(): Promise<PythonTools> {
  await TOOLS.install();
  return { python: TOOLS.program("python"), aws: TOOLS.program("aws") };
}
