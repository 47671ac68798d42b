import { assert } from "./base/assert.ts";
import { LruCache } from "./base/lru-cache.ts";
import { Compactor } from "./blocks/compactor.ts";
import { Journaler } from "./blocks/journaler.ts";
import { Scrubber } from "./blocks/scrubber.ts";
import { KeyRing } from "./keys/key-ring.ts";
import { openKeyEncryptionKey } from "./keys/open-key-encryption-key.ts";
import { TokenSecrets } from "./keys/token-secrets.ts";
import type { Domain } from "./model/ids.ts";
import {
  COLLECT_MINUTES_DEFAULT,
  KEY_RECHECK_MS,
  NODE_CACHE_BYTES_MAX,
  RECYCLE_BIN_DAYS_MAX,
  SCRUB_DAYS_DEFAULT,
  SCRUB_DAYS_MAX,
  TOKEN_SECRET_DAYS_DEFAULT,
  TOKEN_SECRET_DAYS_MAX,
  TOKEN_SECRET_SPREAD_MS,
} from "./model/limits.ts";
import { logger } from "./model/log.ts";
import type { Store } from "./open-store.ts";
import { emulatedSealing } from "./server/emulation/aws.ts";
import type { ClockedConfig } from "./service-config.ts";
import { AwsTokens } from "./snapshots/aws-tokens.ts";
import { Collections } from "./snapshots/collections.ts";
import { Collector } from "./snapshots/collector.ts";
import { Copier } from "./snapshots/copier.ts";
import type { Core, StartOptions } from "./snapshots/core.ts";
import { Sealer } from "./snapshots/sealer.ts";
import { Tokens } from "./snapshots/tokens.ts";
import { BlockMaps } from "./tree/block-map.ts";
import type { Node } from "./tree/node.ts";

/** Opens what encrypts, and changes over to a new key-encryption key where one is given. */
export async function openKeyRing(config: ClockedConfig, store: Store): Promise<KeyRing> {
  const { random, clock } = config;
  const { keyEncryptionKey: given, previousKeyEncryptionKey: previous } = config;
  const source = given ?? (await store.ownKeyEncryptionKey());
  const keyEncryptionKey = openKeyEncryptionKey(source, random);
  const keys = new KeyRing({
    ...{ table: store.catalog.encryption, keyEncryptionKey, random, clock },
    recheckMs: store.member && KEY_RECHECK_MS,
  });
  await keys.rewrap(previous && openKeyEncryptionKey(previous, random));
  return keys;
}

/** Makes what all operations work with. */
export async function makeCore(
  config: ClockedConfig,
  parts: Store & Pick<Core, "blocks" | "keys">,
): Promise<Core> {
  const { catalog, segments, blocks, keys, room } = parts;
  const { clock, random } = config;
  const log = logger(config.log, clock);
  const leads = () => parts.member?.isLeader() ?? true;
  const tokenSecrets = await TokenSecrets.open({
    ...{ table: catalog.identity, clock, random },
    spreadMs: parts.member && TOKEN_SECRET_SPREAD_MS,
  });
  // One cache for all accounts: a node's digest says all of its contents.
  const nodes = new LruCache<Node>(NODE_CACHE_BYTES_MAX, (node) => node.sizeBytes);
  const maps = (domain: Domain) => new BlockMaps(blocks.nodeStore(domain), nodes);
  const onError = (snapshotId: string, error: unknown) =>
    log("Sealing failed and will be tried again", { snapshotId, error });
  const { region, recycleBinDays = 0, emulation = {} } = config;
  const emulated = emulatedSealing(emulation);
  const sealer = new Sealer({ catalog, blocks, maps, clock, onError, emulated });
  const copier = new Copier({
    ...{ catalog, blocks, maps, sealer, leads },
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
  const collections = new Collections({ collector, clock, table: catalog.requests, leads });
  const [owner] = await catalog.identity.accounts();
  assert(owner !== undefined, "there is a first account");
  const journaler = new Journaler({
    ...{ table: catalog.journal, blocks },
    domain: () => keys.storeDomain(owner),
  });
  const tokens = new (emulation.aws ? AwsTokens : Tokens)(tokenSecrets.tokens, clock, random);
  checkDays("recycleBinDays", recycleBinDays, RECYCLE_BIN_DAYS_MAX);
  checkDays("tokenSecretDays", config.tokenSecretDays ?? 0, TOKEN_SECRET_DAYS_MAX);
  const settings = { region, recycleBinDays, checkRoom: () => room.checkRoom() };
  const startOptions = startOptionsOf(config);
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
    leads,
    startOptions,
    ...settings,
  };
}

/** What can be asked of how the service was started. */
function startOptionsOf(config: ClockedConfig): StartOptions {
  const { emulation } = config;
  const told = Object.entries(emulation ?? {}).filter(([, value]) => value !== undefined);
  return {
    collectMinutes: config.collectMinutes ?? COLLECT_MINUTES_DEFAULT,
    scrubDays: config.scrubDays ?? SCRUB_DAYS_DEFAULT,
    tokenSecretDays: config.tokenSecretDays ?? TOKEN_SECRET_DAYS_DEFAULT,
    isKeyEncryptionKeyGiven: config.keyEncryptionKey !== undefined,
    emulation: told.length === 0 ? undefined : Object.fromEntries(told),
  };
}

function makeScrubber(
  config: ClockedConfig,
  { catalog, blocks, segments, member }: Store & Pick<Core, "blocks">,
): Scrubber {
  const { clock, scrubDays: days = SCRUB_DAYS_DEFAULT } = config;
  checkDays("scrubDays", days, SCRUB_DAYS_MAX);
  const log = logger(config.log, clock);
  const onError = (error: unknown) => log("Scrubbing failed and will be tried again", { error });
  const leads = () => member?.isLeader() ?? true;
  const table = catalog.scrubs;
  return new Scrubber({ blocks, table, segments, clock, days, onError, leads });
}

function checkDays(name: string, days: number, daysMax: number): void {
  if (!(days >= 0 && days <= daysMax)) {
    throw new RangeError(`${name} is ${days}, not 0 to ${daysMax}`);
  }
}
