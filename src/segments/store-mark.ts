import type { Bucket } from "./bucket.ts";

/*
 * A small object that says whose segments lie below a prefix, so that a process with another
 * store's catalog, or with an empty one, neither takes them for garbage nor writes among them.
 */

const NAME = "store.json";
const VERSION = 1;

/** What the bucket says of the store it holds: undefined where it holds none, not even in part. */
export async function readStoreMark(bucket: Bucket): Promise<string | undefined> {
  const bytes = await bucket.get(NAME);
  if (bytes !== undefined) return parse(bytes, bucket.place);
  for await (const [first] of bucket.list("", { pageSize: 1 })) {
    if (first === undefined) break;
    throw new Error(
      `${bucket.place} holds ${first.name}, but no ${NAME} that says which store it belongs to. ` +
        "Give a prefix of its own to each store; one that has lost its mark is not touched.",
    );
  }
  return undefined;
}

/** Marks an empty prefix as that store's. Answers whose it is then: another may have been first. */
export async function markStore(bucket: Bucket, store: string): Promise<string> {
  const text = `${JSON.stringify({ version: VERSION, store })}\n`;
  await bucket.put(NAME, Buffer.from(text));
  const bytes = await bucket.get(NAME);
  if (bytes === undefined) throw new Error(`${bucket.place} does not keep what is written there`);
  return parse(bytes, bucket.place);
}

function parse(bytes: Uint8Array, place: string): string {
  const text = Buffer.from(bytes).toString();
  const { version, store } = asObject(text);
  if (version === VERSION && typeof store === "string") return store;
  throw new Error(`${place}${NAME} does not say whose store it is; this Varve reads version 1`);
}

function asObject(text: string): { readonly version?: unknown; readonly store?: unknown } {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? value : {};
  } catch {
    return {};
  }
}
