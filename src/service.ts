import { systemClock } from "./base/clock.ts";
import { systemRandom } from "./base/random.ts";
import { BlockStore } from "./blocks/block-store.ts";
import type { BlockWork } from "./blocks/block-work.ts";
import { findLaterSegment } from "./blocks/catalog-age.ts";
import { WorkThreads } from "./blocks/work-threads.ts";
import type { Catalog } from "./catalog/catalog.ts";
import { ensureFirstAccount, type FirstKey } from "./identity/first-account.ts";
import { SessionTokens } from "./identity/session-tokens.ts";
import { SignatureVerifier } from "./identity/signature-verifier.ts";
import type { KeyRing } from "./keys/key-ring.ts";
import type { KeyEncryptionKeySource } from "./keys/open-key-encryption-key.ts";
import { makeCore, openKeyRing } from "./make-core.ts";
import { makeSignals, type Signals } from "./make-signals.ts";
import { type LogEntry, type Logger, logger } from "./model/log.ts";
import { openEmbeddedStore, type Store, type StoreParts } from "./open-store.ts";
import { CallAudit } from "./server/access/audit-calls.ts";
import { createConsole } from "./server/console.ts";
import { latenessOf } from "./server/emulation/aws.ts";
import { createEmulation, withSeed } from "./server/emulation/create-emulation.ts";
import type { EmulationConfig } from "./server/emulation/emulation.ts";
import type { AccessLine } from "./server/exchange-parts.ts";
import { createHealth } from "./server/health.ts";
import { BufferPool } from "./server/http/buffer-pool.ts";
import { listen, type TlsIdentity } from "./server/http-server.ts";
import type { ClockedConfig, ScaledStore, ServiceConfig } from "./service-config.ts";
import { logLines } from "./signals/log-lines.ts";
import { watchedBlocks, watchedSegments } from "./signals/store-watch.ts";
import { type Chores, startChores } from "./snapshots/chores/chores.ts";
import type { Core } from "./snapshots/core.ts";

export type {
  EmulationConfig,
  KeyEncryptionKeySource,
  LogEntry,
  ScaledStore,
  ServiceConfig,
  TlsIdentity,
};

/** A running service. */
export interface Service {
  /** Where it listens, for example `http://127.0.0.1:7788`. */
  readonly endpoint: string;
  readonly region: string;
  /** Where the store lies: the folder's absolute path, or `s3://bucket/prefix/`. */
  readonly dataDirectory: string;
  readonly firstKey: FirstKey;
  /**
   * A file in the form of `~/.aws/credentials` that holds the key pair, mode 0600; undefined when
   * the pair was given, for then it is kept where it came from, and when people keep it elsewhere.
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
  /** Address at which metrics are scraped; undefined where they are not. */
  readonly metricsEndpoint: string | undefined;
  /** Goes on in a new audit log, after the file so far was renamed. */
  reopenFiles(): Promise<void>;
  /** Answers the requests under way, finishes their commits, gives up the store; once. */
  close(): Promise<void>;
}

/**
 * Opens the store, making it at the first start, and serves it. Rejects with a `StoreInUseError`
 * when another process has the folder, with an `UnavailableError` when an engine does not answer,
 * and with the system's error when the folder cannot be written or the address cannot be had; then
 * nothing is left open.
 */
export async function openService(given: ServiceConfig): Promise<Service> {
  const config = withDefaults(given);
  const store = await openStore(config, { ...config, log: logger(config.log, config.clock) });
  try {
    return await serveStore(config, store);
  } catch (error) {
    await store.close();
    throw error;
  }
}

function withDefaults(given: ServiceConfig): ClockedConfig {
  const { clock = systemClock, random = systemRandom, logLevel = "info" } = given;
  return { ...given, clock, random, log: given.log ?? logLines(logLevel).write };
}

async function openStore(
  { scaled, dataDirectory }: ServiceConfig,
  parts: StoreParts,
): Promise<Store> {
  if (scaled) {
    // Brought up only here: an embedded store does without the clients of both engines.
    const { openScaledStore } = await import("./open-scaled-store.ts");
    return openScaledStore(scaled, parts);
  }
  if (dataDirectory === undefined) throw new TypeError("Give dataDirectory or scaled");
  return openEmbeddedStore(dataDirectory, parts);
}

/** Serves a store that is open; closing the service closes it. A rejection leaves it open. */
export async function serveStore(given: ServiceConfig, store: Store): Promise<Service> {
  // Processes that share a store share its time, too.
  const config = withDefaults({ ...given, ...(store.member && { clock: store.member.clock }) });
  const signals = await makeSignals(config, store);
  try {
    return await startService(config, store, signals);
  } catch (error) {
    await signals.stop();
    await signals.close();
    throw error;
  }
}

/**
 * The service could not start, for its cause, after it had minted the first key pair of a store
 * that has no folder to keep it in: its secret has to be shown now, or nobody will ever know it.
 */
export class FirstKeyUnseenError extends Error {
  override readonly name = "FirstKeyUnseenError";
  readonly firstKey: FirstKey;

  constructor(firstKey: FirstKey, cause: unknown) {
    super(cause instanceof Error ? cause.message : String(cause), { cause });
    this.firstKey = firstKey;
  }
}

async function startService(
  config: ClockedConfig,
  store: Store,
  signals: Signals,
): Promise<Service> {
  const { clock, random } = config;
  const keys = await openKeyRing(config, store);
  const work = new WorkThreads();
  const log = logger(config.log, clock);
  const blocks = await openBlocks({ ...store, keys, work, log }, signals);
  const owners = { identity: store.catalog.identity, random, clock };
  const firstKey = await ensureFirstAccount(owners, config.keyPair);
  const parts = { config, store, signals, keys, work, log, blocks };
  try {
    return await startFor(firstKey, parts);
  } catch (error) {
    const isUnseen = firstKey.origin === "minted" && store.member !== undefined;
    throw isUnseen ? new FirstKeyUnseenError(firstKey, error) : error;
  }
}

interface StartParts {
  readonly config: ClockedConfig;
  readonly store: Store;
  readonly signals: Signals;
  readonly keys: KeyRing;
  readonly work: WorkThreads;
  readonly log: Logger;
  readonly blocks: BlockStore;
}

async function startFor(
  firstKey: FirstKey,
  { config, store, signals, keys, work, log, blocks }: StartParts,
): Promise<Service> {
  const { clock, random, region } = config;
  const { catalog, failed } = store;
  const emulation = config.emulation && withSeed(config.emulation, random);
  await store.claim(firstKey.key.account);
  const credentialsPath =
    firstKey.origin === "given" ? undefined : await store.keepCredentials(firstKey.key);
  const core = await makeCore({ ...config, emulation }, { ...store, blocks, keys });
  await watchForDamage(core, log);
  const sessions = new SessionTokens(core.tokenSecrets.sessions, { clock, random });
  if (!store.isReadOnly) await core.sealer.resume(core.leads());
  const serverSignals = await signals.start(core);
  const server = await listen(
    {
      core,
      random,
      clock,
      region,
      verifier: new SignatureVerifier(keyFinder(catalog, firstKey), sessions),
      sessions,
      buffers: new BufferPool(clock),
      answerConsole: createConsole(config.consoleFiles, region),
      answerHealth: createHealth(clock, store.engines),
      emulation: emulation && createEmulation({ clock }, emulation),
      signals: serverSignals,
      callAudit: serverSignals.audit && new CallAudit(serverSignals.audit),
      onError: (requestId, error) => log("A request failed", { requestId, error }),
      onAnswered: config.accessLog ? accessLog(log) : undefined,
    },
    config,
  );
  const chores = store.isReadOnly ? [] : beginChores(core, log, choresOf(core, config, store));
  const close = async () => {
    await server.close();
    const longWork = [core.collector.stop(), core.copier.stop()];
    await Promise.all([...chores.map((chore) => chore.stop()), ...longWork, signals.stop()]);
    await core.sealer.idle();
    // So that nobody who was answered depends on the catalog alone from here on.
    const onError = (error: unknown) => log("Journaling failed", { error });
    if (!store.isReadOnly) await core.journaler.flush().catch(onError);
    await blocks.idle();
    await Promise.all([work.close(), signals.close()]);
    await store.close();
  };
  let closing: Promise<void> | undefined;
  const host = config.host.includes(":") ? `[${config.host}]` : config.host;
  return {
    endpoint: `${config.tls ? "https" : "http"}://${host}:${server.port}`,
    region,
    dataDirectory: store.place,
    firstKey,
    credentialsPath,
    emulation,
    failed,
    core,
    renewCertificate(tls) {
      server.renew(tls);
      signals.renewCertificate(tls);
    },
    metricsEndpoint: signals.metricsEndpoint,
    reopenFiles: () => signals.reopenFiles(),
    close() {
      closing ??= close();
      return closing;
    },
  };
}

/** Throws where the folder's catalog is older than its segments. */
async function checkCatalogAge(store: Store, blocks: BlockStore, log: Logger): Promise<void> {
  const onError = (segment: number, error: unknown) =>
    log("A segment could not be looked at", { segment, error });
  const segment = await findLaterSegment({ ...store, blocks, onError });
  if (segment === undefined) return;
  throw new Error(
    `The catalog in ${store.place} is older than the segments there: it knows nothing of what ` +
      `was stored in segment ${segment}. Put the latest back, or make one anew: varve rebuild.`,
  );
}

async function openBlocks(
  store: Store & { readonly keys: KeyRing; readonly work: BlockWork; readonly log: Logger },
  { watch }: Signals,
): Promise<BlockStore> {
  const { segments, catalog, keys, work, member, log } = store;
  const { liveness } = catalog;
  const looksUpTogether = member !== undefined;
  const parts = { blocks: watchedBlocks(catalog.blocks, watch), liveness, work, looksUpTogether };
  const blocks = new BlockStore(watchedSegments(segments, watch), parts, keys);
  // Of a bucket, the numbers of its segments have told.
  if (!member) await checkCatalogAge(store, blocks, log);
  return blocks;
}

function accessLog(log: Logger) {
  return (request: AccessLine) => log("A request was answered", request, "info");
}

/** A key that was given is stored nowhere. */
function keyFinder({ identity }: Catalog, { origin, key }: FirstKey) {
  return async (accessKeyId: string) =>
    origin === "given" && key.accessKeyId === accessKeyId ? key : identity.accessKey(accessKeyId);
}

function beginChores(core: Core, log: Logger, chores: Chores): { stop(): Promise<void> }[] {
  const begun = startChores(core, log, chores);
  core.scrubber.start();
  // A catalog that cannot be read is told by the next look for copies.
  core.copier.resume().catch(() => undefined);
  return [...begun, core.scrubber];
}

/** What chores are to do besides what every core needs. */
function choresOf(
  { startOptions }: Core,
  { emulation = {} }: ServiceConfig,
  { room, member }: Store,
): Chores {
  const { collectMinutes, tokenSecretDays } = startOptions;
  return {
    lookForRoom: () => room.look(),
    ...{ collectMinutes, tokenSecretDays },
    timeoutMs: latenessOf(emulation).timeoutMs,
    putsOffSealings: emulation.aws ?? false,
    isShared: member !== undefined,
  };
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
