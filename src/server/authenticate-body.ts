import { hash } from "node:crypto";
import type { Principal } from "../identity/principal.ts";
import { digestFromChecksum } from "../model/digest.ts";
import { UNPROVEN_BODY_BYTES_MAX } from "../model/limits.ts";
import { ServiceFault } from "../wire/errors.ts";
import { UNSIGNED_PAYLOAD } from "../wire/signature.ts";
import {
  authenticate,
  declaredPayloadHash,
  payloadMismatch,
  readSignature,
  type SignedRequest,
} from "./access/authenticate.ts";
import type { Exchange, ExchangeParts } from "./exchange-parts.ts";
import type { RequestHead } from "./http/raw-request.ts";
import { bodyBytesMax, readBlockBody, readSmallBody } from "./http/request-body.ts";
import { whileThere } from "./http/waiting-lines.ts";

/**
 * A small body is read only after the signature is verified, when the request says what its
 * payload hash is; where it does not, the body has to be read for its hash.
 */
export async function authenticateBody(
  parts: ExchangeParts,
  exchange: Exchange,
  { head, service }: { readonly head: RequestHead; readonly service: string },
): Promise<{ readonly principal: Principal; readonly body: Uint8Array }> {
  const declared = declaredPayloadHash(head);
  const prove = (payloadHash: string) =>
    authenticatePeer(parts, exchange, { head, service, payloadHash });
  if (declared === undefined) {
    const bytesMax = bodyBytesMax(exchange);
    // What no body makes right is refused before one is read.
    if (bytesMax > 0) readSignature(parts, head, { service, payloadHash: UNSIGNED_PAYLOAD });
    const read = () => readSmallBody(exchange);
    const isLarge = bytesMax > UNPROVEN_BODY_BYTES_MAX;
    const body = await (isLarge ? inUnprovenPlace(parts, exchange, read) : read());
    exchange.facts.body = body;
    return { principal: await prove(hash("sha256", body, "hex")), body };
  }
  const principal = await prove(declared);
  const body = await readSmallBody(exchange);
  exchange.facts.body = body;
  if (declared !== hash("sha256", body, "hex")) throw payloadMismatch();
  return { principal, body };
}

/** A block and who sent it, as far as that is known. */
export interface ClaimedBlock {
  readonly principal: Principal;
  readonly body: Uint8Array;
  /**
   * Where the access key was only known as it was before: looks it up. Rejects with a `KeyChanged`
   * when it is another by now, so that what `principal` says does not count.
   */
  readonly confirm?: (() => Promise<void>) | undefined;
}

/** An access key is not what it was when it was last seen. */
export class KeyChanged extends Error {
  override readonly name = "KeyChanged";
}

/**
 * Like `authenticateBlock`, but takes an access key for what it was when it was last looked up,
 * where that is known: to look it up once more is left to `confirm`. Nothing may be made durable
 * and nothing may be answered, errors included, before that has resolved.
 */
export async function claimBlock(
  parts: ExchangeParts,
  exchange: Exchange,
  head: RequestHead,
): Promise<ClaimedBlock> {
  const claim = readSignature(parts, head, signedBlock(head));
  const declared = declaredPayloadHash(head);
  const isBound = declared === undefined || isBoundByChecksum(head, declared);
  const principal = isBound ? parts.verifier.verifySeen(claim) : undefined;
  if (principal === undefined) return authenticateBlock(parts, exchange, head);
  exchange.facts.principal = principal;
  const confirm = async () => {
    const now = await parts.verifier.verify(claim);
    if (typeof now === "string" || !isSame(now, principal)) throw new KeyChanged();
    exchange.peer.prove();
  };
  return { principal, body: await readBlockBody(exchange, await exchange.borrow()), confirm };
}

/** Who sent a block after all, where its access key has changed. */
export function authenticateChanged(
  parts: ExchangeParts,
  exchange: Exchange,
  head: RequestHead,
): Promise<Principal> {
  exchange.facts.principal = undefined;
  return authenticatePeer(parts, exchange, { head, ...signedBlock(head) });
}

/** What the signature of a block is over, besides its head. */
function signedBlock(head: RequestHead): SignedRequest {
  return { service: "ebs", payloadHash: declaredPayloadHash(head) ?? UNSIGNED_PAYLOAD };
}

/** Policies are the same object as long as their text is the same. */
function isSame(now: Principal, before: Principal): boolean {
  return now.account === before.account && now.arn === before.arn && now.policy === before.policy;
}

/**
 * A block is read only after the signature is verified, when the request says what its payload
 * hash is. Where it does not, the hash of the body or no hash at all may have been signed.
 */
export async function authenticateBlock(
  parts: ExchangeParts,
  exchange: Exchange,
  head: RequestHead,
): Promise<{ readonly principal: Principal; readonly body: Uint8Array }> {
  const { borrow } = exchange;
  const declared = declaredPayloadHash(head);
  const prove = (payloadHash: string) =>
    authenticatePeer(parts, exchange, { head, service: "ebs", payloadHash });
  try {
    const principal = await prove(declared ?? UNSIGNED_PAYLOAD);
    const body = await readBlockBody(exchange, await borrow());
    const isBound = declared === undefined || isBoundByChecksum(head, declared);
    if (!isBound && declared !== hash("sha256", body, "hex")) throw payloadMismatch();
    return { principal, body };
  } catch (error) {
    const isSignature = error instanceof ServiceFault && error.code === "InvalidSignatureException";
    if (declared !== undefined || !isSignature) throw error;
  }
  readSignature(parts, head, signedBlock(head));
  return await inUnprovenPlace(parts, exchange, async () => {
    const body = await readBlockBody(exchange, await borrow());
    return { principal: await prove(hash("sha256", body, "hex")), body };
  });
}

/** Whoever waits here has proved nothing: only the client's connection bounds how many they are. */
function inUnprovenPlace<T>(
  { connections }: ExchangeParts,
  { res }: Exchange,
  read: () => Promise<T>,
): Promise<T> {
  return whileThere(res, (left) => connections.unprovenBlocks.run(read, left));
}

/** Authenticates a request, and with it the peer that sent it. */
async function authenticatePeer(
  parts: ExchangeParts,
  { peer, facts }: Exchange,
  request: SignedRequest & { readonly head: RequestHead },
): Promise<Principal> {
  const principal = await authenticate(parts, request.head, request);
  peer.prove();
  facts.principal = principal;
  return principal;
}

/**
 * True when the block's own checksum header, which is compared with the bytes anyway, already
 * binds them: nothing was declared, or the very same hash. Spares hashing the block twice.
 */
function isBoundByChecksum({ headers }: RequestHead, declared: string): boolean {
  if (declared === UNSIGNED_PAYLOAD) return true;
  return declared === digestFromChecksum(headers.get("x-amz-checksum") ?? "");
}
