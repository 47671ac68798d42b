import { KMS_OPERATION_NAMES } from "../../../src/server/kms/kms-operations.ts";
import { ADMIN_ROUTES } from "../../../src/wire/admin/routes.ts";
import type { RequestParts } from "../../../src/wire/message.ts";
import { ROUTES } from "../../../src/wire/operations.ts";
import { actionParts, kmsParts } from "../operations.ts";
import { type RawRequest, type Signing, sign, type Target } from "../raw-http.ts";

/* Every way into the service, with a request that is understood there and changes nothing. */

/** One way in. */
export interface Entry {
  readonly name: string;
  readonly service: "ebs" | "ec2" | "sts" | "kms" | "s3";
  readonly parts: RequestParts;
}

/** Ids that were never given out: what is authentic is answered, and nothing is changed. */
const IDS: Readonly<Record<string, string>> = {
  snapshotId: "snap-0ffffffffffffffff",
  blockIndex: "7",
  accountId: "999999999999",
  accessKeyId: "AKIAUNKNOWNUNKNOWN22",
  collectionId: "999",
  keyId: "ffffffff-ffff-4fff-8fff-ffffffffffff",
};

/** Bodies of those that would change something if theirs were that of the others. */
const BODIES: Readonly<Record<string, string>> = { RotateTokenSecrets: '{"Revoke":"x"}' };

/**
 * Paths of other services' consoles and management, and some of none. Our own console is at
 * /console and below /console/assets; they need no signature (test/api/console.test.ts).
 */
const OTHER_PATHS = [
  ...["/nothing", "/console/index.html", "/console/none", "/index.html", "/favicon.ico", "/admin"],
  ...["/varve", "/varve/none", "/varve/accounts/self", "/minio/admin/v3/info", "/snapshots/a/b/c"],
];

const EC2_ACTIONS = ["DescribeSnapshots", "DeleteSnapshot", "CreateTags", "NoSuchAction"];
const STS_ACTIONS = ["GetCallerIdentity", "AssumeRole"];

/** All of them. */
export function entries(): readonly Entry[] {
  const routes = Object.entries({ ...ROUTES, ...ADMIN_ROUTES });
  const members = { SnapshotId: IDS["snapshotId"] ?? "" };
  return [
    ...routes.map(([name, { method, path }]) => entryOf(name, method, path)),
    ...OTHER_PATHS.map((path) => entryOf(path, "GET", path)),
    ...EC2_ACTIONS.map((name) => ({
      name,
      service: "ec2" as const,
      parts: actionParts(name, members),
    })),
    ...STS_ACTIONS.map((name) => ({ name, service: "sts" as const, parts: actionParts(name) })),
    // To CreateKey and ListKeys, the key's id is a member that they do not take.
    ...[...KMS_OPERATION_NAMES, "Decrypt"].map((name) => ({
      name,
      service: "kms" as const,
      parts: kmsParts(name, { KeyId: IDS["keyId"] }),
    })),
    { name: "ListBuckets", service: "s3", parts: { method: "GET", path: "/" } },
  ];
}

function entryOf(name: string, method: string, template: string): Entry {
  const path = template.replace(/\{(\w+)\}/g, (_, parameter: string) => IDS[parameter] ?? "");
  const query = method === "GET" ? { maxResults: 100, pageToken: "a+b/c=" } : {};
  const json = { "content-type": "application/json" };
  const headers = { ...(method === "POST" ? json : {}), "x-amz-user-agent": "a test/1.0" };
  const text = BODIES[name] ?? '{"Status":"x"}';
  const body = method === "POST" || method === "PUT" ? Buffer.from(text) : undefined;
  return {
    name,
    service: "ebs",
    parts: { method, path, query, headers, ...(body ? { body } : {}) },
  };
}

/** The entry's request, signed as its service wants it. */
export function signedEntry(target: Target, entry: Entry, changes: Signing = {}): RawRequest {
  return sign(target, entry.parts, { service: entry.service, ...changes });
}
