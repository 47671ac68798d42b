import { formatTimeMs } from "../../base/clock.ts";
import { writeDescribeServiceResponse } from "../../wire/admin/service.ts";
import { writeDescribeStoreResponse } from "../../wire/admin/store.ts";
import { type AdminOperation, checkManagesStore } from "./admin-call.ts";

/** Damaged records that are counted; more would only say the same more slowly (ours). */
const DAMAGED_COUNT_MAX = 1_000;

/** How the store is: what the catalog keeps count of, a row for each segment and no record. */
export const describeStore: AdminOperation = async (core, call) => {
  await checkManagesStore(core, call, "DescribeStore");
  const { segments, scrubs, garbage, blocks } = core.catalog;
  const [liveBytes, verified, collectedMs, damaged] = await Promise.all([
    segments.liveBytes(),
    scrubs.scrubs(core.clock.nowMs()),
    garbage.seenMs(),
    blocks.damaged(DAMAGED_COUNT_MAX),
  ]);
  const inUse = [...liveBytes.values()].filter((bytes) => bytes > 0);
  const sinceMs = verified.reduce(
    (oldest, { verifiedAtMs }) => Math.min(oldest, verifiedAtMs),
    Number.POSITIVE_INFINITY,
  );
  return writeDescribeStoreResponse({
    StoredBytes: inUse.reduce((sum, bytes) => sum + bytes, 0),
    SegmentCount: inUse.length,
    DamagedRecordCount: damaged.length,
    VerifiedSince: Number.isFinite(sinceMs) ? formatTimeMs(sinceMs) : null,
    LastCollectionTime: collectedMs > 0 ? formatTimeMs(collectedMs) : null,
  });
};

/** How the service was started. */
export const describeService: AdminOperation = async (core, call) => {
  await checkManagesStore(core, call, "DescribeService");
  const { region, recycleBinDays, startOptions } = core;
  const { isKeyEncryptionKeyGiven } = startOptions;
  return writeDescribeServiceResponse({
    Region: region,
    RecycleBinDays: recycleBinDays,
    CollectMinutes: startOptions.collectMinutes,
    ScrubDays: startOptions.scrubDays,
    TokenSecretDays: startOptions.tokenSecretDays,
    KeyEncryptionKey: isKeyEncryptionKeyGiven ? "given at the start" : "kept with the store",
    Emulation: startOptions.emulation ?? null,
  });
};
