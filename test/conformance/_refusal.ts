import { brief, elementsOf } from "./_caller.ts";
import type { Answer } from "./_connection.ts";
import { fits, same } from "./_expect.ts";

const CORAL = "http://internal.amazon.com/coral/com.amazon.";

/** How the service itself refuses. */
export interface Refusal {
  readonly status: number;
  readonly code: string;
  /** Left out where the error has none. */
  readonly reason?: string;
  readonly message: string | RegExp;
}

/** Throws unless the answer is this refusal of the service: status, type and whole body. */
export function refuses(answer: Answer, { status, code, reason, message }: Refusal): void {
  const type = `${code}:${CORAL}zeppelindataservice/`;
  if (typeof message === "string") {
    const body = { Message: message, ...(reason === undefined ? {} : { Reason: reason }) };
    same(brief(answer), `${status} ${type} ${JSON.stringify(body)}`);
    return;
  }
  fits(brief(answer), new RegExp(`^${status} ${quote(type)} `));
  fits(answer.text, message);
  if (reason !== undefined) fits(answer.text, new RegExp(`"Reason":"${reason}"\\}$`));
}

/** Throws unless EC2 refuses with 400, this code and this text. */
export function ec2Refuses(answer: Answer, code: string, message: string | RegExp = /./): void {
  const { Code, Message = "" } = elementsOf(answer.text);
  const text = Message.replaceAll("&apos;", "'").replaceAll("&quot;", '"');
  same(`${answer.status} ${Code ?? answer.text.slice(0, 200)}`, `400 ${code}`);
  if (typeof message === "string") same(text, message);
  else fits(text, message);
}

/** A ValidationException with a reason. */
export function invalid(answer: Answer, reason: string, message: string | RegExp): void {
  refuses(answer, { status: 400, code: "ValidationException", reason, message });
}

/** "The snapshot '…' does not exist." */
export function notFound(answer: Answer, snapshotId: string): void {
  refuses(answer, {
    status: 404,
    code: "ResourceNotFoundException",
    reason: "SNAPSHOT_NOT_FOUND",
    message: `The snapshot '${snapshotId}' does not exist.`,
  });
}

/** "The snapshot '…' or '…' does not exist." */
export function eitherNotFound(answer: Answer, first: string, second: string): void {
  refuses(answer, {
    status: 404,
    code: "ResourceNotFoundException",
    reason: "SNAPSHOT_NOT_FOUND",
    message: `The snapshot '${first}' or '${second}' does not exist.`,
  });
}

/** A member out of its bounds, in the framework's words. */
export interface Constraint {
  /** As the framework names it; a pattern where its name is not known. */
  readonly member: string | RegExp;
  /** Null for a member that is not there. */
  readonly value: string | null;
  /** After `Member must `. */
  readonly must: string | RegExp;
}

/** Throws unless the framework refuses that member. */
export function constrains(answer: Answer, { member, value, must }: Constraint): void {
  const type = `ValidationException:${CORAL}coral.validate/`;
  fits(brief(answer), new RegExp(`^400 ${quote(type)} `));
  const shown = value === null ? "null" : `'${value}'`;
  const text = "1 validation error detected: Value ";
  const pattern =
    `${quote(text + shown)} at '${sourceOf(member)}' failed to satisfy constraint: ` +
    `Member must ${sourceOf(must)}`;
  const body = JSON.parse(answer.text) as Record<string, unknown>;
  same(Object.keys(body), ["message"]);
  fits(String(body["message"]), new RegExp(`^${pattern}$`));
}

/** Throws unless the framework, not the service, refuses some member. */
export function constrainsAny(answer: Answer): void {
  fits(brief(answer), new RegExp(`^400 ${quote(`ValidationException:${CORAL}coral.validate/`)} `));
}

/** Throws unless the error of the framework's security layer is of this code. */
export function denies(answer: Answer, status: number, code: string): void {
  const [type] = (answer.header("x-amzn-errortype") ?? "no x-amzn-ErrorType").split(":");
  same(`${answer.status} ${type}`, `${status} ${code}`);
}

function sourceOf(text: string | RegExp): string {
  return typeof text === "string" ? quote(text) : text.source;
}

function quote(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\/]/g, "\\$&");
}
