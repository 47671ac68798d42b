import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { fromBase64, toBase64 } from "../base/bytes.ts";
import type { Random } from "../base/random.ts";
import { DOMAIN_SECRET_BYTES } from "../model/limits.ts";
import { ignoringMissing } from "./_ignoring-missing.ts";
import { writeSecretFile } from "./_secret-file.ts";

/**
 * The key-encryption key of a store that was given none: made once, and kept in the data folder
 * beside what it protects. Rejects for a file that holds anything but such a key.
 */
export async function ownKeyEncryptionKey(
  dataDirectory: string,
  random: Random,
): Promise<Uint8Array> {
  const path = join(dataDirectory, "key-encryption-key");
  const text = await readFile(path, "utf8").catch(ignoringMissing);
  if (text === undefined) {
    const secret = random.bytes(DOMAIN_SECRET_BYTES);
    await writeSecretFile(path, `${toBase64(secret)}\n`);
    return secret;
  }
  const secret = fromBase64(text.trim());
  if (secret?.length === DOMAIN_SECRET_BYTES) return secret;
  throw new Error(`${path} does not hold ${DOMAIN_SECRET_BYTES} bytes in base64`);
}
