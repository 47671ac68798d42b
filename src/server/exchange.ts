import type { IncomingMessage, ServerResponse } from "node:http";
import { randomUuid } from "../base/random.ts";
import { UnavailableError } from "../base/unavailable.ts";
import { ServiceError } from "../model/errors.ts";
import { BLOCK_SIZE_BYTES } from "../model/limits.ts";
import type { EndedRequest } from "../signals/activity.ts";
import { isAdminOperation, matchAdminRoute } from "../wire/admin/routes.ts";
import { ServiceFault, writeErrorResponse } from "../wire/errors.ts";
import type { WireResponse } from "../wire/message.ts";
import { isOperation, matchRoute } from "../wire/operations.ts";
import type { RequestFacts } from "./access/request-facts.ts";
import { callAdminOperation } from "./admin/admin-operations.ts";
import {
  authenticateBlock,
  authenticateBody,
  authenticateChanged,
  type ClaimedBlock,
  claimBlock,
  KeyChanged,
} from "./authenticate-body.ts";
import { type Call, EBS_OPERATIONS } from "./ebs/ebs-operations.ts";
import { ConnectionCut } from "./emulation/emulation.ts";
import { type AccessLine, callerOf, type Exchange, type ExchangeParts } from "./exchange-parts.ts";
import { type RequestHead, readRequestHead } from "./http/raw-request.ts";
import { drainBody, isSending } from "./http/request-body.ts";
import { ClientLeftError } from "./http/waiting-lines.ts";
import { answerService, type Service, serviceOf, writeServiceError } from "./other-services.ts";

/**
 * Answers one request. Never rejects: whatever goes wrong becomes an answer or a closed socket.
 * Resolves to false when this was the connection's last answer.
 */
export async function answer(
  parts: ExchangeParts,
  req: IncomingMessage,
  res: ServerResponse,
): Promise<boolean> {
  const facts = newFacts(parts, req);
  const { requestId } = facts;
  const lent: Uint8Array[] = [];
  const borrow = async () => {
    const buffer = await parts.buffers.acquire(facts.principal?.account ?? "", res);
    lent.push(buffer);
    return buffer;
  };
  const peer = parts.connections.of(req.socket);
  const exchange = { requestId, req, res, borrow, peer, facts };
  const { requests, tracing } = parts.signals;
  requests.began();
  const span = tracing?.beginRequest(req.headers);
  try {
    const work = () => respondAndNote(parts, exchange);
    const endWork = parts.turns.begin();
    const response = await (span ? span.run(work) : work()).finally(endWork);
    const isDrained = await drainBody(exchange);
    // Whoever is refused without having proved anything has to connect anew for the next attempt.
    const isRefused = response.status >= 400 && !peer.isProven;
    const isLast = !isDrained || isRefused || response.status === 400;
    const bytes = writeHead(res, requestId, { ...response, isLast });
    if (!isDrained && isSending(exchange)) {
      res.write(bytes);
      await parts.connections.linger(res);
      res.end();
    } else {
      res.end(bytes);
    }
    return !isLast;
  } catch (error) {
    if (error instanceof ConnectionCut) await sendPart(res, requestId, error.partOf);
    // A client that went away in the middle of its own request is no error of ours.
    else if (!isLeft(req, error)) parts.onError(requestId, error);
    res.destroy();
    return false;
  } finally {
    // Not before both: the work may outlast the connection, and the answer outlasts the work.
    const end = () => {
      for (const buffer of lent) parts.buffers.release(buffer);
      const ended = endedRequest(parts, facts, res);
      requests.ended(ended);
      span?.end(ended, req.method);
      parts.onAnswered?.(accessLine(facts, ended));
    };
    if (res.closed) end();
    else res.once("close", end);
  }
}

/** What is answered is noted before; where it cannot be, nobody is told that it was done. */
async function respondAndNote(parts: ExchangeParts, exchange: Exchange): Promise<WireResponse> {
  const { facts } = exchange;
  let response: WireResponse | undefined;
  try {
    response = await respond(parts, exchange);
  } finally {
    // Of a connection that is cut on purpose, too: what was asked for may have been done.
    if (response === undefined)
      await parts.callAudit?.note(facts, undefined).catch(() => undefined);
  }
  try {
    await parts.callAudit?.note(facts, response);
    return response;
  } catch (error) {
    return refusal(parts, exchange, error);
  }
}

async function respond(parts: ExchangeParts, exchange: Exchange): Promise<WireResponse> {
  const { facts } = exchange;
  try {
    const head = readRequestHead(exchange.req);
    facts.head = head;
    facts.isPage = head.path === "*";
    if (facts.isPage) return ABOUT_SERVER;
    const page = parts.answerConsole(head) ?? (await parts.answerHealth(head));
    facts.isPage = page !== undefined;
    if (page) return page;
    const service = serviceOf(head);
    facts.service = service ?? "ebs";
    const call = { head, service };
    if (parts.emulation === undefined) return await answerCall(parts, exchange, call);
    return await parts.emulation.around(exchange, () => answerCall(parts, exchange, call));
  } catch (error) {
    if (isLeft(exchange.req, error) || error instanceof ConnectionCut) throw error;
    return refusal(parts, exchange, error);
  }
}

/** True where the client has left, in the middle of its request or while it waited. */
function isLeft(req: IncomingMessage, error: unknown): boolean {
  return req.errored === error || error instanceof ClientLeftError;
}

/** Any error as the service that was called answers it. */
function refusal(
  parts: ExchangeParts,
  { requestId, facts }: Exchange,
  error: unknown,
): WireResponse {
  const isCallers = error instanceof ServiceFault || error instanceof ServiceError;
  if (!isCallers) parts.onError(requestId, error);
  const told = error instanceof UnavailableError ? unavailable(error) : error;
  const service = facts.head && serviceOf(facts.head);
  return service ? writeServiceError(service, requestId, told) : writeErrorResponse(told);
}

/** Clients repeat what is answered so. Which engine it is, and why, stands in the log. */
function unavailable(cause: UnavailableError): ServiceFault {
  const message =
    "A part of this store does not answer at the moment, so nothing is known of this request's " +
    "outcome. Please repeat it.";
  const fault = new ServiceFault({ status: 503, code: "ServiceUnavailableException", message });
  fault.cause = cause;
  return fault;
}

/** What "OPTIONS *" is told, which asks for nothing that needs a key. */
const ABOUT_SERVER: WireResponse = {
  status: 204,
  headers: { Allow: "DELETE, GET, OPTIONS, POST, PUT" },
  body: "",
};

function answerCall(
  parts: ExchangeParts,
  exchange: Exchange,
  { head, service }: { readonly head: RequestHead; readonly service: Service | undefined },
): Promise<WireResponse> {
  if (service === undefined) return answerOperation(parts, exchange, head);
  return answerService(parts, exchange, { head, service });
}

async function answerOperation(
  parts: ExchangeParts,
  exchange: Exchange,
  head: RequestHead,
): Promise<WireResponse> {
  const { facts } = exchange;
  const admin = matchAdminRoute(head.method, head.path);
  const match = admin ?? matchRoute(head.method, head.path);
  if (match) ({ operation: facts.operation, parameters: facts.parameters } = match);
  if (admin) facts.service = "varve";
  // Where AWS is emulated, so is what it takes from signers; never where keys are managed.
  const leniency = match && !admin ? parts.emulation?.leniency : undefined;
  const lenient = leniency ? { ...parts, leniency } : parts;
  if (head.method === "PUT") return answerBlock(lenient, exchange, head);
  const { principal, body } = await authenticateBody(lenient, exchange, { head, service: "ebs" });
  await parts.callAudit?.checkWritable(facts);
  return dispatch(parts, exchange, { principal, request: { ...head, body } });
}

/**
 * A block whose access key is known from before is taken and hashed while the key is looked up, and
 * that together with whatever else puts look up. If the key has changed, all that was found out by
 * it is thrown away, and the request is answered as if it had just come.
 */
async function answerBlock(
  parts: ExchangeParts,
  exchange: Exchange,
  head: RequestHead,
): Promise<WireResponse> {
  const { facts } = exchange;
  const { core, callAudit } = parts;
  // Of the operations this one alone waits for the confirmation before it changes anything.
  const mayClaim = core.blocks.looksUpTogether && facts.operation === "PutSnapshotBlock";
  const take: (...to: Parameters<typeof claimBlock>) => Promise<ClaimedBlock> = mayClaim
    ? claimBlock
    : authenticateBlock;
  const { principal, body, confirm } = await take(parts, exchange, head);
  await callAudit?.checkWritable(facts);
  const request = { ...head, body };
  if (!confirm) return dispatch(parts, exchange, { principal, request });
  try {
    return await confirmed(core.blocks.appended().then(confirm), (isConfirmed) =>
      dispatch(parts, exchange, { principal, request, isConfirmed }),
    );
  } catch (error) {
    if (!(error instanceof KeyChanged)) throw error;
  }
  const now = await authenticateChanged(parts, exchange, head);
  return dispatch(parts, exchange, { principal: now, request });
}

/** Does the work, and tells of its outcome, good or bad, only when it is confirmed that it may. */
async function confirmed<T>(
  confirmation: Promise<void>,
  work: (confirmation: Promise<void>) => Promise<T>,
): Promise<T> {
  // Waited for below, however the work ends.
  confirmation.catch(() => undefined);
  try {
    return await work(confirmation);
  } finally {
    await confirmation;
  }
}

function dispatch(
  { core, emulation, turns, longTurns, signals }: ExchangeParts,
  exchange: Exchange,
  { principal, request, isConfirmed }: Pick<Call, "principal" | "request" | "isConfirmed">,
): Promise<WireResponse> {
  const { operation, parameters } = exchange.facts;
  if (isAdminOperation(operation)) {
    return callAdminOperation(core, operation, { principal, request, parameters, signals });
  }
  if (!isOperation(operation)) {
    const message = `There is no operation at ${request.method} ${request.path.slice(0, 128)}`;
    throw new ServiceFault({ status: 404, code: "UnknownOperationException", message });
  }
  const { borrow } = exchange;
  const rest = () => turns.rest();
  const caller = callerOf(exchange, principal);
  const { account } = principal;
  const { snapshotId } = parameters;
  const seen = emulation?.view(core, { operation, account, snapshotId }) ?? core;
  const carryOut = () =>
    EBS_OPERATIONS[operation](seen, {
      ...caller,
      ...{ request, parameters, borrow, rest, isConfirmed },
    });
  const { res } = exchange;
  if (operation.startsWith("List")) return turns.run(account, carryOut, res);
  return LONG_OPERATIONS.has(operation) ? longTurns.run(account, carryOut, res) : carryOut();
}

/** Those that read for seconds; a few at once, for each takes memory and the disk. */
const LONG_OPERATIONS: ReadonlySet<string> = new Set(["VerifySnapshot", "CountExclusiveBlocks"]);

function newFacts({ clock, random }: ExchangeParts, req: IncomingMessage): RequestFacts {
  return {
    requestId: randomUuid(random),
    receivedAtMs: clock.nowMs(),
    startMs: clock.monotonicMs(),
    sourceIp: req.socket.remoteAddress,
    ...{ head: undefined, service: "ebs", operation: undefined, parameters: {} },
    ...{ principal: undefined, body: undefined, isPage: false },
  };
}

/** Status 0 where nothing was answered. */
function endedRequest(
  { clock }: ExchangeParts,
  facts: RequestFacts,
  res: ServerResponse,
): EndedRequest {
  const { service, operation = facts.isPage ? "Page" : "Unknown", parameters } = facts;
  const status = res.headersSent ? res.statusCode : 0;
  const isDone = status === 200 || status === 201;
  return {
    ...{ service, operation, status, snapshotId: parameters["snapshotId"] },
    durationMs: clock.monotonicMs() - facts.startMs,
    readBytes: isDone && operation === "GetSnapshotBlock" ? BLOCK_SIZE_BYTES : 0,
    writtenBytes: isDone && operation === "PutSnapshotBlock" ? BLOCK_SIZE_BYTES : 0,
  };
}

function accessLine(
  { requestId, sourceIp, principal, head }: RequestFacts,
  { service, operation, status, durationMs }: EndedRequest,
): AccessLine {
  return {
    ...{ requestId, sourceIp, accessKeyId: principal?.accessKeyId },
    ...{ method: head?.method, path: head?.path.slice(0, 256), service, operation, status },
    durationMs: durationMs.toFixed(2),
  };
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

/** Answers the body that belongs to the head. */
function writeHead(
  res: ServerResponse,
  requestId: string,
  { status, headers, body, isLast }: WireResponse & { readonly isLast: boolean },
): Uint8Array {
  const bytes = typeof body === "string" ? Buffer.from(body) : body;
  res.writeHead(status, {
    "x-amzn-RequestId": requestId,
    "X-Content-Type-Options": "nosniff",
    ...headers,
    // Of an answer that has no body, no length may be said.
    ...(status === 204 ? {} : { "Content-Length": bytes.length }),
    ...(isLast ? { Connection: "close" } : {}),
  });
  return bytes;
}
