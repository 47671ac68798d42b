import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { ignoringMissing } from "./_ignoring-missing.ts";
import { writeSecretFile } from "./_secret-file.ts";

/**
 * Keeps a key pair where AWS tools can be pointed at it, in the form of `~/.aws/credentials`.
 * Answers the file's path.
 */
export async function keepCredentials(
  dataDirectory: string,
  key: { readonly accessKeyId: string; readonly secretAccessKey: string },
): Promise<string> {
  const path = join(dataDirectory, "credentials");
  // People add profiles to this file; it is left alone as long as it holds the key. One that was
  // cut off in the middle of the secret names it, too, and would open nothing.
  const existing = await readFile(path, "utf8").catch(ignoringMissing);
  const holds = (text: string) => existing?.includes(text) ?? false;
  if (holds(key.accessKeyId) && holds(key.secretAccessKey)) return path;
  const contents =
    `[default]\naws_access_key_id = ${key.accessKeyId}\n` +
    `aws_secret_access_key = ${key.secretAccessKey}\n`;
  await writeSecretFile(path, contents);
  return path;
}
