import { join, resolve } from "node:path";
import { type Clock, formatTimeMs, repeat, systemClock } from "./base/clock.ts";
import { LruCache } from "./base/lru-cache.ts";
import { type Random, systemRandom } from "./base/random.ts";
import { BlockStore } from "./blocks/block-store.ts";
import type { Catalog } from "./catalog/catalog.ts";
import { openSqliteCatalog } from "./catalog/sqlite-catalog.ts";
import { keepCredentials } from "./data-folder/credentials-file.ts";
import { ownKeyEncryptionKey } from "./data-folder/key-file.ts";
import { makeDirectory } from "./data-folder/make-directory.ts";
import { ensureFirstAccount, type FirstKey, type KeyPair } from "./identity/first-account.ts";
import { SignatureVerifier } from "./identity/signature-verifier.ts";
import { KeyRing } from "./keys/key-ring.ts";
import {
  type KeyEncryptionKeySource,
  openKeyEncryptionKey,
} from "./keys/open-key-encryption-key.ts";
import type { Domain } from "./model/ids.ts";
import {
  NODE_CACHE_BYTES_MAX,
  RECYCLE_BIN_DAYS_MAX,
  SEGMENT_SIZE_BYTES_MAX,
} from "./model/limits.ts";
import { FileSegments } from "./segments/file-segments.ts";
import type { SegmentStore } from "./segments/segment-store.ts";
import { BufferPool } from "./server/buffer-pool.ts";
import { createEmulation, withSeed } from "./server/emulation/create-emulation.ts";
import type { EmulationConfig } from "./server/emulation/emulation.ts";
import { listen } from "./server/http-server.ts";
import { Copier } from "./snapshots/copier.ts";
import type { Core } from "./snapshots/core.ts";
import { expireSnapshots, forgetSettledWrites } from "./snapshots/expire-snapshots.ts";
import { emptyRecycleBin } from "./snapshots/recycle-bin.ts";
import { Sealer } from "./snapshots/sealer.ts";
import { TOKEN_SECRET_BYTES, Tokens } from "./snapshots/tokens.ts";
import { BlockMaps } from "./tree/block-map.ts";
import type { Node } from "./tree/node.ts";

/** How often there is a look for snapshots whose time is up, and for what they leave behind. */
const CHORE_INTERVAL_MS = 1_000;
/** How often sealings that failed, for example on a full disk, are tried again. */
const SEAL_RETRY_INTERVAL_MS = 10_000;

/** What a service is made from. Read once; changing it later changes nothing. */
export interface ServiceConfig {
  /** Folder of the embedded store; made if missing. */
  readonly dataDirectory: string;
  readonly host: string;
  /** 0 takes any free port. */
  readonly port: number;
  /** The region this service runs as. */
  readonly region: string;
  /** A key pair to accept instead of minting one. */
  readonly keyPair?: KeyPair | undefined;
  /** What wraps the secrets of encryption keys; the default is kept in the data folder. */
  readonly keyEncryptionKey?: KeyEncryptionKeySource | undefined;
  /** What wrapped them so far, where that changes with this start. */
  readonly previousKeyEncryptionKey?: KeyEncryptionKeySource | undefined;
  /** Days that deleted snapshots stay in the recycle bin, at most 365; 0, the default, for none. */
  readonly recycleBinDays?: number | undefined;
  /** Quotas, delays and faults for testing clients; none unless given. */
  readonly emulation?: EmulationConfig | undefined;
  readonly clock?: Clock;
  readonly random?: Random;
  /** Takes each line of the log; the default writes JSON lines to standard error. */
  readonly log?: (entry: LogEntry) => void;
}

export type { EmulationConfig, KeyEncryptionKeySource };

/** Something an operator should see. Never holds a secret or a block's bytes. */
export interface LogEntry {
  readonly time: string;
  readonly level: "error";
  readonly message: string;
  readonly [detail: string]: string;
}

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
  /** The operations without HTTP, for a program that embeds the service and looks inside. */
  readonly core: Core;
  /** Answers the requests under way, finishes their commits, gives up the store; once. */
  close(): Promise<void>;
}

/**
 * Opens the embedded store, making it at the first start, and serves it. Rejects with a
 * `StoreInUseError` when another process has it, and with the system's error when the folder
 * cannot be written or the address cannot be had; then nothing is left open.
 */
export async function openService(config: ServiceConfig): Promise<Service> {
  const dataDirectory = resolve(config.dataDirectory);
  await makeDirectory(dataDirectory);
  const catalog = openSqliteCatalog(join(dataDirectory, "catalog.sqlite"));
  try {
    const segments = await FileSegments.open({
      directory: join(dataDirectory, "segments"),
      segmentSizeBytesMax: SEGMENT_SIZE_BYTES_MAX,
    });
    return await startService({ ...config, dataDirectory }, { catalog, segments });
  } catch (error) {
    await catalog.close();
    throw error;
  }
}

interface Store {
  readonly catalog: Catalog;
  readonly segments: SegmentStore;
}

async function startService(config: ServiceConfig, store: Store): Promise<Service> {
  const { clock = systemClock, random = systemRandom, region } = config;
  const { catalog, segments } = store;
  const emulation = config.emulation && withSeed(config.emulation, random);
  const owners = { identity: catalog.identity, random, clock };
  const firstKey = await ensureFirstAccount(owners, config.keyPair);
  const credentialsPath =
    firstKey.origin === "given"
      ? undefined
      : await keepCredentials(config.dataDirectory, firstKey.key);
  const keys = await openKeyRing({ ...config, clock, random }, catalog);
  const blocks = new BlockStore(segments, catalog.blocks, keys);
  const core = await makeCore({ ...config, clock, random }, { catalog, blocks, keys });
  const findKey = async (accessKeyId: string) =>
    firstKey.origin === "given" && firstKey.key.accessKeyId === accessKeyId
      ? firstKey.key
      : catalog.identity.accessKey(accessKeyId);
  const log = logger(config, clock);
  await core.sealer.resume();
  const server = await listen(
    {
      core,
      random,
      clock,
      region,
      verifier: new SignatureVerifier(findKey),
      buffers: new BufferPool(),
      emulation: emulation && createEmulation({ clock }, emulation),
      onError: (requestId, error) => log("A request failed", { requestId, error }),
    },
    config,
  );
  const chores = startChores(core, log);
  // A catalog that cannot be read is told by the next look for copies.
  core.copier.resume().catch(() => undefined);
  const close = async () => {
    await server.close();
    await Promise.all(chores.map((chore) => chore.stop()));
    await core.copier.stop();
    await core.sealer.idle();
    await blocks.idle();
    await segments.close();
    await catalog.close();
  };
  let closing: Promise<void> | undefined;
  const host = config.host.includes(":") ? `[${config.host}]` : config.host;
  return {
    endpoint: `http://${host}:${server.port}`,
    region,
    dataDirectory: config.dataDirectory,
    firstKey,
    credentialsPath,
    emulation,
    core,
    close() {
      closing ??= close();
      return closing;
    },
  };
}

/** What has to be done again and again while the service runs. */
function startChores(core: Core, log: Logger): { stop(): Promise<void> }[] {
  const every = (intervalMs: number, name: string, work: () => Promise<void>) =>
    repeat(core.clock, intervalMs, {
      work,
      onError: (error) => log(`${name} failed`, { error }),
    });
  return [
    every(CHORE_INTERVAL_MS, "Timing out pending snapshots", () => expireSnapshots(core)),
    every(CHORE_INTERVAL_MS, "Forgetting settled writes", () => forgetSettledWrites(core)),
    every(CHORE_INTERVAL_MS, "Emptying the recycle bin", () => emptyRecycleBin(core)),
    every(CHORE_INTERVAL_MS, "Destroying encryption keys", () => core.keys.destroyDue()),
    every(SEAL_RETRY_INTERVAL_MS, "Looking for sealings", () => core.sealer.resume()),
    every(SEAL_RETRY_INTERVAL_MS, "Looking for copies", () => core.copier.resume()),
  ];
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
  { catalog, blocks, keys }: Pick<Core, "catalog" | "blocks" | "keys">,
): Promise<Core> {
  const { clock, random } = config;
  const log = logger(config, clock);
  const secret = await catalog.identity.secret("token-secret", random.bytes(TOKEN_SECRET_BYTES));
  // One cache for all accounts: a node's digest says all of its contents.
  const nodes = new LruCache<Node>(NODE_CACHE_BYTES_MAX, (node) => node.sizeBytes);
  const maps = (domain: Domain) => new BlockMaps(blocks.nodeStore(domain), nodes);
  const onError = (snapshotId: string, error: unknown) =>
    log("Sealing failed and will be tried again", { snapshotId, error });
  const sealer = new Sealer({ catalog, blocks, maps, clock, onError });
  const copier = new Copier({
    ...{ catalog, blocks, maps, sealer },
    onError: (snapshotId, error) =>
      log("Copying failed and will be tried again", { snapshotId, error }),
  });
  const tokens = new Tokens(secret, clock, random);
  const { region, recycleBinDays = 0 } = config;
  if (!(recycleBinDays >= 0 && recycleBinDays <= RECYCLE_BIN_DAYS_MAX)) {
    throw new RangeError(`recycleBinDays is ${recycleBinDays}, not 0 to ${RECYCLE_BIN_DAYS_MAX}`);
  }
  const settings = { region, recycleBinDays };
  return { catalog, blocks, keys, maps, tokens, sealer, copier, clock, random, ...settings };
}

type Logger = (message: string, details: { readonly [name: string]: unknown }) => void;

function logger({ log = writeToStandardError }: ServiceConfig, clock: Clock): Logger {
  return (message, details) => {
    const texts = Object.entries(details).map(([name, value]) => [
      name,
      value instanceof Error ? (value.stack ?? value.message) : String(value),
    ]);
    const time = formatTimeMs(clock.nowMs());
    try {
      log({ ...Object.fromEntries(texts), time, level: "error", message });
    } catch {
      // A log that fails must not take down what it reports on; there is nowhere else to say so.
    }
  };
}

function writeToStandardError(entry: LogEntry): void {
  process.stderr.write(`${JSON.stringify(entry)}\n`);
}
