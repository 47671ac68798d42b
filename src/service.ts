import { join, resolve } from "node:path";
import { assert } from "./base/assert.ts";
import { type Clock, systemClock } from "./base/clock.ts";
import { LruCache } from "./base/lru-cache.ts";
import { type Random, systemRandom } from "./base/random.ts";
import { BlockStore } from "./blocks/block-store.ts";
import { Compactor } from "./blocks/compactor.ts";
import { Journaler } from "./blocks/journaler.ts";
import { Scrubber } from "./blocks/scrubber.ts";
import type { Catalog } from "./catalog/catalog.ts";
import { openSqliteCatalog } from "./catalog/sqlite/sqlite-catalog.ts";
import { keepCredentials } from "./data-folder/credentials-file.ts";
import { DiskSpace } from "./data-folder/disk-space.ts";
import { ownKeyEncryptionKey } from "./data-folder/key-file.ts";
import { makeDirectory } from "./data-folder/make-directory.ts";
import { ensureFirstAccount, type FirstKey, type KeyPair } from "./identity/first-account.ts";
import { SessionTokens } from "./identity/session-tokens.ts";
import { SignatureVerifier } from "./identity/signature-verifier.ts";
import { KeyRing } from "./keys/key-ring.ts";
import {
  type KeyEncryptionKeySource,
  openKeyEncryptionKey,
} from "./keys/open-key-encryption-key.ts";
import { TokenSecrets } from "./keys/token-secrets.ts";
import type { Domain } from "./model/ids.ts";
import {
  COLLECT_MINUTES_DEFAULT,
  DISK_ROOM_BYTES_MIN,
  NODE_CACHE_BYTES_MAX,
  RECYCLE_BIN_DAYS_MAX,
  RESERVE_SIZE_BYTES,
  SCRUB_DAYS_DEFAULT,
  SCRUB_DAYS_MAX,
  SEGMENT_SIZE_BYTES_MAX,
  TOKEN_SECRET_DAYS_DEFAULT,
  TOKEN_SECRET_DAYS_MAX,
} from "./model/limits.ts";
import { type LogEntry, type Logger, logger } from "./model/log.ts";
import { FileSegments } from "./segments/file-segments.ts";
import type { SegmentStore } from "./segments/segment-store.ts";
import { BufferPool } from "./server/buffer-pool.ts";
import { type ConsoleFiles, createConsole } from "./server/console.ts";
import { emulatedSealing, latenessOf } from "./server/emulation/aws.ts";
import { createEmulation, withSeed } from "./server/emulation/create-emulation.ts";
import type { EmulationConfig } from "./server/emulation/emulation.ts";
import { listen, type TlsIdentity } from "./server/http-server.ts";
import { AwsTokens } from "./snapshots/aws-tokens.ts";
import { type Chores, startChores } from "./snapshots/chores.ts";
import { Collections } from "./snapshots/collections.ts";
import { Collector } from "./snapshots/collector.ts";
import { Copier } from "./snapshots/copier.ts";
import type { Core } from "./snapshots/core.ts";
import { Sealer } from "./snapshots/sealer.ts";
import { Tokens } from "./snapshots/tokens.ts";
import { BlockMaps } from "./tree/block-map.ts";
import type { Node } from "./tree/node.ts";

/** What a service is made from. Read once; changing it later changes nothing. */
export interface ServiceConfig {
  /** Folder of the embedded store; made if missing. */
  readonly dataDirectory: string;
  readonly host: string;
  /** 0 takes any free port. */
  readonly port: number;
  /** The region this service runs as. */
  readonly region: string;
  /** What it proves with who it is; without, it speaks plain HTTP. */
  readonly tls?: TlsIdentity | undefined;
  /** A key pair to accept instead of minting one. */
  readonly keyPair?: KeyPair | undefined;
  /** What wraps the secrets of encryption keys; the default is kept in the data folder. */
  readonly keyEncryptionKey?: KeyEncryptionKeySource | undefined;
  /** What wrapped them so far, where that changes with this start. */
  readonly previousKeyEncryptionKey?: KeyEncryptionKeySource | undefined;
  /** Days that deleted snapshots stay in the recycle bin, at most 365; 0, the default, for none. */
  readonly recycleBinDays?: number | undefined;
  /** Minutes between two collections of garbage; 0 for none but those asked for. Default 60. */
  readonly collectMinutes?: number | undefined;
  /** Days in which all that is stored is read again, at most 365; default 30, 0 for never. */
  readonly scrubDays?: number | undefined;
  /** Days after which tokens are minted with new secrets, at most 3650; default 90, 0 for never. */
  readonly tokenSecretDays?: number | undefined;
  /** The built web console, by path; without it, /console says how it is built. */
  readonly consoleFiles?: ConsoleFiles | undefined;
  /** Quotas, delays and faults for testing clients; none unless given. */
  readonly emulation?: EmulationConfig | undefined;
  readonly clock?: Clock;
  readonly random?: Random;
  /** Takes each line of the log; the default writes JSON lines to standard error. */
  readonly log?: (entry: LogEntry) => void;
}

export type { EmulationConfig, KeyEncryptionKeySource, LogEntry, TlsIdentity };

/** A running service. */
export interface Service {
  /** Where it listens, for example `http://127.0.0.1:7788`. */
  readonly endpoint: string;
  readonly region: string;
  /** Absolute path of the embedded store. */
  readonly dataDirectory: string;
  readonly firstKey: FirstKey;
  /**
   * A file in the form of `~/.aws/credentials` that holds the key pair, mode 0600; undefined when
   * the pair was given, for then it is kept where it came from.
   */
  readonly credentialsPath: string | undefined;
  /** What is emulated, with the seed that repeats it; undefined if nothing is. */
  readonly emulation: (EmulationConfig & { readonly seed: number }) | undefined;
  /**
   * Resolves, and only then, when the disk failed under the catalog: from then on every request is
   * answered with an error. The process is to be ended, best without `close`, and started anew.
   */
  readonly failed: Promise<Error>;
  /** The operations without HTTP, for a program that embeds the service and looks inside. */
  readonly core: Core;
  /** Has new connections see a renewed certificate. Throws where the service speaks no TLS. */
  renewCertificate(tls: TlsIdentity): void;
  /** Answers the requests under way, finishes their commits, gives up the store; once. */
  close(): Promise<void>;
}

/**
 * Opens the embedded store, making it at the first start, and serves it. Rejects with a
 * `StoreInUseError` when another process has it, and with the system's error when the folder
 * cannot be written or the address cannot be had; then nothing is left open.
 */
export async function openService(config: ServiceConfig): Promise<Service> {
  const { clock = systemClock, random = systemRandom } = config;
  const dataDirectory = resolve(config.dataDirectory);
  await makeDirectory(dataDirectory);
  const log = logger(config.log, clock);
  const onChange = (isFull: boolean) => tellDiskSpace(log, isFull);
  const disk = new DiskSpace({ directory: dataDirectory, random, onChange });
  const { promise: failed, resolve: onFailed } = Promise.withResolvers<Error>();
  const catalog = openSqliteCatalog(join(dataDirectory, "catalog.sqlite"), {
    makeRoom: (purpose) => disk.makeRoom(purpose),
    onFailed(error) {
      log("The catalog failed; the service can only be started anew", { error });
      onFailed(error);
    },
  });
  try {
    const segments = await FileSegments.open({
      directory: join(dataDirectory, "segments"),
      segmentSizeBytesMax: SEGMENT_SIZE_BYTES_MAX,
    });
    const store = { catalog, segments: refusingWhenFull(segments, disk), disk, failed };
    return await startService({ ...config, dataDirectory }, store);
  } catch (error) {
    await catalog.close();
    throw error;
  }
}

interface Store {
  readonly catalog: Catalog;
  readonly segments: SegmentStore;
  readonly disk: DiskSpace;
  readonly failed: Promise<Error>;
}

/** The segments of a disk that may be full; then nothing is appended. */
function refusingWhenFull(segments: SegmentStore, disk: DiskSpace): SegmentStore {
  return {
    append: (batch) => disk.write(() => segments.append(batch)),
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
      `delete snapshots or give it room, up to ${neededMib} MiB more than it has`
    : "The disk of the data folder has room again: new data is taken";
  log(message, {}, isFull ? "error" : "info");
}

async function startService(config: ServiceConfig, store: Store): Promise<Service> {
  const { clock = systemClock, random = systemRandom, region } = config;
  const { catalog, segments, disk, failed } = store;
  const emulation = config.emulation && withSeed(config.emulation, random);
  const owners = { identity: catalog.identity, random, clock };
  const firstKey = await ensureFirstAccount(owners, config.keyPair);
  const credentialsPath =
    firstKey.origin === "given"
      ? undefined
      : await keepCredentials(config.dataDirectory, firstKey.key);
  const keys = await openKeyRing({ ...config, clock, random }, catalog);
  const blocks = new BlockStore(segments, catalog, keys);
  const core = await makeCore({ ...config, clock, random }, { ...store, blocks, keys });
  await watchForDamage(core, logger(config.log, clock));
  const findKey = async (accessKeyId: string) =>
    firstKey.origin === "given" && firstKey.key.accessKeyId === accessKeyId
      ? firstKey.key
      : catalog.identity.accessKey(accessKeyId);
  const log = logger(config.log, clock);
  const sessions = new SessionTokens(core.tokenSecrets.sessions, { clock, random });
  await core.sealer.resume();
  const server = await listen(
    {
      core,
      random,
      clock,
      region,
      verifier: new SignatureVerifier(findKey, sessions),
      sessions,
      buffers: new BufferPool(),
      answerConsole: createConsole(config.consoleFiles, region),
      emulation: emulation && createEmulation({ clock }, emulation),
      onError: (requestId, error) => log("A request failed", { requestId, error }),
    },
    config,
  );
  const chores = [...startChores(core, log, choresOf(config, disk)), core.scrubber];
  core.scrubber.start();
  // A catalog that cannot be read is told by the next look for copies.
  core.copier.resume().catch(() => undefined);
  const close = async () => {
    await server.close();
    const longWork = [core.collector.stop(), core.copier.stop()];
    await Promise.all([...chores.map((chore) => chore.stop()), ...longWork]);
    await core.sealer.idle();
    // So that nobody who was answered depends on the catalog alone from here on.
    await core.journaler.flush().catch((error: unknown) => log("Journaling failed", { error }));
    await blocks.idle();
    await segments.close();
    await catalog.close();
  };
  let closing: Promise<void> | undefined;
  const host = config.host.includes(":") ? `[${config.host}]` : config.host;
  return {
    endpoint: `${config.tls ? "https" : "http"}://${host}:${server.port}`,
    region,
    dataDirectory: config.dataDirectory,
    firstKey,
    credentialsPath,
    emulation,
    failed,
    core,
    renewCertificate: (tls) => server.renew(tls),
    close() {
      closing ??= close();
      return closing;
    },
  };
}

/** What chores are to do besides what every core needs. */
function choresOf(config: ServiceConfig, disk: DiskSpace): Chores {
  const { emulation = {}, collectMinutes, tokenSecretDays } = config;
  return {
    lookForRoom: () => disk.look(),
    collectMinutes: collectMinutes ?? COLLECT_MINUTES_DEFAULT,
    tokenSecretDays: tokenSecretDays ?? TOKEN_SECRET_DAYS_DEFAULT,
    timeoutMs: latenessOf(emulation).timeoutMs,
    putsOffSealings: emulation.aws ?? false,
  };
}

type ClockedConfig = ServiceConfig & { readonly clock: Clock; readonly random: Random };

/** Opens what encrypts, and changes over to a new key-encryption key where one is given. */
async function openKeyRing(config: ClockedConfig, catalog: Catalog): Promise<KeyRing> {
  const { dataDirectory, random, clock } = config;
  const { keyEncryptionKey: given, previousKeyEncryptionKey: previous } = config;
  const source = given ?? { secret: await ownKeyEncryptionKey(dataDirectory, random) };
  const keyEncryptionKey = openKeyEncryptionKey(source, random);
  const keys = new KeyRing({ table: catalog.encryption, keyEncryptionKey, random, clock });
  await keys.rewrap(previous && openKeyEncryptionKey(previous, random));
  return keys;
}

async function makeCore(
  config: ClockedConfig,
  parts: Store & Pick<Core, "blocks" | "keys">,
): Promise<Core> {
  const { catalog, segments, blocks, keys, disk } = parts;
  const { clock, random } = config;
  const log = logger(config.log, clock);
  const tokenSecrets = await TokenSecrets.open({ table: catalog.identity, clock, random });
  // One cache for all accounts: a node's digest says all of its contents.
  const nodes = new LruCache<Node>(NODE_CACHE_BYTES_MAX, (node) => node.sizeBytes);
  const maps = (domain: Domain) => new BlockMaps(blocks.nodeStore(domain), nodes);
  const onError = (snapshotId: string, error: unknown) =>
    log("Sealing failed and will be tried again", { snapshotId, error });
  const { region, recycleBinDays = 0, emulation = {} } = config;
  const emulated = emulatedSealing(emulation);
  const sealer = new Sealer({ catalog, blocks, maps, clock, onError, emulated });
  const copier = new Copier({
    ...{ catalog, blocks, maps, sealer },
    onError: (snapshotId, error) =>
      log("Copying failed and will be tried again", { snapshotId, error }),
  });
  const compactor = new Compactor({
    ...{ segments, table: catalog.segments, blocks },
    onError: (segment, error) => log("A segment could not be given back", { segment, error }),
  });
  const collector = new Collector({
    ...{ catalog, blocks, maps, compactor, clock },
    onError: (domain, error) => log("A domain could not be collected", { domain, error }),
  });
  const collections = new Collections(collector, clock);
  const [owner] = await catalog.identity.accounts();
  assert(owner !== undefined, "there is a first account");
  const journaler = new Journaler({
    ...{ table: catalog.journal, blocks },
    domain: () => keys.storeDomain(owner),
  });
  const tokens = new (emulation.aws ? AwsTokens : Tokens)(tokenSecrets.tokens, clock, random);
  checkDays("recycleBinDays", recycleBinDays, RECYCLE_BIN_DAYS_MAX);
  checkDays("tokenSecretDays", config.tokenSecretDays ?? 0, TOKEN_SECRET_DAYS_MAX);
  const settings = { region, recycleBinDays, checkRoom: () => disk.checkRoom() };
  return {
    catalog,
    blocks,
    keys,
    maps,
    tokens,
    tokenSecrets,
    sealer,
    copier,
    collector,
    collections,
    journaler,
    scrubber: makeScrubber(config, parts),
    clock,
    random,
    ...settings,
  };
}

function makeScrubber(
  config: ClockedConfig,
  { catalog, blocks, segments }: Pick<Core, "catalog" | "blocks"> & { segments: SegmentStore },
): Scrubber {
  const { clock, scrubDays: days = SCRUB_DAYS_DEFAULT } = config;
  checkDays("scrubDays", days, SCRUB_DAYS_MAX);
  const log = logger(config.log, clock);
  const onError = (error: unknown) => log("Scrubbing failed and will be tried again", { error });
  return new Scrubber({ blocks, table: catalog.scrubs, segments, clock, days, onError });
}

function checkDays(name: string, days: number, daysMax: number): void {
  if (!(days >= 0 && days <= daysMax)) {
    throw new RangeError(`${name} is ${days}, not 0 to ${daysMax}`);
  }
}

/** Says in the log which records are damaged; which snapshots have them, `varve verify` finds. */
function watchForDamage({ blocks, clock }: Core, log: Logger): Promise<void> {
  return blocks.recallDamaged({
    nowMs: () => clock.nowMs(),
    onDamaged: ({ domain, name, segment, offset, length }, reason) => {
      const place = { domain, name, segment, offset, length };
      log("A stored record is damaged", { ...place, reason });
    },
  });
}
