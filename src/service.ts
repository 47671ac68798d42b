import { systemClock } from "./base/clock.ts";
import { systemRandom } from "./base/random.ts";
import { BlockStore } from "./blocks/block-store.ts";
import type { BlockWork } from "./blocks/block-work.ts";
import { WorkThreads } from "./blocks/work-threads.ts";
import type { Catalog } from "./catalog/catalog.ts";
import { ensureFirstAccount, type FirstKey } from "./identity/first-account.ts";
import { SessionTokens } from "./identity/session-tokens.ts";
import { SignatureVerifier } from "./identity/signature-verifier.ts";
import type { KeyRing } from "./keys/key-ring.ts";
import type { KeyEncryptionKeySource } from "./keys/open-key-encryption-key.ts";
import { makeCore, openKeyRing } from "./make-core.ts";
import { makeSignals, type Signals } from "./make-signals.ts";
import { COLLECT_MINUTES_DEFAULT, TOKEN_SECRET_DAYS_DEFAULT } from "./model/limits.ts";
import { type LogEntry, type Logger, logger } from "./model/log.ts";
import { openEmbeddedStore, type Room, type Store } from "./open-store.ts";
import { CallAudit } from "./server/audit-calls.ts";
import { BufferPool } from "./server/buffer-pool.ts";
import { createConsole } from "./server/console.ts";
import { latenessOf } from "./server/emulation/aws.ts";
import { createEmulation, withSeed } from "./server/emulation/create-emulation.ts";
import type { EmulationConfig } from "./server/emulation/emulation.ts";
import { createHealth } from "./server/health.ts";
import { listen, type TlsIdentity } from "./server/http-server.ts";
import type { ServiceConfig } from "./service-config.ts";
import { watchedBlocks, watchedSegments } from "./signals/store-watch.ts";
import { type Chores, startChores } from "./snapshots/chores.ts";
import type { Core } from "./snapshots/core.ts";

export type { EmulationConfig, KeyEncryptionKeySource, LogEntry, ServiceConfig, TlsIdentity };

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
  /** Goes on in a new audit log, after the file so far was renamed. */
  reopenFiles(): Promise<void>;
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
  const log = logger(config.log, clock);
  const store = await openEmbeddedStore(config.dataDirectory, { clock, random, log });
  let signals: Signals | undefined;
  try {
    signals = await makeSignals({ ...config, clock, random }, store);
    return await startService(config, store, signals);
  } catch (error) {
    await signals?.stop();
    await signals?.close();
    await store.close();
    throw error;
  }
}

async function startService(
  config: ServiceConfig,
  store: Store,
  signals: Signals,
): Promise<Service> {
  const { clock = systemClock, random = systemRandom, region } = config;
  const { catalog, failed } = store;
  const log = logger(config.log, clock);
  const emulation = config.emulation && withSeed(config.emulation, random);
  const owners = { identity: catalog.identity, random, clock };
  const firstKey = await ensureFirstAccount(owners, config.keyPair);
  const credentialsPath =
    firstKey.origin === "given" ? undefined : await store.keepCredentials(firstKey.key);
  const keys = await openKeyRing({ ...config, clock, random }, store);
  const work = new WorkThreads();
  const blocks = watchedBlockStore({ ...store, keys, work }, signals);
  const core = await makeCore({ ...config, emulation, clock, random }, { ...store, blocks, keys });
  await watchForDamage(core, log);
  const sessions = new SessionTokens(core.tokenSecrets.sessions, { clock, random });
  await core.sealer.resume();
  const serverSignals = signals.start(core);
  const { audit } = serverSignals;
  const server = await listen(
    {
      core,
      random,
      clock,
      region,
      verifier: new SignatureVerifier(keyFinder(catalog, firstKey), sessions),
      sessions,
      buffers: new BufferPool(),
      answerConsole: createConsole(config.consoleFiles, region),
      answerHealth: createHealth(clock, store.engines),
      emulation: emulation && createEmulation({ clock }, emulation),
      signals: serverSignals,
      callAudit: audit && new CallAudit(audit),
      onError: (requestId, error) => log("A request failed", { requestId, error }),
    },
    config,
  );
  const chores = [...startChores(core, log, choresOf(config, store.room)), core.scrubber];
  core.scrubber.start();
  // A catalog that cannot be read is told by the next look for copies.
  core.copier.resume().catch(() => undefined);
  const close = async () => {
    await server.close();
    const longWork = [core.collector.stop(), core.copier.stop()];
    await Promise.all([...chores.map((chore) => chore.stop()), ...longWork, signals.stop()]);
    await core.sealer.idle();
    // So that nobody who was answered depends on the catalog alone from here on.
    await core.journaler.flush().catch((error: unknown) => log("Journaling failed", { error }));
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
    renewCertificate: (tls) => server.renew(tls),
    reopenFiles: () => signals.reopenFiles(),
    close() {
      closing ??= close();
      return closing;
    },
  };
}

function watchedBlockStore(
  { segments, catalog, keys, work }: Store & { readonly keys: KeyRing; readonly work: BlockWork },
  { watch }: Signals,
): BlockStore {
  const { liveness } = catalog;
  const parts = { blocks: watchedBlocks(catalog.blocks, watch), liveness, work };
  return new BlockStore(watchedSegments(segments, watch), parts, keys);
}

/** A key that was given is stored nowhere. */
function keyFinder({ identity }: Catalog, { origin, key }: FirstKey) {
  return async (accessKeyId: string) =>
    origin === "given" && key.accessKeyId === accessKeyId ? key : identity.accessKey(accessKeyId);
}

/** What chores are to do besides what every core needs. */
function choresOf(config: ServiceConfig, room: Room): Chores {
  const { emulation = {}, collectMinutes, tokenSecretDays } = config;
  return {
    lookForRoom: () => room.look(),
    collectMinutes: collectMinutes ?? COLLECT_MINUTES_DEFAULT,
    tokenSecretDays: tokenSecretDays ?? TOKEN_SECRET_DAYS_DEFAULT,
    timeoutMs: latenessOf(emulation).timeoutMs,
    putsOffSealings: emulation.aws ?? false,
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
