import { once } from "node:events";
import { createConnection } from "node:net";
import { systemClock } from "../../src/base/clock.ts";
import type { RequestParts } from "../../src/wire/message.ts";
import { completeParts, listParts } from "../support/operations.ts";
import { encodeHead, sign, type Target } from "../support/raw-http.ts";

/*
 * The cases of Http11Probe, a public yardstick for HTTP/1.1 servers, in our own words. Where it
 * asks for a page that anybody may read, we ask with a signature: everything but the one thing
 * under test is right, so that a server which overlooks it answers with success.
 */

/** How strictly a rule is meant, in the words of RFC 2119. */
export type Level = "must" | "should" | "may" | "none";

/** One case: what is sent, and what may come back. */
export interface HttpCase {
  readonly name: string;
  /** The section that asks for it. */
  readonly rfc: string;
  readonly level: Level;
  /** False for a case that only informs. */
  readonly isScored: boolean;
  /** What is written, one after another; the next when the answer to the one before has come. */
  readonly writes: (context: Context) => readonly (Uint8Array | string)[];
  readonly judge: Judge;
}

/** What one connection heard. */
export interface Heard {
  /** Statuses of the answers, in order. */
  readonly statuses: readonly number[];
  readonly text: string;
  readonly isClosed: boolean;
  /** Writes that were made before the connection was closed. */
  readonly writeCount: number;
}

export type Verdict = "pass" | "warn" | "fail";
export type Judge = (heard: Heard) => Verdict;

/** What cases are built from: a service, and snapshots that can be read and completed. */
export interface Context {
  readonly target: Target;
  readonly readableId: string;
  readonly completedId: string;
}

/** What a case changes about a request that is right. */
export interface Changes {
  readonly method?: string;
  /** The request line, `TARGET` standing for the path. */
  readonly line?: string;
  /** The value of the Host header, which is signed. */
  readonly host?: string;
  /** Lines before the Host header, each with its end. */
  readonly before?: string;
  /** Lines after the other headers, each with its end. */
  readonly after?: string;
  /** The bytes that follow the head. */
  readonly body?: string;
  /** The body that was signed: what a lenient reader of these bytes would make of them. */
  readonly reads?: string;
  /** Changes the whole head. */
  readonly head?: (head: string) => string;
}

const isSuccess = (status: number | undefined) =>
  status !== undefined && status >= 200 && status < 300;

/** Passes for an answer with one of the statuses; a connection closed without a word too. */
export const refused =
  (...statuses: number[]): Judge =>
  ({ statuses: [first], isClosed }) =>
    (first === undefined ? isClosed : [400, ...statuses].includes(first)) ? "pass" : "fail";

/** Passes for status 400 alone. */
export const refusedWith400: Judge = ({ statuses: [first] }) => (first === 400 ? "pass" : "fail");

/** Refusal is better, success is right too. */
export const preferRefused =
  (...statuses: number[]): Judge =>
  (heard) =>
    refused(...statuses)(heard) === "pass"
      ? "pass"
      : isSuccess(heard.statuses[0])
        ? "warn"
        : "fail";

/** Success alone is right. */
export const accepted: Judge = ({ statuses: [first] }) => (isSuccess(first) ? "pass" : "fail");

/** Success is better, refusal is allowed. */
export const preferAccepted: Judge = (heard) =>
  accepted(heard) === "pass" ? "pass" : refused()(heard) === "pass" ? "warn" : "fail";

/** Refused, or not answered at all: waiting for the rest is right. */
export const refusedOrSilent =
  (...statuses: number[]): Judge =>
  ({ statuses: [first] }) =>
    first === undefined || [400, 408, ...statuses].includes(first) ? "pass" : "fail";

/** Refused or closed, and never two answers to what was sent as one request. */
export const refusedAlone: Judge = (heard) =>
  heard.statuses.length > 1
    ? "fail"
    : refused()(heard) === "pass" || heard.isClosed
      ? "pass"
      : "fail";

/** Refused, or answered and closed before the next request. */
export const refusedOrClosed: Judge = (heard) =>
  heard.statuses[0] === 400 || heard.writeCount < 2 ? "pass" : "fail";

/** The request as a case has it. */
export function requestText(context: Context, parts: RequestParts, changes: Changes): string {
  const { host = new URL(context.target.endpoint).host } = changes;
  const body = Buffer.from(changes.reads ?? changes.body ?? "");
  const raw = sign(context.target, { ...parts, body }, { host });
  // Framing is what the cases are about: each says its own.
  const headers = raw.headers.filter(([name]) => name !== "content-length" && name !== "host");
  const head = encodeHead({ ...raw, headers }).toString("latin1");
  const [first = "", ...lines] = head.split("\r\n");
  const line = changes.line?.replace("TARGET", raw.target) ?? first;
  const after = `${changes.after ?? ""}\r\n`;
  const others = lines.slice(0, -2).join("\r\n");
  const whole = `${line}\r\n${changes.before ?? ""}Host: ${host}\r\n${others}\r\n${after}`;
  return (changes.head?.(whole) ?? whole) + (changes.body ?? "");
}

/** A reading request, right but for the changes. */
export function get(changes: Changes = {}): HttpCase["writes"] {
  return (context) => {
    const { method = "GET" } = changes;
    const parts = { ...listParts(context.readableId), method };
    return [Buffer.from(requestText(context, parts, changes), "latin1")];
  };
}

/** A writing request that succeeds however often it is made, right but for the changes. */
export function post(changes: Changes = {}): HttpCase["writes"] {
  return (context) => {
    const parts = { ...completeParts(context.completedId, 0), method: changes.method ?? "POST" };
    return [Buffer.from(requestText(context, parts, changes), "latin1")];
  };
}

/** One after another on the same connection. */
export function inTurn(...writes: HttpCase["writes"][]): HttpCase["writes"] {
  return (context) => writes.flatMap((write) => write(context));
}

/** How long an answer that must come may take, and one that may stay out. */
const ANSWER_MS = 10_000;
const SILENCE_MS = 1_500;
/** How long there is to hear more after a whole answer, or that the connection was closed. */
const MORE_MS = 80;

/** Makes the writes of a case on a connection of its own. */
export async function hear(context: Context, subject: HttpCase): Promise<Heard> {
  const { hostname, port } = new URL(context.target.endpoint);
  const socket = createConnection({ host: hostname, port: Number(port), noDelay: true });
  const received: Buffer[] = [];
  let isClosed = false;
  socket.on("data", (bytes) => received.push(bytes));
  socket.on("error", () => undefined);
  for (const event of ["end", "close"]) {
    socket.on(event, () => {
      isClosed = true;
    });
  }
  await once(socket, "connect");
  const text = () => Buffer.concat(received).toString("latin1");
  const until = async (wanted: () => boolean, timeMs: number) => {
    const end = systemClock.monotonicMs() + timeMs;
    while (!isClosed && !wanted() && systemClock.monotonicMs() < end) await systemClock.sleep(5);
  };
  let writeCount = 0;
  for (const bytes of subject.writes(context)) {
    if (isClosed) break;
    socket.write(bytes);
    writeCount++;
    const isSilent =
      subject.judge({ statuses: [], text: "", isClosed: false, writeCount }) === "pass";
    const wanted = statusesOf(text()).length + 1;
    await until(() => statusesOf(text()).length >= wanted, isSilent ? SILENCE_MS : ANSWER_MS);
    await until(() => false, MORE_MS);
  }
  socket.destroy();
  return { statuses: statusesOf(text()), text: text(), isClosed, writeCount };
}

/** Statuses of final answers; "100 Continue" is none. */
function statusesOf(text: string): number[] {
  return [...text.matchAll(/HTTP\/1\.1 ([2-5]\d\d) /g)].map((match) => Number(match[1]));
}
