import { join, resolve } from "node:path";
import { byteLengthOf } from "./base/bytes.ts";
import type { Clock } from "./base/clock.ts";
import type { Random } from "./base/random.ts";
import type { AccessKey, Catalog } from "./catalog/catalog.ts";
import type { Membership } from "./catalog/membership.ts";
import { openSqliteCatalog } from "./catalog/sqlite/sqlite-catalog.ts";
import { keepCredentials } from "./data-folder/credentials-file.ts";
import { DiskSpace } from "./data-folder/disk-space.ts";
import { ownKeyEncryptionKey } from "./data-folder/key-file.ts";
import { makeDirectory } from "./data-folder/make-directory.ts";
import type { KeyEncryptionKeySource } from "./keys/open-key-encryption-key.ts";
import type { AccountId } from "./model/ids.ts";
import { DISK_ROOM_BYTES_MIN, RESERVE_SIZE_BYTES, SEGMENT_SIZE_BYTES_MAX } from "./model/limits.ts";
import type { Logger } from "./model/log.ts";
import { FileSegments } from "./segments/file-segments.ts";
import type { SegmentStore } from "./segments/segment-store.ts";
import type { Engine } from "./server/health.ts";

/** Everything that outlives the process, opened, wherever it lies. */
export interface Store {
  /** Where it lies, for people: the absolute path of the data folder. */
  readonly place: string;
  readonly catalog: Catalog;
  readonly segments: SegmentStore;
  readonly room: Room;
  /** What `/readyz` asks about. */
  readonly engines: readonly Engine[];
  /** This process among those that serve the store; undefined where it is alone. */
  readonly member?: Membership | undefined;
  /** True where every change is refused, so that none is begun. */
  readonly isReadOnly?: boolean;
  /** Resolves, and only then, when the catalog takes no further call, ever. */
  readonly failed: Promise<Error>;
  /** Marks what the store lies in as that of its first account, where it is not marked yet. */
  claim(account: AccountId): Promise<void>;
  /** Keeps the first access key; answers in which file, undefined where it is in none. */
  keepCredentials(key: AccessKey): Promise<string | undefined>;
  /** The key-encryption key that the store keeps for itself, when none was given or is any more. */
  ownKeyEncryptionKey(takesOver: boolean): Promise<KeyEncryptionKeySource>;
  /** Gives up segments, then catalog. */
  close(): Promise<void>;
}

/** Whether the store takes new data. */
export interface Room {
  /** Throws a `DiskFullError` while it does not. */
  checkRoom(): void;
  /** True when so many bytes may be moved now, which makes room in the end, also on a full disk. */
  hasRoomToMove(sizeBytes: number): Promise<boolean>;
  /** Looks whether it has changed; to be called again and again. */
  look(): Promise<void>;
  /** Bytes free on the disk; undefined where segments lie on none. */
  freeBytes(): Promise<number | undefined>;
}

/** What a store is opened with. */
export interface StoreParts {
  readonly random: Random;
  readonly clock: Clock;
  readonly log: Logger;
}

/**
 * Opens the store of one folder, making it at the first start. Rejects with a `StoreInUseError`
 * when another process has it, and with the system's error when the folder cannot be written; then
 * nothing is left open.
 */
export async function openEmbeddedStore(
  folder: string,
  { random, log }: StoreParts,
): Promise<Store> {
  const place = resolve(folder);
  await makeDirectory(place);
  const onChange = (isFull: boolean) => tellDiskSpace(log, isFull);
  const disk = new DiskSpace({ directory: place, random, onChange });
  const { promise: failed, resolve: onFailed } = Promise.withResolvers<Error>();
  const catalog = openSqliteCatalog(join(place, "catalog.sqlite"), {
    makeRoom: (purpose) => disk.makeRoom(purpose),
    onFailed(error) {
      log("The catalog failed; the service can only be started anew", { error });
      onFailed(error);
    },
  });
  try {
    const segments = await FileSegments.open({
      directory: join(place, "segments"),
      segmentSizeBytesMax: SEGMENT_SIZE_BYTES_MAX,
    });
    return {
      ...{ place, catalog, failed },
      segments: refusingWhenFull(segments, disk),
      room: disk,
      engines: [{ name: "catalog", check: () => catalog.garbage.seenMs() }],
      claim: async () => undefined,
      keepCredentials: (key) => keepCredentials(place, key),
      ownKeyEncryptionKey: async (takesOver) => ({
        secret: await ownKeyEncryptionKey(place, random, takesOver),
      }),
      async close() {
        await segments.close();
        await catalog.close();
      },
    };
  } catch (error) {
    await catalog.close();
    throw error;
  }
}

/** The segments of a disk that may be full; then nothing is appended but what makes room. */
function refusingWhenFull(segments: SegmentStore, disk: DiskSpace): SegmentStore {
  return {
    append(batch, purpose = "new-data") {
      const sizeBytes = byteLengthOf(batch.flat());
      return disk.write(purpose, sizeBytes, () => segments.append(batch));
    },
    read: (placement, buffer) => segments.read(placement, buffer),
    list: () => segments.list(),
    remove: (segment) => segments.remove(segment),
    close: () => segments.close(),
  };
}

/** One line when it begins and one when it ends, not one for each write that is refused. */
function tellDiskSpace(log: Logger, isFull: boolean): void {
  const neededMib = (DISK_ROOM_BYTES_MIN + RESERVE_SIZE_BYTES) / 1024 / 1024;
  const message = isFull
    ? "The disk of the data folder is full: new data is refused, reading and deleting go on; " +
      `delete snapshots and collect, or give it room, up to ${neededMib} MiB more than it has`
    : "The disk of the data folder has room again: new data is taken";
  log(message, {}, isFull ? "error" : "info");
}
