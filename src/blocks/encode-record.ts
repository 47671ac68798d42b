import { assert } from "../base/assert.ts";
import type { Digest, RecordName } from "../model/digest.ts";
import { CorruptionError } from "../model/errors.ts";
import type { Domain } from "../model/ids.ts";
import type { Entry } from "../segments/segment-store.ts";
import { type BlockWork, type EncodedWhole, type HashedPayload, ownWork } from "./block-work.ts";
import { CODEC } from "./codec.ts";
import type { DomainCipher } from "./domain-cipher.ts";
import {
  decodeRecord,
  encodeRecordHeader,
  type RecordHeader,
  type RecordKind,
  sealedPart,
} from "./record.ts";
import { TAG_BYTES } from "./sealed-bytes.ts";

/** What a record holds, and how it is called. */
export interface RecordIdentity {
  readonly kind: RecordKind;
  readonly domain: Domain;
  readonly digest: Digest;
  /** The digest, masked in an encrypted domain. */
  readonly name: RecordName;
}

/** Makes the bytes of a record of its encoded payload, encrypted where there is a cipher. */
export async function sealRecord(
  identity: RecordIdentity & Pick<RecordHeader, "plainLength">,
  { codec, bytes: payload, digest }: HashedPayload,
  { cipher, work }: { readonly cipher: DomainCipher | undefined; readonly work: BlockWork },
): Promise<Entry> {
  const { kind, domain, name, plainLength } = identity;
  const common = { kind, codec, domain, name, plainLength };
  if (!cipher) {
    const header = { ...common, storedLength: payload.length, seal: undefined };
    return [encodeRecordHeader(header), payload];
  }
  const payloadDigest = codec === CODEC.raw ? identity.digest : digest;
  assert(payloadDigest !== undefined, "what is to be encrypted is hashed");
  const seal = cipher.sealFor(payloadDigest);
  const header = encodeRecordHeader({ ...common, storedLength: payload.length + TAG_BYTES, seal });
  const sealing = { key: cipher.recordKey(common, seal), covered: sealedPart(header) };
  return [header, await work.encrypt(sealing, payload)];
}

/** What was in a record, whatever it hashes to. */
export interface OpenedPayload {
  readonly header: RecordHeader;
  readonly plain: Uint8Array;
  /** What the plain bytes hash to. */
  readonly digest: Digest;
}

/**
 * Gets the plain bytes back out of a record, and tells what they hash to. Throws a
 * `CorruptionError` that says what is wrong with it; without a cipher for what is encrypted, and
 * with one for what is not.
 */
export async function openRecord(
  record: Uint8Array,
  cipher: DomainCipher | undefined,
  work: BlockWork = ownWork,
): Promise<OpenedPayload> {
  const { header, payload, plainLength, sealing } = readRecord(record, cipher);
  return { header, ...(await work.decode(payload, plainLength, sealing)) };
}

/** A record's header, and what it takes to decode the rest. Throws as `openRecord` does. */
export function readRecord(
  record: Uint8Array,
  cipher: DomainCipher | undefined,
): EncodedWhole & Pick<OpenedPayload, "header"> {
  const { header, payload, headerBytes } = decodeRecord(record);
  const whole = { header, payload, plainLength: header.plainLength };
  if (!header.seal) {
    // Or whoever can write to the disk could have anything taken for what was encrypted.
    if (cipher) throw new CorruptionError(`A record of ${header.domain} is not encrypted`);
    return { ...whole, sealing: undefined };
  }
  if (!cipher) throw new CorruptionError(`A record of ${header.domain} is encrypted`);
  const sealing = { key: cipher.recordKey(header, header.seal), covered: sealedPart(headerBytes) };
  return { ...whole, sealing };
}
