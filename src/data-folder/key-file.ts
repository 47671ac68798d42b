import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { fromBase64, toBase64 } from "../base/bytes.ts";
import type { Random } from "../base/random.ts";
import { DOMAIN_SECRET_BYTES } from "../model/limits.ts";
import { ignoringMissing } from "./_ignoring-missing.ts";
import { writeSecretFile } from "./_secret-file.ts";

/**
 * The key-encryption key of a store that was given none: made once, and kept in the data folder
 * beside what it protects. Rejects for a file that holds anything but such a key, and where it is
 * lost: a new one would open nothing, and be copied by the next backup in the place of the right
 * one. Not where it `takesOver` from another that was given until now.
 */
export async function ownKeyEncryptionKey(
  dataDirectory: string,
  random: Random,
  takesOver = false,
): Promise<Uint8Array> {
  const path = join(dataDirectory, "key-encryption-key");
  const text = await readFile(path, "utf8").catch(ignoringMissing);
  if (text === undefined) {
    const isLost = !takesOver && (await hasSegments(dataDirectory));
    if (isLost) throw new Error(`There is no ${path}. ${PUT_BACK}`);
    const secret = random.bytes(DOMAIN_SECRET_BYTES);
    await writeSecretFile(path, `${toBase64(secret)}\n`);
    return secret;
  }
  const secret = fromBase64(text.trim());
  if (secret?.length === DOMAIN_SECRET_BYTES) return secret;
  const lack = `does not hold ${DOMAIN_SECRET_BYTES} bytes in base64: it was cut off or changed`;
  throw new Error(`${path} ${lack}. ${PUT_BACK}`);
}

const PUT_BACK =
  "The store needs the key-encryption key that it was made with: put back the copy that was kept " +
  "of it, or name that with --key-encryption-key.";

/** The first segment holds what is encrypted under keys that this one wraps. */
async function hasSegments(dataDirectory: string): Promise<boolean> {
  const names = await readdir(join(dataDirectory, "segments")).catch(ignoringMissing);
  return names?.some((name) => name.endsWith(".segment")) ?? false;
}
