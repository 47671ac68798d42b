import {
  BLOCK_SIZE_BYTES,
  CLIENT_TOKEN_CHARACTERS_MAX,
  DESCRIPTION_CHARACTERS_MAX,
  TAG_KEY_CHARACTERS_MAX,
  TAG_VALUE_CHARACTERS_MAX,
  TAGS_COUNT_MAX,
  TIMEOUT_MINUTES_MAX,
  TIMEOUT_MINUTES_MIN,
  VOLUME_SIZE_GIB_MIN,
} from "../model/limits.ts";
import type { Tag } from "../model/snapshot.ts";
import { Constraints, type TextBounds, wrongType } from "./constraints.ts";
import { formatEpochSeconds, jsonOrNull, jsonResponse, parseJsonObject, readJson } from "./json.ts";
import { SNAPSHOT_ID } from "./members.ts";
import { type ReceivedResponse, request, type WireRequest, type WireResponse } from "./message.ts";
import { formatRoute } from "./operations.ts";

/** Input of StartSnapshot; members and units are AWS's. */
export interface StartSnapshotRequest {
  /** GiB. */
  readonly VolumeSize: number;
  readonly ParentSnapshotId?: string | undefined;
  readonly Tags?: readonly Tag[] | undefined;
  readonly Description?: string | undefined;
  readonly ClientToken?: string | undefined;
  readonly Encrypted?: boolean | undefined;
  readonly KmsKeyArn?: string | undefined;
  /** Minutes. */
  readonly Timeout?: number | undefined;
}

/** Output of StartSnapshot. */
export interface StartSnapshotResponse {
  readonly SnapshotId: string;
  readonly OwnerId: string;
  readonly Status: string;
  /** Seconds since 1970. */
  readonly StartTime: number;
  readonly VolumeSize: number;
  readonly BlockSize: number;
  readonly Description?: string | undefined;
  readonly Tags?: readonly Tag[] | undefined;
  readonly ParentSnapshotId?: string | undefined;
  /** The key that encrypts the snapshot; undefined when it is not encrypted. */
  readonly KmsKeyArn?: string | undefined;
}

const DESCRIPTION: TextBounds = {
  maxLength: DESCRIPTION_CHARACTERS_MAX,
  pattern: /^[\S\s]+$/,
};
const CLIENT_TOKEN: TextBounds = { maxLength: CLIENT_TOKEN_CHARACTERS_MAX, pattern: /^[\S]+$/ };
const KMS_KEY_ARN: TextBounds = {
  minLength: 1,
  maxLength: 2048,
  pattern: /^arn:aws[a-z-]*:kms:.*:[0-9]{12}:key\/.*$/,
};
const TAG_KEY: TextBounds = { maxLength: TAG_KEY_CHARACTERS_MAX, pattern: /^[\S\s]+$/ };
const TAG_VALUE: TextBounds = { maxLength: TAG_VALUE_CHARACTERS_MAX, pattern: /^[\S\s]*$/ };

/** Reads and checks a StartSnapshot request. */
export function readStartSnapshotRequest({ body }: WireRequest): StartSnapshotRequest {
  const json = parseJsonObject(body);
  const c = new Constraints();
  const volumeSize = c.integer("volumeSize", json["VolumeSize"], { min: VOLUME_SIZE_GIB_MIN });
  const input = {
    VolumeSize: c.required("volumeSize", volumeSize, 0),
    ParentSnapshotId: c.text("parentSnapshotId", json["ParentSnapshotId"], SNAPSHOT_ID),
    Tags: readTags(c, json["Tags"]),
    Description: c.text("description", json["Description"], DESCRIPTION),
    ClientToken: c.text("clientToken", json["ClientToken"], CLIENT_TOKEN),
    Encrypted: readBoolean(json["Encrypted"]),
    KmsKeyArn: c.text("kmsKeyArn", json["KmsKeyArn"], KMS_KEY_ARN),
    Timeout: c.integer("timeout", json["Timeout"], {
      min: TIMEOUT_MINUTES_MIN,
      max: TIMEOUT_MINUTES_MAX,
    }),
  };
  c.check();
  return input;
}

function readBoolean(value: unknown): boolean | undefined {
  if (value === undefined || value === null) return undefined;
  if (typeof value !== "boolean") throw wrongType(value, "Boolean");
  return value;
}

function readTags(c: Constraints, value: unknown): Tag[] | undefined {
  if (value === undefined || value === null) return undefined;
  if (!Array.isArray(value)) throw wrongType(value, "List");
  // One more than may be, so that the service says there are too many, and no work for the rest.
  return value.slice(0, TAGS_COUNT_MAX + 1).map((tag: unknown, i) => {
    if (typeof tag !== "object" || tag === null) throw wrongType(tag, "Tag");
    const { Key, Value } = tag as Record<string, unknown>;
    const name = `tags.${i + 1}.member`;
    return {
      Key: c.required(`${name}.key`, c.text(`${name}.key`, Key, TAG_KEY), ""),
      Value: c.text(`${name}.value`, Value, TAG_VALUE) ?? "",
    };
  });
}

/** Writes a StartSnapshot response; no tags are `null`, as the service writes them. */
export function writeStartSnapshotResponse(
  response: Omit<StartSnapshotResponse, "StartTime" | "BlockSize"> & {
    readonly startTimeMs: number;
  },
): WireResponse {
  const { Tags: tags = [] } = response;
  const json = `{"BlockSize":${BLOCK_SIZE_BYTES},"Description":${jsonOrNull(response.Description)},\
"KmsKeyArn":${jsonOrNull(response.KmsKeyArn)},"OwnerId":${JSON.stringify(response.OwnerId)},\
"ParentSnapshotId":${jsonOrNull(response.ParentSnapshotId)},\
"SnapshotId":${JSON.stringify(response.SnapshotId)},"SseType":null,\
"StartTime":${formatEpochSeconds(response.startTimeMs)},\
"Status":${JSON.stringify(response.Status)},\
"Tags":${tags.length > 0 ? JSON.stringify(tags) : "null"},"VolumeSize":${response.VolumeSize}}`;
  return jsonResponse(201, json);
}

/** Writes a StartSnapshot request. */
export function writeStartSnapshotRequest(input: StartSnapshotRequest): WireRequest {
  return request({
    ...formatRoute("StartSnapshot"),
    headers: { "content-type": "application/json" },
    body: new TextEncoder().encode(JSON.stringify(input)),
  });
}

/** Reads a StartSnapshot response; what the service names as `null` is left out. */
export function readStartSnapshotResponse(response: ReceivedResponse): StartSnapshotResponse {
  const members = Object.entries(readJson(response)).filter(([, value]) => value !== null);
  return Object.fromEntries(members) as unknown as StartSnapshotResponse;
}
