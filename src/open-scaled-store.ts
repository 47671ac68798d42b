import { hostname } from "node:os";
import type { Membership } from "./catalog/membership.ts";
import { openPostgresCatalog, type PostgresCatalog } from "./catalog/postgres/postgres-catalog.ts";
import type { AccountId } from "./model/ids.ts";
import type { Store, StoreParts } from "./open-store.ts";
import { Bucket } from "./segments/bucket.ts";
import { findSegmentFrom, S3Segments } from "./segments/s3-segments.ts";
import { markStore, readStoreMark } from "./segments/store-mark.ts";
import type { ScaledStore } from "./service-config.ts";

/** A store in two engines, before any process has joined those that serve it. */
export interface Engines {
  readonly catalog: PostgresCatalog;
  readonly bucket: Bucket;
  /** What the bucket is marked with: the first account of the store it holds. */
  readonly mark: string | undefined;
  close(): Promise<void>;
}

/**
 * Opens bucket and catalog, making the catalog's tables where there are none. Rejects with an
 * `UnavailableError` when one of them does not answer; then nothing is left open.
 */
export async function openEngines(
  { bucket: address, catalog: database }: ScaledStore,
  { clock, random, log }: StoreParts,
): Promise<Engines> {
  const bucket = await Bucket.open(address, { clock, random });
  try {
    const onError = (error: Error) => log("A connection to the catalog was lost", { error });
    const mark = await readStoreMark(bucket);
    const catalog = await openPostgresCatalog({ ...database, clock, random, onError });
    const close = async () => {
      bucket.close();
      await catalog.close();
    };
    return { catalog, bucket, mark, close };
  } catch (error) {
    bucket.close();
    throw error;
  }
}

/**
 * Opens a store in two engines and joins the processes that serve it. Rejects as `openEngines`
 * does, and where the two do not belong together, saying what to do.
 */
export async function openScaledStore(address: ScaledStore, parts: StoreParts): Promise<Store> {
  const engines = await openEngines(address, parts);
  try {
    await checkBelongTogether(engines);
    const name = `${hostname()} ${process.pid}`;
    const onError = (error: unknown) => parts.log("Proving to be alive failed", { error });
    const member = await engines.catalog.join({ clock: parts.clock, name, onError });
    return storeOf(engines, member, parts);
  } catch (error) {
    await engines.close();
    throw error;
  }
}

function storeOf(engines: Engines, member: Membership, { clock, random }: StoreParts): Store {
  const { bucket, catalog, mark } = engines;
  const nextNumber = () => member.nextSegment();
  const segments = new S3Segments({ bucket, nextNumber, clock, random });
  return {
    place: bucket.place,
    catalog,
    segments,
    // A bucket has no end that it would tell of beforehand; a write that it refuses has failed.
    room: {
      checkRoom: () => undefined,
      hasRoomToMove: async () => true,
      look: async () => undefined,
      freeBytes: async () => undefined,
    },
    engines: [
      { name: "catalog", check: () => catalog.check() },
      { name: "segments", check: () => bucket.get("store.json") },
    ],
    member,
    failed: new Promise(() => undefined),
    claim: (account) => claim(bucket, mark, account),
    keepCredentials: async () => undefined,
    ownKeyEncryptionKey: () => Promise.reject(new Error(KEY_NEEDED)),
    async close() {
      await member.stop().catch(() => undefined);
      await segments.close();
      await catalog.close();
    },
  };
}

const KEY_NEEDED =
  "A store in a bucket has no folder to keep its key-encryption key in: give keyEncryptionKey, " +
  "the same to each process that serves it.";

/** Throws where one of the two would be taken for what it is not. */
async function checkBelongTogether({ bucket, catalog, mark }: Engines): Promise<void> {
  // Looked at after the mark: whoever marks a bucket has told the catalog of the account before.
  const accounts = await catalog.identity.accounts();
  if (mark === undefined) {
    if ((await catalog.segments.liveBytes()).size === 0) return;
    throw new Error(
      `${bucket.place} is empty, but the catalog knows of segments: this is another bucket or ` +
        "another prefix than it was, or it was emptied.",
    );
  }
  if (accounts.some((account) => account === mark)) return checkNotOlder(bucket, catalog);
  if (accounts.length > 0) throw otherStore(bucket, mark);
  throw new Error(
    `The catalog is empty, but ${bucket.place} holds the store of account ${mark}: give the ` +
      "catalog it had, or make one anew with 'varve rebuild'.",
  );
}

/**
 * Throws where the bucket holds segments of which the catalog gave nobody the number: it was put
 * back as it once was, and a collection would remove what has been stored since.
 */
async function checkNotOlder(bucket: Bucket, { segments }: PostgresCatalog): Promise<void> {
  const found = await findSegmentFrom(bucket, await segments.next());
  // Another process may have been given that number while the bucket was looked through.
  if (found === undefined || found < (await segments.next())) return;
  throw new Error(
    `The catalog is older than what ${bucket.place} holds: it knows nothing of segment ${found}. ` +
      "Give the latest one, or make one anew in an empty database with 'varve rebuild'.",
  );
}

async function claim(bucket: Bucket, mark: string | undefined, account: AccountId): Promise<void> {
  if (mark !== undefined) return;
  const owner = await markStore(bucket, account);
  if (owner !== account) throw otherStore(bucket, owner);
}

function otherStore({ place }: Bucket, mark: string): Error {
  return new Error(
    `${place} holds the store of account ${mark}, which this catalog does not know: give each ` +
      "store a prefix and a database of its own.",
  );
}
