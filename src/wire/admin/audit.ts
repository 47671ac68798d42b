import { AUDIT_PAGE_COUNT_MAX } from "../../model/limits.ts";
import { Constraints, type TextBounds } from "../constraints.ts";
import { jsonResponse, readJson } from "../json.ts";
import {
  parseQuery,
  type ReceivedResponse,
  request,
  type WireRequest,
  type WireResponse,
} from "../message.ts";
import { formatAdminRoute } from "./routes.ts";

/** Who did what, and how it ended: a line of the audit log. */
export interface AuditEntry {
  /** ISO 8601: when the request came. */
  readonly Time: string;
  /** As answered in `x-amzn-RequestId`. */
  readonly RequestId: string;
  /** `ebs`, `ec2`, `sts`, `kms`, `s3`, or `varve` for operations of ours. */
  readonly Service: string;
  /** The operation, as `StartSnapshot`; null where it is not known, or there is none such. */
  readonly Action: string | null;
  /** True for calls that read or write blocks, or list them. */
  readonly IsData: boolean;
  /** Whose key it is; null where no valid signature showed it. */
  readonly AccountId: string | null;
  /** The access key, or the id of temporary credentials; not proved where AccountId is null. */
  readonly AccessKeyId: string | null;
  /** Names the caller, with the name of a session; null like AccountId. */
  readonly Arn: string | null;
  readonly SourceIp: string | null;
  /** Ids in the request and, of what was made, in the answer; at most 50. */
  readonly Resources: readonly string[];
  /** `Refused` with a status of 400 to 499, `Failed` with one from 500 on. */
  readonly Outcome: "Done" | "Refused" | "Failed";
  readonly Status: number;
  readonly ErrorCode: string | null;
  /** Refusals that were not noted one by one before this; left out where there are none. */
  readonly UnnotedCount?: number | undefined;
}

/** Input of ListAuditEntries. */
export interface ListAuditEntriesRequest {
  /** At most 1,000; 100 if left out. */
  readonly MaxResults?: number | undefined;
  /** Where the page before said that it goes on. */
  readonly NextToken?: string | undefined;
}

/** Output of ListAuditEntries, latest first. */
export interface ListAuditEntriesResponse {
  /** False where the service keeps no audit log: then there are no entries. */
  readonly IsKept: boolean;
  readonly Entries: readonly AuditEntry[];
  /** Null after the oldest entry of the file. */
  readonly NextToken: string | null;
}

const PAGE_TOKEN: TextBounds = { maxLength: 16, pattern: /^[0-9]{1,16}$/ };

/** Reads and checks a ListAuditEntries request. */
export function readListAuditEntriesRequest({
  query,
}: Pick<WireRequest, "query">): ListAuditEntriesRequest {
  const values = parseQuery(query);
  const get = (name: string) => values.get(name) ?? undefined;
  const c = new Constraints();
  const bounds = { min: 1, max: AUDIT_PAGE_COUNT_MAX };
  const input = {
    MaxResults: c.integerText("maxResults", get("maxResults"), bounds),
    NextToken: c.text("pageToken", get("pageToken"), PAGE_TOKEN),
  };
  c.check();
  return input;
}

/** Writes a ListAuditEntries request. */
export function writeListAuditEntriesRequest(input: ListAuditEntriesRequest): WireRequest {
  const query = { maxResults: input.MaxResults, pageToken: input.NextToken };
  return request({ ...formatAdminRoute("ListAuditEntries"), query });
}

/** Writes a ListAuditEntries response. */
export function writeListAuditEntriesResponse(response: ListAuditEntriesResponse): WireResponse {
  return jsonResponse(200, JSON.stringify(response));
}

/** Reads a ListAuditEntries response. */
export function readListAuditEntriesResponse(response: ReceivedResponse): ListAuditEntriesResponse {
  return readJson(response) as unknown as ListAuditEntriesResponse;
}
