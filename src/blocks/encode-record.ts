import type { Digest, RecordName } from "../model/digest.ts";
import { CorruptionError } from "../model/errors.ts";
import type { Domain } from "../model/ids.ts";
import type { Entry } from "../segments/segment-store.ts";
import { CODEC, decodePayload, encodePayload } from "./codec.ts";
import { type DomainCipher, TAG_BYTES } from "./domain-cipher.ts";
import { digestOf } from "./hash.ts";
import {
  decodeRecord,
  encodeRecordHeader,
  type RecordHeader,
  type RecordKind,
  sealedPart,
} from "./record.ts";

/** What a record holds, and how it is called. */
export interface RecordIdentity {
  readonly kind: RecordKind;
  readonly domain: Domain;
  readonly digest: Digest;
  /** The digest, masked in an encrypted domain. */
  readonly name: RecordName;
}

/** Makes the bytes of a record: compressed where that helps, encrypted where there is a cipher. */
export async function encodeRecord(
  { kind, domain, digest, name }: RecordIdentity,
  plain: Uint8Array,
  cipher: DomainCipher | undefined,
): Promise<Entry> {
  const { codec, bytes: payload } = await encodePayload(plain);
  const common = { kind, codec, domain, name, plainLength: plain.length };
  if (!cipher) {
    const header = { ...common, storedLength: payload.length, seal: undefined };
    return [encodeRecordHeader(header), payload];
  }
  const seal = cipher.sealFor(codec === CODEC.raw ? digest : digestOf(payload));
  const header = encodeRecordHeader({ ...common, storedLength: payload.length + TAG_BYTES, seal });
  return [header, cipher.encrypt(common, seal, { covered: sealedPart(header), payload })];
}

/**
 * Gets the plain bytes back out of a record, whatever they hash to. Throws a `CorruptionError` that
 * says what is wrong with it; without a cipher for what is encrypted, and with one for what is not.
 */
export async function openRecord(
  record: Uint8Array,
  cipher: DomainCipher | undefined,
): Promise<{ readonly header: RecordHeader; readonly plain: Uint8Array }> {
  const { header, payload, headerBytes } = decodeRecord(record);
  if (!header.seal) {
    // Or whoever can write to the disk could have anything taken for what was encrypted.
    if (cipher) throw new CorruptionError(`A record of ${header.domain} is not encrypted`);
    return { header, plain: await decodePayload(payload, header.plainLength) };
  }
  if (!cipher) throw new CorruptionError(`A record of ${header.domain} is encrypted`);
  const sealed = { covered: sealedPart(headerBytes), payload: payload.bytes };
  const bytes = cipher.decrypt(header, header.seal, sealed);
  return { header, plain: await decodePayload({ ...payload, bytes }, header.plainLength) };
}
