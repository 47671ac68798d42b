import type { GetObjectCommandOutput, S3Client } from "@aws-sdk/client-s3";
import type { Clock } from "../base/clock.ts";
import { Limiter } from "../base/concurrency.ts";
import type { Random } from "../base/random.ts";
import { UnavailableError } from "../base/unavailable.ts";

/*
 * Objects below one prefix of one bucket, of any engine that speaks S3. What it answers is one of
 * three: done, known not to be there, or not known; the last is an `UnavailableError` and nothing
 * else. Everything waits with a limit, the line in front of a busy engine counted.
 */

/** Milliseconds to connect: an engine is near, or it is too far to store blocks in (ours). */
const CONNECT_MS_MAX = 2_000;
/** Milliseconds without a byte in either direction; an engine under load syncs in less (ours). */
const SILENCE_MS_MAX = 8_000;
/** Milliseconds for a read, a listing's page or a deletion, all attempts together (ours). */
const ASK_MS_MAX = 10_000;
/** Milliseconds for one write: 16 MiB at 1 MiB a second, and as much again (ours). */
const PUT_MS_MAX = 30_000;
/** Attempts at what may be repeated without harm, the first among them (ours). */
const ATTEMPTS_MAX = 4;
/** Longest pause before the second attempt, in milliseconds; it doubles with each (ours). */
const PAUSE_MS = 100;
/** Requests under way at once to one engine: a bound on sockets and memory (ours). */
const REQUESTS_AT_ONCE = 64;

/** Where objects lie, and how the engine is reached. */
export interface BucketAddress {
  readonly bucket: string;
  /** "" or what ends in a slash; in front of every name. */
  readonly prefix: string;
  /** For example `https://s3.eu-central-1.amazonaws.com`. */
  readonly endpoint: string;
  readonly region: string;
  /** Undefined where AWS's own tools would find them. */
  readonly credentials?:
    | { readonly accessKeyId: string; readonly secretAccessKey: string }
    | undefined;
  /** PEM of the authorities that vouch for the engine, instead of the well-known ones. */
  readonly authorities?: string | Uint8Array | undefined;
  /** Server-side encryption to ask for, in S3's words: `AES256` or `aws:kms`. */
  readonly encryption?: "AES256" | "aws:kms" | undefined;
  /** The key that `aws:kms` encrypts under; undefined for the bucket's own. */
  readonly encryptionKeyId?: string | undefined;
}

/** What a bucket is opened with. */
export interface BucketParts {
  readonly clock: Clock;
  readonly random: Random;
}

/** An object as it is listed. */
export interface ObjectInfo {
  /** Below the prefix. */
  readonly name: string;
  readonly sizeBytes: number;
}

/** How a write that must not replace anything went. */
export type PutOutcome = "written" | "exists";

/** A part of an object to read. */
export interface ObjectRange {
  readonly offset: number;
  readonly length: number;
}

/** The objects of one store. */
export class Bucket {
  readonly #address: BucketAddress;
  readonly #parts: BucketParts;
  readonly #client: S3Client;
  readonly #sdk: typeof import("@aws-sdk/client-s3");
  readonly #limiter = new Limiter(REQUESTS_AT_ONCE);
  /** False once the engine has said that it knows no conditional writes. */
  #asksForAbsence = true;

  private constructor(
    address: BucketAddress,
    parts: BucketParts,
    sdk: typeof import("@aws-sdk/client-s3"),
  ) {
    this.#address = address;
    this.#parts = parts;
    this.#sdk = sdk;
    const { endpoint, region, credentials, authorities: ca } = address;
    const agent = { keepAlive: true, maxSockets: REQUESTS_AT_ONCE };
    this.#client = new sdk.S3Client({
      region,
      endpoint,
      forcePathStyle: true,
      ...(credentials && { credentials }),
      // Every engine knows the signed hash of the body; not all know the newer checksums.
      requestChecksumCalculation: "WHEN_REQUIRED",
      responseChecksumValidation: "WHEN_REQUIRED",
      // Repeated here, where it is known what may be.
      maxAttempts: 1,
      requestHandler: {
        connectionTimeout: CONNECT_MS_MAX,
        socketTimeout: SILENCE_MS_MAX,
        httpAgent: agent,
        httpsAgent: { ...agent, ...(ca && { ca: typeof ca === "string" ? ca : Buffer.from(ca) }) },
      },
    });
  }

  /** Makes a client; asks the engine nothing yet. */
  static async open(address: BucketAddress, parts: BucketParts): Promise<Bucket> {
    // Brought up only here: an embedded store never needs it.
    return new Bucket(address, parts, await import("@aws-sdk/client-s3"));
  }

  /** For people, without anything secret: `s3://bucket/prefix`. */
  get place(): string {
    return `s3://${this.#address.bucket}/${this.#address.prefix}`;
  }

  /**
   * Writes an object that must not be there yet, once. Where the engine has conditional writes it
   * answers `exists` instead of replacing one; where it has none, the name has to be new by other
   * means. When it rejects, the object may be there, or may come to be there later.
   */
  async put(name: string, bytes: Uint8Array): Promise<PutOutcome> {
    const condition = this.#asksForAbsence ? { IfNoneMatch: "*" } : {};
    try {
      await this.#within(PUT_MS_MAX, async (abortSignal) => {
        const command = new this.#sdk.PutObjectCommand({
          ...this.#keyOf(name),
          ...this.#encryption(),
          ...condition,
          Body: bytes,
          ContentLength: bytes.length,
          ContentType: "application/octet-stream",
        });
        const { $metadata, ETag } = await this.#client.send(command, { abortSignal });
        if ($metadata.httpStatusCode !== 200 || !ETag) {
          throw new Error(`answered ${$metadata.httpStatusCode} without an entity tag`);
        }
      });
      return "written";
    } catch (error) {
      if (this.#asksForAbsence && isUnknownCondition(error)) {
        this.#asksForAbsence = false;
        return this.put(name, bytes);
      }
      if (statusOf(error) === 412) return "exists";
      throw this.#unavailable(`write ${name}`, error);
    }
  }

  /**
   * Reads a part of an object into `bytes`, which has its length. False when the object, or that
   * part of it, is known not to be there.
   */
  async read(name: string, { offset, length }: ObjectRange, bytes: Uint8Array): Promise<boolean> {
    const Range = `bytes=${offset}-${offset + length - 1}`;
    return this.#ask(`read ${name}`, async (abortSignal) => {
      try {
        const command = new this.#sdk.GetObjectCommand({ ...this.#keyOf(name), Range });
        const output = await this.#client.send(command, { abortSignal });
        return await fill(bytes, { offset, output, signal: abortSignal });
      } catch (error) {
        if (isMissing(error)) return false;
        throw error;
      }
    });
  }

  /** A whole small object; undefined when it is known not to be there. */
  async get(name: string): Promise<Uint8Array | undefined> {
    return this.#ask(`read ${name}`, async (abortSignal) => {
      try {
        const command = new this.#sdk.GetObjectCommand(this.#keyOf(name));
        const { Body } = await this.#client.send(command, { abortSignal });
        return await Body?.transformToByteArray();
      } catch (error) {
        if (isMissing(error)) return undefined;
        throw error;
      }
    });
  }

  /**
   * Objects whose names begin so, in order of their names, page by page; an engine that can leaves
   * out those up to a name.
   */
  async *list(
    beginning: string,
    { pageSize = 1_000, after }: { readonly pageSize?: number; readonly after?: string } = {},
  ): AsyncGenerator<ObjectInfo[]> {
    const { bucket: Bucket, prefix } = this.#address;
    const from = after === undefined ? {} : { StartAfter: prefix + after };
    for (let token: string | undefined; ; ) {
      const page = await this.#ask(`list ${beginning}`, (abortSignal) => {
        const input = { Bucket, Prefix: prefix + beginning, MaxKeys: pageSize, ...from };
        const more = token === undefined ? {} : { ContinuationToken: token };
        const command = new this.#sdk.ListObjectsV2Command({ ...input, ...more });
        return this.#client.send(command, { abortSignal });
      });
      yield (page.Contents ?? []).map(({ Key = "", Size = 0 }) => ({
        name: Key.slice(prefix.length),
        sizeBytes: Size,
      }));
      const next = page.IsTruncated ? page.NextContinuationToken : undefined;
      // A listing that does not go on and is not at its end says nothing of the rest.
      if (page.IsTruncated && (next === undefined || next === token)) {
        throw new UnavailableError(`${this.place} was listed in part only`);
      }
      if (next === undefined) return;
      token = next;
    }
  }

  /** Removes an object; one that is not there is as good. */
  async remove(name: string): Promise<void> {
    await this.#ask(`remove ${name}`, async (abortSignal) => {
      const command = new this.#sdk.DeleteObjectCommand(this.#keyOf(name));
      await this.#client.send(command, { abortSignal }).catch((error: unknown) => {
        if (!isMissing(error)) throw error;
      });
    });
  }

  /** Closes all connections. */
  close(): void {
    this.#client.destroy();
  }

  #keyOf(name: string) {
    return { Bucket: this.#address.bucket, Key: this.#address.prefix + name };
  }

  #encryption() {
    const { encryption, encryptionKeyId } = this.#address;
    if (encryption === undefined) return {};
    const key = encryptionKeyId === undefined ? {} : { SSEKMSKeyId: encryptionKeyId };
    return { ServerSideEncryption: encryption, ...key };
  }

  /** Asks what may be asked again: failures that may pass are, after a pause. */
  async #ask<T>(what: string, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    try {
      return await this.#within(ASK_MS_MAX, async (signal) => {
        for (let attempt = 1; ; attempt++) {
          try {
            return await work(signal);
          } catch (error) {
            if (attempt === ATTEMPTS_MAX || signal.aborted || !mayPass(error)) throw error;
            await pauseBefore(attempt, this.#parts, signal);
          }
        }
      });
    } catch (error) {
      throw this.#unavailable(what, error);
    }
  }

  /** Has a turn at the engine, waiting for it included, end in time. */
  async #within<T>(durationMs: number, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const [ended, late] = [new AbortController(), new AbortController()];
    const tooLate = () => late.abort(new Error(`no answer in ${durationMs / 1000} s`));
    this.#parts.clock.sleep(durationMs, ended.signal).then(tooLate, () => undefined);
    try {
      return await this.#limiter.run(() => work(late.signal), late.signal);
    } catch (error) {
      throw late.signal.aborted ? late.signal.reason : error;
    } finally {
      ended.abort();
    }
  }

  /** The SDK's error holds the whole request; what is told of it are name, message and status. */
  #unavailable(what: string, error: unknown): UnavailableError {
    const { name, message } = error as Error;
    const status = statusOf(error);
    const answer = status === undefined ? "" : ` (HTTP ${status})`;
    return new UnavailableError(`${this.place}: cannot ${what}: ${name}: ${message}${answer}`);
  }
}

/** Waits before the next attempt, for a time by chance, so that processes do not come together. */
export function pauseBefore(
  attempt: number,
  { clock, random }: BucketParts,
  signal?: AbortSignal,
): Promise<void> {
  return clock.sleep(random.fraction() * PAUSE_MS * 2 ** attempt, signal);
}

/** Answers false when what was answered ends before what was asked for. */
async function fill(
  bytes: Uint8Array,
  answer: {
    readonly offset: number;
    readonly output: GetObjectCommandOutput;
    readonly signal: AbortSignal;
  },
): Promise<boolean> {
  const { Body, ContentRange = "" } = answer.output;
  const [, start, end] = /^bytes (\d+)-(\d+)\//.exec(ContentRange) ?? [];
  const body = Body as NodeJS.ReadableStream & { destroy(error?: Error): void };
  const expected = Number(end) - Number(start) + 1;
  // An engine that does not know ranges would send gigabytes for one block.
  if (Number(start) !== answer.offset || !(expected <= bytes.length)) {
    body.destroy();
    throw new Error(`another range was answered: ${ContentRange || "none"}`);
  }
  const stop = () => body.destroy(answer.signal.reason as Error);
  answer.signal.addEventListener("abort", stop, { once: true });
  try {
    let filled = 0;
    for await (const piece of body as AsyncIterable<Uint8Array>) {
      if (filled + piece.length > expected) throw new Error("more bytes came than were promised");
      bytes.set(piece, filled);
      filled += piece.length;
    }
    if (filled < expected) throw new Error(`${filled} of ${expected} bytes came`);
    return expected === bytes.length;
  } finally {
    answer.signal.removeEventListener("abort", stop);
  }
}

function statusOf(error: unknown): number | undefined {
  return (error as { $metadata?: { httpStatusCode?: number } }).$metadata?.httpStatusCode;
}

/**
 * Said of this object or range, in so many words. A missing bucket answers 404 as well, and so may
 * something in between that is not the engine: neither says anything of the object.
 */
function isMissing(error: unknown): boolean {
  const { name } = error as Error;
  return name === "NoSuchKey" || name === "InvalidRange";
}

/** The engine does not know the condition, as opposed to finding it unmet. */
function isUnknownCondition(error: unknown): boolean {
  return statusOf(error) === 501 || (error as Error).name === "NotImplemented";
}

/** Whether asking again may help: not where the engine has understood and refused. */
function mayPass(error: unknown): boolean {
  const status = statusOf(error);
  return (
    status === undefined ||
    status >= 500 ||
    status === 408 ||
    status === 429 ||
    status === 200 ||
    status === 206
  );
}
