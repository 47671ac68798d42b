import {
  type DamagedRecordDescription,
  readScrubStoreResponse,
  type ScrubStoreRequest,
  type ScrubStoreResponse,
  writeScrubStoreRequest,
} from "../../wire/admin/scrub.ts";
import type { CallOptions, Client } from "../call/client.ts";
import { integrityError } from "../errors.ts";

/** Damaged records kept of one scrub; beyond that they are counted. */
const DAMAGED_RECORDS_COUNT_MAX = 1_000;

/** What to scrub. */
export interface ScrubOptions {
  /** The `part`-th of `parts` equal samples of all records, from 1; left out for all. */
  readonly sample?: { readonly part: number; readonly parts: number } | undefined;
  readonly onProgress?: ((progress: ScrubProgress) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** How far a scrub is. */
export interface ScrubProgress {
  readonly bytesTotal: number;
  readonly bytesDone: number;
}

/** What a scrub found. */
export interface ScrubResult {
  readonly recordsVerified: number;
  readonly bytesVerified: number;
  readonly damagedRecordCount: number;
  /** The first 1,000 of them. */
  readonly damagedRecords: readonly DamagedRecordDescription[];
  /** Records whose encryption key cannot be had: read, but not hashed. */
  readonly lockedRecordCount: number;
  /** What the catalog has wrong. */
  readonly catalogFaults: readonly string[];
  readonly seconds: number;
}

/**
 * Has a Varve read again what it stores, and hash it. Answered to access keys of the first account
 * without a policy. Ends when the caller ends it; what was found is remembered by the service.
 */
export async function scrubStore(
  client: Client,
  { sample, onProgress, signal }: ScrubOptions = {},
): Promise<ScrubResult> {
  const startedMs = client.clock.monotonicMs();
  const counts = { recordsVerified: 0, bytesVerified: 0, damagedRecordCount: 0 };
  const damagedRecords: DamagedRecordDescription[] = [];
  let lockedRecordCount = 0;
  const samples = { SamplePart: sample?.part, SampleParts: sample?.parts };
  for (let NextToken: string | undefined; ; ) {
    const step = await scrubStep(client, { ...samples, NextToken }, { signal });
    counts.recordsVerified += step.RecordsVerified;
    counts.bytesVerified += step.BytesVerified;
    counts.damagedRecordCount += step.DamagedRecords.length;
    const room = DAMAGED_RECORDS_COUNT_MAX - damagedRecords.length;
    damagedRecords.push(...step.DamagedRecords.slice(0, room));
    lockedRecordCount += step.LockedRecordCount;
    onProgress?.({ bytesTotal: step.BytesTotal, bytesDone: step.BytesDone });
    if (step.NextToken === null) {
      const { CatalogFaults: catalogFaults } = step;
      const seconds = (client.clock.monotonicMs() - startedMs) / 1000;
      return { ...counts, damagedRecords, lockedRecordCount, catalogFaults, seconds };
    }
    if (step.NextToken === NextToken) {
      throw integrityError("ScrubStore", "The service does not go on.");
    }
    NextToken = step.NextToken;
  }
}

function scrubStep(
  client: Client,
  input: ScrubStoreRequest,
  options: CallOptions,
): Promise<ScrubStoreResponse> {
  const request = writeScrubStoreRequest(input);
  const read = readScrubStoreResponse;
  return client.send({ operation: "ScrubStore", service: "ebs", request, read }, options);
}
