import { join } from "node:path";
import { runProgram, type Took } from "./process.ts";
import { KEY_PAIR, REGION } from "./target.ts";

const VARVE = join(import.meta.dirname, "..", "..", "bin", "varve.mjs");

/** The command line at one service; what it notes about transfers is kept in `folder`. */
export function varveCommand(
  endpoint: string,
  folder: string,
): (...args: readonly string[]) => Promise<Took> {
  const env = {
    PATH: process.env["PATH"],
    AWS_ENDPOINT_URL: endpoint,
    AWS_ACCESS_KEY_ID: KEY_PAIR.accessKeyId,
    AWS_SECRET_ACCESS_KEY: KEY_PAIR.secretAccessKey,
    AWS_REGION: REGION,
    XDG_STATE_HOME: join(folder, "state"),
  };
  return (...args) => runProgram([process.execPath, VARVE, ...args], { env });
}
