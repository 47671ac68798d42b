import type { IncomingMessage, ServerResponse } from "node:http";
import { randomUuid } from "../base/random.ts";
import { UnavailableError } from "../base/unavailable.ts";
import { ServiceError } from "../model/errors.ts";
import { matchAdminRoute } from "../wire/admin/routes.ts";
import { ServiceFault, writeErrorResponse } from "../wire/errors.ts";
import type { WireResponse } from "../wire/message.ts";
import { matchRoute } from "../wire/operations.ts";
import { callAdminOperation } from "./admin-operations.ts";
import { authenticateBlock, authenticateBody } from "./authenticate-body.ts";
import { type Call, EBS_OPERATIONS } from "./ebs-operations.ts";
import { ConnectionCut } from "./emulation/emulation.ts";
import { callerOf, type Exchange, type ExchangeParts } from "./exchange-parts.ts";
import { answerService, type Service, serviceOf, writeServiceError } from "./other-services.ts";
import { type RequestHead, readRequestHead } from "./raw-request.ts";
import { drainBody } from "./request-body.ts";

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
  const exchange = { requestId, req, res, borrow, peer: parts.connections.of(req.socket) };
  try {
    const response = await respond(parts, exchange);
    const isDrained = await drainBody(exchange);
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
    if (head.path === "*") return ABOUT_SERVER;
    const page = parts.answerConsole(head) ?? (await parts.answerHealth(head));
    if (page) return page;
    service = serviceOf(head);
    const call = { head, service };
    if (parts.emulation === undefined) return await answerCall(parts, exchange, call);
    return await parts.emulation.around(exchange, () => answerCall(parts, exchange, call));
  } catch (error) {
    if (exchange.req.errored === error || error instanceof ConnectionCut) throw error;
    const isCallers = error instanceof ServiceFault || error instanceof ServiceError;
    if (!isCallers) parts.onError(exchange.requestId, error);
    const told = error instanceof UnavailableError ? unavailable(error) : error;
    if (service === undefined) return writeErrorResponse(told);
    return writeServiceError(service, exchange.requestId, told);
  }
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
  const lenient = leniently(parts, head);
  if (head.method === "PUT") {
    const { principal, body } = await authenticateBlock(lenient, exchange, head);
    return dispatch(parts, exchange, { principal, request: { ...head, body } });
  }
  const request = { head, service: "ebs" };
  const { principal, body } = await authenticateBody(lenient, exchange, request);
  return dispatch(parts, exchange, { principal, request: { ...head, body } });
}

/** Where AWS is emulated, so is what it takes from signers; never where keys are managed. */
function leniently(parts: ExchangeParts, { method, path }: RequestHead): ExchangeParts {
  const leniency = parts.emulation?.leniency;
  return leniency && matchRoute(method, path) ? { ...parts, leniency } : parts;
}

function dispatch(
  { core, emulation, turns }: ExchangeParts,
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
  const carryOut = () =>
    EBS_OPERATIONS[operation](seen, { ...caller, request, parameters, borrow });
  return operation.startsWith("List") ? turns.run(account, carryOut) : carryOut();
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
    "X-Content-Type-Options": "nosniff",
    ...headers,
    // Of an answer that has no body, no length may be said.
    ...(status === 204 ? {} : { "Content-Length": bytes.length }),
    ...(isLast ? { Connection: "close" } : {}),
  });
  res.end(bytes);
}
