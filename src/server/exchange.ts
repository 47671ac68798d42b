import { hash } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import { type Random, randomUuid } from "../base/random.ts";
import type { Principal } from "../identity/principal.ts";
import { digestFromChecksum } from "../model/digest.ts";
import { ServiceError } from "../model/errors.ts";
import type { Core } from "../snapshots/core.ts";
import { matchAdminRoute } from "../wire/admin/routes.ts";
import { QueryParameters, type QueryService, writeQueryErrorResponse } from "../wire/ec2/query.ts";
import { ServiceFault, writeErrorResponse } from "../wire/errors.ts";
import { kmsOperationOf, writeKmsErrorResponse } from "../wire/kms/message.ts";
import type { WireResponse } from "../wire/message.ts";
import { matchRoute } from "../wire/operations.ts";
import { writeListBucketsResponse, writeS3ErrorResponse } from "../wire/s3/list-buckets.ts";
import { parseAuthorization, UNSIGNED_PAYLOAD } from "../wire/signature.ts";
import { callAdminOperation } from "./admin-operations.ts";
import {
  type AuthenticationParts,
  authenticate,
  declaredPayloadHash,
  payloadMismatch,
} from "./authenticate.ts";
import { authorizeQuery, type Caller } from "./authorize.ts";
import type { BufferPool } from "./buffer-pool.ts";
import { type Call, EBS_OPERATIONS } from "./ebs-operations.ts";
import { ConnectionCut, type Emulation } from "./emulation/emulation.ts";
import { callKmsOperation } from "./kms-operations.ts";
import { callQueryAction } from "./query-actions.ts";
import { forQueryService } from "./query-errors.ts";
import { type RequestHead, readRequestHead } from "./raw-request.ts";
import { drainBody, readBlockBody, readSmallBody } from "./request-body.ts";

/** What answering requests takes. */
export interface ExchangeParts extends AuthenticationParts {
  readonly core: Core;
  readonly random: Random;
  readonly buffers: BufferPool;
  /** Quotas, delays and faults on purpose; undefined for none. */
  readonly emulation: Emulation | undefined;
  /** Hears of errors that are not the caller's: they are answered with 500 and must be seen. */
  readonly onError: (requestId: string, error: unknown) => void;
}

interface Exchange {
  readonly requestId: string;
  readonly req: IncomingMessage;
  readonly res: ServerResponse;
  /** Lends a buffer until the request is done with and its answer sent. */
  readonly borrow: () => Uint8Array;
}

/**
 * Answers one request. Never rejects: whatever goes wrong becomes an answer or a closed socket.
 * Resolves to false when this was the connection's last answer.
 */
export async function answer(
  parts: ExchangeParts,
  req: IncomingMessage,
  res: ServerResponse,
): Promise<boolean> {
  const requestId = randomUuid(parts.random);
  const lent: Uint8Array[] = [];
  const borrow = () => {
    const buffer = parts.buffers.acquire();
    lent.push(buffer);
    return buffer;
  };
  try {
    const response = await respond(parts, { requestId, req, res, borrow });
    const isDrained = await drainBody(req);
    const isLast = !isDrained || response.status === 400;
    send(res, requestId, { ...response, isLast });
    return !isLast;
  } catch (error) {
    if (error instanceof ConnectionCut) await sendPart(res, requestId, error.partOf);
    // A client that went away in the middle of its own request is no error of ours.
    else if (req.errored !== error) parts.onError(requestId, error);
    res.destroy();
    return false;
  } finally {
    // Not before both: the work may outlast the connection, and the answer outlasts the work.
    const giveBack = () => {
      for (const buffer of lent) parts.buffers.release(buffer);
    };
    if (res.closed) giveBack();
    else res.once("close", giveBack);
  }
}

async function respond(parts: ExchangeParts, exchange: Exchange): Promise<WireResponse> {
  let service: Service | undefined;
  try {
    const head = readRequestHead(exchange.req);
    service = serviceOf(head);
    const call = { head, service };
    if (parts.emulation === undefined) return await answerCall(parts, exchange, call);
    return await parts.emulation.around(exchange, () => answerCall(parts, exchange, call));
  } catch (error) {
    if (exchange.req.errored === error || error instanceof ConnectionCut) throw error;
    const isCallers = error instanceof ServiceFault || error instanceof ServiceError;
    if (!isCallers) parts.onError(exchange.requestId, error);
    if (service === undefined) return writeErrorResponse(error);
    if (service === "kms") return writeKmsErrorResponse(error);
    if (service === "s3") return writeS3ErrorResponse(exchange.requestId, error);
    return writeQueryErrorResponse(service, exchange.requestId, forQueryService(service, error));
  }
}

/** A service beside the direct APIs. */
type Service = QueryService | "s3" | "kms";

/** Whose shape request and answer have; undefined for the direct APIs. */
function serviceOf(head: RequestHead): Service | undefined {
  if (head.path !== "/") return undefined;
  if (head.method === "POST" && kmsOperationOf(head) !== undefined) return "kms";
  if (head.method === "GET" && claimedService(head) === "s3") return "s3";
  return head.method === "POST" ? claimedQueryService(head) : undefined;
}

function answerCall(
  parts: ExchangeParts,
  exchange: Exchange,
  { head, service }: { readonly head: RequestHead; readonly service: Service | undefined },
): Promise<WireResponse> {
  if (service === undefined) return answerOperation(parts, exchange, head);
  if (service === "kms") return answerKms(parts, exchange, head);
  if (service === "s3") return answerListBuckets(parts, exchange, head);
  return answerQuery(parts, exchange, { head, service });
}

async function answerOperation(
  parts: ExchangeParts,
  exchange: Exchange,
  head: RequestHead,
): Promise<WireResponse> {
  if (head.method === "PUT") {
    const { principal, body } = await authenticateBlock(parts, exchange, head);
    return dispatch(parts, exchange, { principal, request: { ...head, body } });
  }
  const body = await readSmallBody(exchange.req, exchange.res);
  const principal = await authenticateBody(parts, head, { service: "ebs", body });
  return dispatch(parts, exchange, { principal, request: { ...head, body } });
}

function dispatch(
  { core, emulation }: ExchangeParts,
  exchange: Exchange,
  { principal, request }: Pick<Call, "principal" | "request">,
): Promise<WireResponse> {
  const admin = matchAdminRoute(request.method, request.path);
  if (admin) {
    const { operation, parameters } = admin;
    return callAdminOperation(core, operation, { principal, request, parameters });
  }
  const match = matchRoute(request.method, request.path);
  if (!match) {
    const message = `There is no operation at ${request.method} ${request.path.slice(0, 128)}`;
    throw new ServiceFault({ status: 404, code: "UnknownOperationException", message });
  }
  const { borrow } = exchange;
  const caller = callerOf(exchange, principal);
  const { operation, parameters } = match;
  const { account } = principal;
  const { snapshotId } = parameters;
  const seen = emulation?.view(core, { operation, account, snapshotId }) ?? core;
  return EBS_OPERATIONS[operation](seen, { ...caller, request, parameters, borrow });
}

function callerOf({ req }: Exchange, principal: Principal): Caller {
  const sourceIp = req.socket.remoteAddress;
  // The connection has closed; nothing is decided for an address that is not known.
  if (sourceIp === undefined) throw new Error("The client has gone away");
  return { principal, sourceIp };
}

/** A small body is read first, so its hash is always at hand. */
async function authenticateBody(
  parts: ExchangeParts,
  head: RequestHead,
  { service, body }: { readonly service: string; readonly body: Uint8Array },
): Promise<Principal> {
  const declared = declaredPayloadHash(head);
  const payloadHash = hash("sha256", body, "hex");
  const principal = await authenticate(parts, head, {
    service,
    payloadHash: declared ?? payloadHash,
  });
  if (declared !== undefined && declared !== payloadHash) throw payloadMismatch();
  return principal;
}

/**
 * A block is read only after the signature is verified, when the request says what its payload
 * hash is. Where it does not, the hash of the body or no hash at all may have been signed.
 */
async function authenticateBlock(
  parts: ExchangeParts,
  { req, res, borrow }: Exchange,
  head: RequestHead,
): Promise<{ readonly principal: Principal; readonly body: Uint8Array }> {
  const declared = declaredPayloadHash(head);
  if (declared !== undefined) {
    const principal = await authenticate(parts, head, { service: "ebs", payloadHash: declared });
    const body = await readBlockBody(req, res, borrow());
    if (!isBoundByChecksum(head, declared) && declared !== hash("sha256", body, "hex")) {
      throw payloadMismatch();
    }
    return { principal, body };
  }
  const body = await readBlockBody(req, res, borrow());
  const payloadHash = hash("sha256", body, "hex");
  const principal = await authenticate(parts, head, { service: "ebs", payloadHash }).catch(
    (error: unknown) => {
      const isOther =
        !(error instanceof ServiceFault) || error.code !== "InvalidSignatureException";
      if (isOther) throw error;
      return authenticate(parts, head, { service: "ebs", payloadHash: UNSIGNED_PAYLOAD });
    },
  );
  return { principal, body };
}

/**
 * True when the block's own checksum header, which is compared with the bytes anyway, already
 * binds them: nothing was declared, or the very same hash. Spares hashing the block twice.
 */
function isBoundByChecksum({ headers }: RequestHead, declared: string): boolean {
  if (declared === UNSIGNED_PAYLOAD) return true;
  return declared === digestFromChecksum(headers.get("x-amz-checksum") ?? "");
}

async function answerQuery(
  parts: ExchangeParts,
  exchange: Exchange,
  { head, service }: { readonly head: RequestHead; readonly service: QueryService },
): Promise<WireResponse> {
  const { req, res, requestId } = exchange;
  const body = await readSmallBody(req, res);
  const principal = await authenticateBody(parts, head, { service, body });
  const parameters = new QueryParameters(body);
  const caller = callerOf(exchange, principal);
  await authorizeQuery(parts.core, caller, { service, parameters });
  return callQueryAction(parts.core, service, { ...caller, parameters, requestId });
}

async function answerKms(
  parts: ExchangeParts,
  exchange: Exchange,
  head: RequestHead,
): Promise<WireResponse> {
  const body = await readSmallBody(exchange.req, exchange.res);
  const principal = await authenticateBody(parts, head, { service: "kms", body });
  const operation = kmsOperationOf(head) ?? "";
  const call = { ...callerOf(exchange, principal), operation, request: { ...head, body } };
  return callKmsOperation(parts.core, call);
}

/** Every account may ask for its buckets and has none, so there is nothing to authorize. */
async function answerListBuckets(
  parts: ExchangeParts,
  { req, res }: Exchange,
  head: RequestHead,
): Promise<WireResponse> {
  const body = await readSmallBody(req, res);
  const { account } = await authenticateBody(parts, head, { service: "s3", body });
  return writeListBucketsResponse({ id: hash("sha256", account, "hex"), displayName: account });
}

/** EC2 and STS share one path; the credential scope says which is meant. */
function claimedQueryService(head: RequestHead): QueryService {
  return claimedService(head) === "sts" ? "sts" : "ec2";
}

/** The service in the credential scope; undefined where there is none to read. */
function claimedService({ headers }: RequestHead): string | undefined {
  const authorization = parseAuthorization(headers.get("authorization") ?? "");
  return typeof authorization === "string" ? undefined : authorization.scope.service;
}

/** Sends the head and half of the body; the caller ends the connection. */
async function sendPart(
  res: ServerResponse,
  requestId: string,
  response: WireResponse | undefined,
): Promise<void> {
  if (response === undefined || res.closed) return;
  const { status, headers, body } = response;
  const bytes = typeof body === "string" ? Buffer.from(body) : body;
  const length = { "x-amzn-RequestId": requestId, "Content-Length": bytes.length };
  res.writeHead(status, { ...headers, ...length });
  const half = bytes.subarray(0, Math.floor(bytes.length / 2));
  // Resolves also when the client leaves: all that is wanted then is the end.
  await new Promise<unknown>((resolve) => res.write(half, resolve));
}

function send(
  res: ServerResponse,
  requestId: string,
  { status, headers, body, isLast }: WireResponse & { readonly isLast: boolean },
): void {
  const bytes = typeof body === "string" ? Buffer.from(body) : body;
  res.writeHead(status, {
    "x-amzn-RequestId": requestId,
    ...headers,
    "Content-Length": bytes.length,
    ...(isLast ? { Connection: "close" } : {}),
  });
  res.end(bytes);
}
