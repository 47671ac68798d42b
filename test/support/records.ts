import { ownWork } from "../../src/blocks/block-work.ts";
import type { DomainCipher } from "../../src/blocks/domain-cipher.ts";
import { type RecordIdentity, sealRecord } from "../../src/blocks/encode-record.ts";
import type { Entry } from "../../src/segments/segment-store.ts";

/** The bytes of a record of plain bytes, encoded here and encrypted where there is a cipher. */
export async function encodeRecord(
  identity: RecordIdentity,
  plain: Uint8Array,
  cipher: DomainCipher | undefined,
): Promise<Entry> {
  const payload = await ownWork.encode(plain, cipher !== undefined);
  return sealRecord({ ...identity, plainLength: plain.length }, payload, { cipher, work: ownWork });
}
