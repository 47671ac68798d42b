import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);

/** Pinned together: both stand on the same botocore. */
const PACKAGES = ["boto3==1.43.11", "awscli==1.45.11"];
const CACHE = join(import.meta.dirname, "../../node_modules/.cache/varve-python");
/** Long enough for a slow network; installing takes 10 to 30 s. */
const INSTALL_TIMEOUT_MS = 300_000;

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

/** The tools in a virtual environment; the stamp says that its installation was finished. */
async function installed(): Promise<PythonTools> {
  const stamp = join(CACHE, `${PACKAGES.join("+")}.stamp`);
  const bin = join(CACHE, "bin");
  const tools = { python: join(bin, "python"), aws: join(bin, "aws") };
  if (existsSync(stamp)) return tools;
  await rm(CACHE, { recursive: true, force: true });
  await mkdir(CACHE, { recursive: true });
  await run("python3", ["-m", "venv", CACHE]);
  const pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", ...PACKAGES];
  await run(tools.python, pip, { timeout: INSTALL_TIMEOUT_MS });
  await writeFile(stamp, "");
  return tools;
}
