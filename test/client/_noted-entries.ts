import { readFile, writeFile } from "node:fs/promises";
import { crc32 } from "node:zlib";
import type { LogEntry } from "../../src/client/transfer/transfer-log.ts";

/** Writes a transfer log as another version might have: each entry as the function makes it. */
export async function rewriteLog(
  path: string,
  change: (entry: LogEntry) => LogEntry | undefined,
): Promise<void> {
  const lines = (await readFile(path, "utf8")).split("\n").filter((line) => line !== "");
  const entries = lines.map((line) => change(JSON.parse(line.slice(line.indexOf(" ")))));
  const texts = entries.filter((entry) => entry !== undefined).map((each) => JSON.stringify(each));
  const sumOf = (json: string) => crc32(json).toString(16).padStart(8, "0");
  await writeFile(path, texts.map((json) => `${sumOf(json)} ${json}\n`).join(""));
}
