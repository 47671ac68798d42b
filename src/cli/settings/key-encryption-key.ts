import { readFile } from "node:fs/promises";
import { fromBase64 } from "../../base/bytes.ts";
import { FileError } from "../../client/index.ts";
import { DOMAIN_SECRET_BYTES } from "../../model/limits.ts";
import type { KeyEncryptionKeySource } from "../../service.ts";
import { UsageError } from "../errors.ts";
import type { Environment } from "./settings.ts";

const FORMS = "file:PATH, env:NAME or aws-kms:ARN";

/**
 * Where a key-encryption key comes from: `file:PATH` and `env:NAME` hold 32 bytes in base64,
 * `aws-kms:ARN` names a key in AWS KMS. The key itself is never on a command line.
 */
export async function readKeyEncryptionKey(
  text: string,
  env: Environment,
): Promise<KeyEncryptionKeySource> {
  const [, form, rest = ""] = /^(file|env|aws-kms):(.+)$/.exec(text) ?? [];
  if (isSecret(text) || isSecret(rest)) throw keyItself();
  if (form === "aws-kms") return { awsKmsKeyArn: parseArn(rest) };
  if (form === "file") return { secret: parseSecret(await readKeyFile(rest), `The file ${rest}`) };
  if (form === "env") return { secret: parseSecret(env[rest] ?? "", `The variable ${rest}`) };
  // What was given is not repeated here and below: it may be the key, or most of one.
  throw new UsageError(`Cannot take a key-encryption key from this: give ${FORMS}.`);
}

function parseArn(text: string): string {
  if (/^arn:aws[a-z-]*:kms:[a-z0-9-]+:[0-9]{12}:key\/[\w-]+$/.test(text)) return text;
  throw new UsageError("This is not the ARN of a key in AWS KMS: give arn:aws:kms:…:key/….");
}

async function readKeyFile(path: string): Promise<string> {
  return readFile(path, "utf8").catch((cause: Error & { code?: string }) => {
    const message = `Cannot read the key-encryption key in ${path}: ${cause.message}.`;
    throw new FileError(message, { path, code: cause.code ?? "EIO", cause });
  });
}

function isSecret(text: string): boolean {
  return fromBase64(text)?.length === DOMAIN_SECRET_BYTES;
}

function keyItself(): UsageError {
  return new UsageError(
    "A key-encryption key is never given itself, for others see the command line: " +
      `give ${FORMS}, and replace the key that was just seen.`,
  );
}

function parseSecret(text: string, where: string): Uint8Array {
  const secret = fromBase64(text.trim());
  if (secret?.length === DOMAIN_SECRET_BYTES) return secret;
  throw new UsageError(
    `${where} does not hold a key-encryption key: ${DOMAIN_SECRET_BYTES} bytes in base64, ` +
      `as made by 'openssl rand -base64 ${DOMAIN_SECRET_BYTES}'.`,
  );
}
