import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { ignoringMissing } from "./_ignoring-missing.ts";
import { writeSecretFile } from "./_secret-file.ts";

/**
 * Keeps a key pair where AWS tools can be pointed at it, in the form of `~/.aws/credentials`.
 * Answers the file's path; undefined where people keep there what does not hold the pair.
 */
export async function keepCredentials(
  dataDirectory: string,
  key: { readonly accessKeyId: string; readonly secretAccessKey: string },
): Promise<string | undefined> {
  const path = join(dataDirectory, "credentials");
  const contents =
    `[default]\naws_access_key_id = ${key.accessKeyId}\n` +
    `aws_secret_access_key = ${key.secretAccessKey}\n`;
  // People add profiles to this file and move secrets elsewhere: only one that we have begun to
  // write, and that was cut off, is written anew.
  const existing = (await readFile(path, "utf8").catch(ignoringMissing)) ?? "";
  const holds = (text: string) => existing.includes(text);
  if (holds(key.accessKeyId) && holds(key.secretAccessKey)) return path;
  if (!contents.startsWith(existing)) return undefined;
  await writeSecretFile(path, contents);
  return path;
}
