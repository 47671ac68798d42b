import { formatTimeMs } from "../../base/clock.ts";
import { BODY_SIZE_BYTES_MAX } from "../../model/limits.ts";
import type { AuditLog } from "../../signals/audit-log.ts";
import type { AuditEntry } from "../../wire/admin/audit.ts";
import type { WireResponse } from "../../wire/message.ts";
import { parseAuthorization } from "../../wire/signature.ts";
import { isDataCall, type RequestFacts } from "./request-facts.ts";

/** What asks how the store is, again and again, and tells nothing of what is stored. */
const UNNOTED_OPERATIONS: ReadonlySet<string> = new Set(["GetStoreStatus", "ListStoreSamples"]);
/** Ids that an entry names at most (ours). */
const RESOURCES_COUNT_MAX = 50;
/** Bytes of a body in which ids are looked for: all of a request's, so that none hides (ours). */
const LOOKED_AT_BYTES_MAX = BODY_SIZE_BYTES_MAX;
/** Refusals of requests without a valid signature that are noted in one minute (ours). */
const STRANGERS_PER_MINUTE_MAX = 60;
const MINUTE_MS = 60_000;

/** Ids of snapshots, images, access keys, temporary credentials and encryption keys. */
const ID = new RegExp(
  [
    String.raw`\b(?:snap|ami)-[0-9a-f]{8,17}\b`,
    String.raw`\bA[KS]IA[A-Z0-9]{16}\b`,
    String.raw`(?<=key/|"KeyId": ?")[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b`,
  ].join("|"),
  "g",
);
/** Operations whose answer names what they made. */
const MAKING = /^(?:Start|Create|Copy|Register|Import|Assume|Get(?:Session|Federation)Token)/;

/** Says who did what, in the audit log. Strangers cannot fill it: they are noted up to a rate. */
export class CallAudit {
  readonly #log: AuditLog;
  #minuteStartMs = Number.NEGATIVE_INFINITY;
  #strangerCount = 0;
  #unnotedCount = 0;
  /** Calls that are or were carried out, so that something may have come of them. */
  readonly #begun = new WeakSet<RequestFacts>();

  constructor(log: AuditLog) {
    this.#log = log;
  }

  /**
   * To be called before an authentic request is carried out. Rejects with an `UnavailableError`
   * when the call would have to be noted and cannot be.
   */
  async checkWritable(facts: RequestFacts): Promise<void> {
    if (!this.#isNoted(facts)) return;
    await this.#log.checkWritable();
    this.#begun.add(facts);
  }

  /**
   * Notes a call, with its answer where there is one. When this rejects with an `UnavailableError`,
   * the call took effect, but nobody may be told that it did.
   */
  async note(facts: RequestFacts, response: WireResponse | undefined): Promise<void> {
    if (!this.#isNoted(facts)) return;
    if (!this.#begun.has(facts) && (this.#log.failure || this.#isOneTooMany(facts))) {
      // Nothing came of it, and while no line can be written, those kept back have to stay few.
      this.#unnotedCount += 1;
      return;
    }
    const UnnotedCount = this.#unnotedCount;
    this.#unnotedCount = 0;
    const entry = entryOf(facts, response);
    const noting = this.#log.note(UnnotedCount > 0 ? { ...entry, UnnotedCount } : entry);
    // A stranger is refused whether that can be noted or not.
    await (facts.principal ? noting : noting.catch(() => undefined));
  }

  #isNoted(facts: RequestFacts): boolean {
    if (facts.isPage || facts.head === undefined) return false;
    if (UNNOTED_OPERATIONS.has(facts.operation ?? "") && facts.principal) return false;
    return !isDataCall(facts) || this.#log.withData;
  }

  /** True for strangers beyond the rate. */
  #isOneTooMany({ principal, startMs }: RequestFacts): boolean {
    if (principal) return false;
    if (startMs - this.#minuteStartMs >= MINUTE_MS) {
      this.#minuteStartMs = startMs;
      this.#strangerCount = 0;
    }
    this.#strangerCount += 1;
    return this.#strangerCount > STRANGERS_PER_MINUTE_MAX;
  }
}

function entryOf(facts: RequestFacts, response: WireResponse | undefined): AuditEntry {
  const { requestId, receivedAtMs, service, operation, principal, sourceIp } = facts;
  const status = response?.status ?? 0;
  return {
    Time: formatTimeMs(receivedAtMs),
    RequestId: requestId,
    Service: service,
    Action: operation ?? null,
    IsData: isDataCall(facts),
    AccountId: principal?.account ?? null,
    AccessKeyId: principal?.accessKeyId ?? claimedKeyOf(facts),
    Arn: principal?.arn ?? null,
    SourceIp: sourceIp ?? null,
    Resources: resourcesOf(facts, response),
    Outcome: status === 0 || status >= 500 ? "Failed" : status >= 400 ? "Refused" : "Done",
    Status: status,
    ErrorCode: response && status >= 400 ? errorCodeOf(response) : null,
  };
}

/** What the request says, and nobody has proved. */
function claimedKeyOf({ head }: RequestFacts): string | null {
  const authorization = parseAuthorization(head?.headers.get("authorization") ?? "");
  return typeof authorization === "string" ? null : authorization.accessKeyId.slice(0, 128);
}

function resourcesOf(facts: RequestFacts, response: WireResponse | undefined): string[] {
  const { head, body, operation = "" } = facts;
  const isMade = response !== undefined && response.status < 300 && MAKING.test(operation);
  const texts = [
    `${head?.path} ${decodeURIComponentOrNot(head?.query ?? "")}`,
    textOf(body),
    isMade ? textOf(response.body) : "",
  ];
  const found = texts.flatMap((text) => text.match(ID) ?? []);
  const { accountId, accessKeyId } = facts.parameters;
  const named = [accountId, accessKeyId].flatMap((id) => id?.slice(0, 128) ?? []);
  const all = new Set([...named, ...found]);
  return [...all].slice(0, RESOURCES_COUNT_MAX);
}

function decodeURIComponentOrNot(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function textOf(body: Uint8Array | string | undefined): string {
  if (body === undefined || typeof body === "string")
    return (body ?? "").slice(0, LOOKED_AT_BYTES_MAX);
  return Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString(
    "latin1",
    0,
    LOOKED_AT_BYTES_MAX,
  );
}

/** As the service that was called spells it: in a header, in XML, or in KMS's JSON. */
function errorCodeOf({ headers, body }: WireResponse): string | null {
  const header = headers["x-amzn-ErrorType"]?.split(":")[0];
  if (header !== undefined) return header;
  const found = /<Code>([^<]*)<\/Code>|"__type":"(?:[^"]*#)?([^"#]*)"/.exec(textOf(body));
  return found?.[1] ?? found?.[2] ?? null;
}
