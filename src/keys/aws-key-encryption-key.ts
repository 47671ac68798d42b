import type { KMSClient } from "@aws-sdk/client-kms";
import type { KeyEncryptionKey } from "./key-encryption-key.ts";

/** How long one call of AWS KMS may take, retries not counted. */
const REQUEST_TIMEOUT_MS = 10_000;

/**
 * A key-encryption key in AWS KMS, which it never leaves: secrets are wrapped and unwrapped there,
 * with the credentials that AWS's own tools would find. Needed when keys are made and when they
 * are first used after a start, not for each block.
 */
export class AwsKeyEncryptionKey implements KeyEncryptionKey {
  readonly id: string;
  readonly #requestTimeoutMs: number;
  #client: Promise<KMSClient> | undefined;

  /** `arn` names the key; its region is the one that is called. The time is that of one attempt. */
  constructor(arn: string, requestTimeoutMs = REQUEST_TIMEOUT_MS) {
    this.id = arn;
    this.#requestTimeoutMs = requestTimeoutMs;
  }

  async wrap(secret: Uint8Array, context: string): Promise<string> {
    const { EncryptCommand } = await import("@aws-sdk/client-kms");
    const input = { KeyId: this.id, Plaintext: secret, EncryptionContext: { varve: context } };
    const { CiphertextBlob } = await (await this.#kms()).send(new EncryptCommand(input));
    if (!CiphertextBlob) throw new Error(`AWS KMS wrapped nothing under ${this.id}`);
    return Buffer.from(CiphertextBlob).toString("base64");
  }

  async unwrap(sealed: string, context: string): Promise<Uint8Array> {
    const { DecryptCommand } = await import("@aws-sdk/client-kms");
    const CiphertextBlob = Buffer.from(sealed, "base64");
    const input = { KeyId: this.id, CiphertextBlob, EncryptionContext: { varve: context } };
    const { Plaintext } = await (await this.#kms()).send(new DecryptCommand(input));
    if (!Plaintext) throw new Error(`AWS KMS unwrapped nothing with ${this.id}`);
    return Plaintext;
  }

  /** Brought up at the first call: most stores never make one. */
  #kms(): Promise<KMSClient> {
    this.#client ??= (async () => {
      const { KMSClient } = await import("@aws-sdk/client-kms");
      const region = this.id.split(":")[3] ?? "";
      const requestHandler = {
        connectionTimeout: this.#requestTimeoutMs,
        requestTimeout: this.#requestTimeoutMs,
        // Without this, the SDK only warns that the time is over, and waits on.
        throwOnRequestTimeout: true,
      };
      return new KMSClient({ region, requestHandler });
    })();
    return this.#client;
  }
}
