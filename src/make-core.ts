import { assert } from "./base/assert.ts";
import { LruCache } from "./base/lru-cache.ts";
import { Compactor, type CompactorParts } from "./blocks/compactor.ts";
import { Journaler } from "./blocks/journaler.ts";
import { Scrubber } from "./blocks/scrubber.ts";
import { KeyRing } from "./keys/key-ring.ts";
import { openKeyEncryptionKey } from "./keys/open-key-encryption-key.ts";
import { TokenSecrets } from "./keys/token-secrets.ts";
import type { AccountId, Domain } from "./model/ids.ts";
import {
  COLLECT_MINUTES_DEFAULT,
  KEY_RECHECK_MS,
  NODE_CACHE_BYTES_MAX,
  PENDING_SEEN_COUNT_MAX,
  RECYCLE_BIN_DAYS_MAX,
  SCRUB_DAYS_DEFAULT,
  SCRUB_DAYS_MAX,
  TOKEN_SECRET_DAYS_DEFAULT,
  TOKEN_SECRET_DAYS_MAX,
  TOKEN_SECRET_SPREAD_MS,
} from "./model/limits.ts";
import { logger } from "./model/log.ts";
import type { Store } from "./open-store.ts";
import type { SegmentStore } from "./segments/segment-store.ts";
import { emulatedSealing } from "./server/emulation/aws.ts";
import type { ClockedConfig } from "./service-config.ts";
import { Collections } from "./snapshots/chores/collections.ts";
import { Collector } from "./snapshots/chores/collector.ts";
import { Copier } from "./snapshots/chores/copier.ts";
import { type EmulatedSealing, Sealer } from "./snapshots/chores/sealer.ts";
import type { Core, StartOptions } from "./snapshots/core.ts";
import { AwsTokens } from "./snapshots/tokens/aws-tokens.ts";
import { Tokens } from "./snapshots/tokens/tokens.ts";
import { BlockMaps } from "./tree/block-map.ts";
import type { Node } from "./tree/node.ts";

/** Opens what encrypts, and changes over to a new key-encryption key where one is given. */
export async function openKeyRing(config: ClockedConfig, store: Store): Promise<KeyRing> {
  const { random, clock } = config;
  const { keyEncryptionKey: given, previousKeyEncryptionKey: previous } = config;
  const source = given ?? (await store.ownKeyEncryptionKey(previous !== undefined));
  const keyEncryptionKey = openKeyEncryptionKey(source, random);
  const keys = new KeyRing({
    ...{ table: store.catalog.encryption, keyEncryptionKey, random, clock },
    recheckMs: store.member && KEY_RECHECK_MS,
  });
  await keys.rewrap(previous && openKeyEncryptionKey(previous, random));
  return keys;
}

/** Makes what all operations of a service work with. */
export async function makeCore(
  config: ClockedConfig,
  parts: Store & Pick<Core, "blocks" | "keys">,
): Promise<Core> {
  const { catalog, segments, blocks, keys, room, member } = parts;
  const { clock, random, region, recycleBinDays = 0, emulation = {} } = config;
  const startOptions = startOptionsOf(config);
  const { scrubDays, tokenSecretDays } = startOptions;
  checkDays("scrubDays", scrubDays, SCRUB_DAYS_MAX);
  checkDays("recycleBinDays", recycleBinDays, RECYCLE_BIN_DAYS_MAX);
  checkDays("tokenSecretDays", tokenSecretDays, TOKEN_SECRET_DAYS_MAX);
  const [owner] = await catalog.identity.accounts();
  assert(owner !== undefined, "there is a first account");
  return composeCore({
    ...{ catalog, segments, blocks, keys, owner, clock, random, scrubDays },
    ...{ region, recycleBinDays, checkRoom: () => room.checkRoom() },
    hasRoomToMove: (sizeBytes) => room.hasRoomToMove(sizeBytes),
    leads: () => member?.isLeader() ?? true,
    tokenSecretSpreadMs: member && TOKEN_SECRET_SPREAD_MS,
    seenPending: member && new LruCache(PENDING_SEEN_COUNT_MAX, () => 1),
    nodeCacheBytes: NODE_CACHE_BYTES_MAX,
    emulated: emulatedSealing(emulation),
    hasAwsTokens: emulation.aws === true,
    startOptions,
    onFailure: logger(config.log, clock),
  });
}

/** What a core is composed of. */
export interface CoreParts
  extends Pick<Core, "catalog" | "blocks" | "keys" | "clock" | "random" | "leads">,
    Pick<Core, "region" | "recycleBinDays" | "checkRoom" | "startOptions" | "seenPending"> {
  readonly segments: SegmentStore;
  /** Where there is a disk that can be full; see `Room`. */
  readonly hasRoomToMove?: CompactorParts["hasRoomToMove"];
  /** The first account, which the journal's key is made for. */
  readonly owner: AccountId;
  /** 0 for no scrub but those asked for. */
  readonly scrubDays: number;
  /** Between processes that share a store; see `TokenSecrets`. */
  readonly tokenSecretSpreadMs: number | undefined;
  /** Bytes of nodes kept in memory. */
  readonly nodeCacheBytes: number;
  readonly emulated: EmulatedSealing | undefined;
  /** True to mint tokens that look like AWS's. */
  readonly hasAwsTokens: boolean;
  /** Hears of work in the background that failed; all of it is tried again. */
  readonly onFailure: (message: string, details: { readonly error: unknown }) => void;
}

/** Makes what all operations work with, of its parts. */
export async function composeCore(parts: CoreParts): Promise<Core> {
  const { catalog, segments, blocks, keys, clock, random, leads, onFailure } = parts;
  const { region, recycleBinDays, checkRoom, startOptions, emulated, nodeCacheBytes } = parts;
  const { seenPending } = parts;
  const tell = (message: string, what: string) => (id: unknown, error: unknown) =>
    onFailure(message, { [what]: id, error });
  // One cache for all accounts: a node's digest says all of its contents.
  const nodes = new LruCache<Node>(nodeCacheBytes, (node) => node.sizeBytes);
  const maps = (domain: Domain) => new BlockMaps(blocks.nodeStore(domain), nodes);
  const sealer = new Sealer({
    ...{ catalog, blocks, maps, clock, emulated },
    onError: tell("Sealing failed and will be tried again", "snapshotId"),
  });
  const copier = new Copier({
    ...{ catalog, blocks, maps, sealer, leads },
    onError: tell("Copying failed and will be tried again", "snapshotId"),
  });
  const compactor = new Compactor({
    ...{ segments, table: catalog.segments, blocks },
    hasRoomToMove: parts.hasRoomToMove,
    onError: tell("A segment could not be given back", "segment"),
  });
  const collector = new Collector({
    ...{ catalog, blocks, maps, compactor, clock },
    journal: {
      flush: () => journaler.flush(),
      onError: (error) => onFailure("Journaling before a collection failed", { error }),
    },
    onError: tell("A domain could not be collected", "domain"),
  });
  const collections = new Collections({ collector, clock, table: catalog.requests, leads });
  const journaler = new Journaler({
    ...{ table: catalog.journal, blocks },
    domain: () => keys.storeDomain(parts.owner),
  });
  const scrubber = new Scrubber({
    ...{ blocks, table: catalog.scrubs, segments, clock, days: parts.scrubDays, leads },
    onError: (error) => onFailure("Scrubbing failed and will be tried again", { error }),
  });
  const tokenSecrets = await TokenSecrets.open({
    ...{ table: catalog.identity, clock, random, spreadMs: parts.tokenSecretSpreadMs },
  });
  const tokens = new (parts.hasAwsTokens ? AwsTokens : Tokens)(tokenSecrets.tokens, clock, random);
  return {
    ...{ catalog, blocks, keys, maps, tokens, tokenSecrets, sealer, copier, collector },
    ...{ collections, journaler, scrubber, clock, random, leads },
    ...{ region, recycleBinDays, checkRoom, startOptions, seenPending },
  };
}

/** How the service was started, defaults filled in: what can be asked of it, and goes by it. */
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

function checkDays(name: string, days: number, daysMax: number): void {
  if (!(days >= 0 && days <= daysMax)) {
    throw new RangeError(`${name} is ${days}, not 0 to ${daysMax}`);
  }
}
