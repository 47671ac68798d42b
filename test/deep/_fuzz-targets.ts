import assert from "node:assert/strict";
import type { IncomingMessage } from "node:http";
import { crc32 } from "node:zlib";
import { systemClock } from "../../src/base/clock.ts";
import { seededFraction } from "../../src/base/random.ts";
import { encodePayload } from "../../src/blocks/codec.ts";
import { DomainCipher } from "../../src/blocks/domain-cipher.ts";
import { openRecord } from "../../src/blocks/encode-record.ts";
import { decodeRecord, encodeRecordHeader, RECORD_KIND } from "../../src/blocks/record.ts";
import { PolicyError, parsePolicy } from "../../src/identity/parse-policy.ts";
import { decide } from "../../src/identity/policy.ts";
import type { Digest, RecordName } from "../../src/model/digest.ts";
import { CorruptionError, ServiceError } from "../../src/model/errors.ts";
import { type AccountId, type Domain, isKeyDomain } from "../../src/model/ids.ts";
import { BLOCK_SIZE_BYTES } from "../../src/model/limits.ts";
import { readRequestHead } from "../../src/server/http/raw-request.ts";
import { openListToken } from "../../src/snapshots/tokens/list-tokens.ts";
import { Tokens } from "../../src/snapshots/tokens/tokens.ts";
import { encodeNode, Node } from "../../src/tree/node.ts";
import {
  readCreateAccessKeyRequest,
  readUpdateAccessKeyRequest,
} from "../../src/wire/admin/access-keys.ts";
import { readCreateAccountRequest } from "../../src/wire/admin/accounts.ts";
import { readCompleteSnapshotRequest } from "../../src/wire/complete-snapshot.ts";
import { readCopySnapshotRequest } from "../../src/wire/ec2/copy-snapshot.ts";
import { readDescribeSnapshotsRequest } from "../../src/wire/ec2/describe-snapshots.ts";
import { readDescribeImagesRequest, readRegisterImageRequest } from "../../src/wire/ec2/images.ts";
import { readLockSnapshotRequest } from "../../src/wire/ec2/lock-snapshot.ts";
import { QueryParameters } from "../../src/wire/ec2/query.ts";
import { readModifySnapshotAttributeRequest } from "../../src/wire/ec2/snapshot-attribute.ts";
import { readTagsRequest } from "../../src/wire/ec2/tags.ts";
import { ServiceFault } from "../../src/wire/errors.ts";
import { readGetSnapshotBlockRequest } from "../../src/wire/get-snapshot-block.ts";
import { readListChangedBlocksRequest } from "../../src/wire/list-changed-blocks.ts";
import { readListingRequest } from "../../src/wire/members.ts";
import { parseQuery, request } from "../../src/wire/message.ts";
import { matchRoute } from "../../src/wire/operations.ts";
import { readPutSnapshotBlockRequest } from "../../src/wire/put-snapshot-block.ts";
import {
  canonicalRequest,
  parseAuthorization,
  parseSigningTime,
} from "../../src/wire/signature.ts";
import { readStartSnapshotRequest } from "../../src/wire/start-snapshot.ts";
import { oneSecret } from "../support/secrets.ts";

/** A parser that strangers' bytes reach, and inputs to begin with. */
export interface FuzzTarget {
  readonly corpus: readonly Uint8Array[];
  /** Inputs that cost most; changed ones of these are seldom made. */
  readonly heavy?: readonly Uint8Array[];
  /**
   * Reads the bytes. Throws a declared error for what it refuses; any other error is a finding,
   * also that of an assertion which says what must be true of what was taken.
   */
  readonly read: (bytes: Buffer) => void | Promise<void>;
}

const texts = (...corpus: string[]) => corpus.map((text) => Buffer.from(text));
const ID = "snap-0123456789abcdef0";
const HASH = "0123456789abcdef".repeat(4);
const DIGEST = HASH as Digest;
const ACCOUNT = "123456789012" as AccountId;

/** True for the errors by which the parsers refuse. */
export function isDeclared(error: unknown): boolean {
  return [ServiceFault, ServiceError, PolicyError, CorruptionError].some(
    (type) => error instanceof type,
  );
}

const authorization: FuzzTarget = {
  corpus: texts(
    `AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20260101/us-east-1/ebs/aws4_request, ` +
      `SignedHeaders=host;x-amz-date, Signature=${HASH}`,
    "AWS4-HMAC-SHA256 Credential=a/b/c/d/aws4_request,SignedHeaders=,Signature=",
    "Basic dXNlcjpwYXNz",
    "20260101T000000Z",
  ),
  read(bytes) {
    const text = bytes.toString("latin1");
    const parsed = parseAuthorization(text);
    if (typeof parsed !== "string") {
      assert.match(parsed.signature, /^[0-9a-f]{64}$/);
      assert.ok(parsed.accessKeyId && parsed.scope.date && parsed.scope.region);
      canonicalRequest({ ...request({ method: "GET", path: "/" }) }, parsed.signedHeaders, HASH);
    }
    const timeMs = parseSigningTime(text);
    assert.ok(timeMs === undefined || Number.isFinite(timeMs));
  },
};

const query: FuzzTarget = {
  corpus: texts(
    "blockToken=AAEAAQIDBAUGBwgJCgsMDQ4P%2Babc%2F%3D&maxResults=100",
    "pageToken=a+b/c==&startingBlockIndex=7&&x&=y&a=1&a=0",
    "%C3%A9=%E2%98%83&%zz=%&+=+",
  ),
  read(bytes) {
    // A query comes from a request line, which has no line feeds in it.
    const text = bytes.toString("latin1").replaceAll("\n", "");
    const parts = { method: "GET", path: "/", headers: new Map<string, string>() };
    const canonical = canonicalRequest({ ...parts, query: text }, [], HASH).split("\n")[2] ?? "";
    // What is signed is read the same way by whoever signs it again.
    const again = canonicalRequest({ ...parts, query: canonical }, [], HASH).split("\n")[2];
    assert.equal(again, canonical, "a canonical query is its own canonical form");
    parseQuery(text);
  },
};

const head: FuzzTarget = {
  corpus: texts(
    `GET\n/snapshots/${ID}/blocks?maxResults=100\nHost\nlocalhost:7788\nX-Amz-Date\n20260101T0000Z`,
    `PUT\n/snapshots/${ID}/blocks/7\nhost\n[::1]:80\ncontent-length\n524288\nexpect\n100-continue`,
    "OPTIONS\n*\nHost\nx",
    "POST\n//a/../b%2f?#\nHost\na,b\nHost\nc\n__proto__\n1",
  ),
  read(bytes) {
    const [method, url, ...rawHeaders] = bytes.toString("latin1").split("\n");
    if (rawHeaders.length % 2 === 1) rawHeaders.push("");
    const given = { method, url, rawHeaders, httpVersionMajor: 1, httpVersion: "1.1" };
    const { path, headers } = readRequestHead(given as IncomingMessage);
    assert.ok(path === "*" || (path.startsWith("/") && !/\/\/|\/\.\.?(\/|$)|%|#/.test(path)), path);
    assert.doesNotMatch(headers.get("host") ?? "", /[,@/ ]|^$/);
    matchRoute(method ?? "", path);
  },
};

const fraction = seededFraction(1);
const tokens = new Tokens(oneSecret(7), systemClock, {
  fraction,
  bytes: (length: number) =>
    Buffer.from(Array.from({ length }, () => Math.floor(fraction() * 256))),
});
const scope = { kind: "block", snapshotIds: [ID] } as const;
const minted = tokens.mint(scope, [0, 1, 7, 134_217_727]);
const pageScope = { kind: "listPage", snapshotIds: [ID] } as const;
const pageTokens = tokens.mint(pageScope, [7]);

const tokenTarget: FuzzTarget = {
  corpus: texts(...minted, ...pageTokens, "AAAA", "c25hcC0x.AAAA"),
  read(bytes) {
    const text = bytes.toString("latin1");
    const isOurs = minted.includes(text);
    assert.equal(tokens.open(scope, text) !== undefined, isOurs, `block token ${text}`);
    assert.equal(tokens.open(pageScope, text) !== undefined, pageTokens.includes(text));
    assert.equal(openListToken(tokens, [ID], text), undefined);
  },
};

const json: FuzzTarget = {
  corpus: texts(
    `{"VolumeSize":8,"ParentSnapshotId":"${ID}","Description":"d","ClientToken":"t","Timeout":60,` +
      `"Tags":[{"Key":"a","Value":"b"}],"Encrypted":false,"KmsKeyArn":null}`,
    '{"AccountId":"123456789012"}',
    '{"PolicyDocument":"{}","Status":"Inactive"}',
    '{"a":[[[[{"b":1e400}]]]],"__proto__":{"VolumeSize":1}}',
    "[]",
  ),
  read(bytes) {
    const wire = { ...request({ method: "POST", path: "/" }), body: bytes };
    all(
      () => {
        const { VolumeSize, Tags = [] } = readStartSnapshotRequest(wire);
        assert.ok(Number.isInteger(VolumeSize) && VolumeSize >= 1, "a whole number of GiB");
        assert.ok(Tags.length <= 50);
      },
      () => readCreateAccountRequest(wire),
      () => readCreateAccessKeyRequest(wire),
      () => readUpdateAccessKeyRequest(wire),
    );
  },
};

const members: FuzzTarget = {
  corpus: texts(
    `${ID}\n7\nblockToken=abc&maxResults=100&pageToken=x\n524288\n${HASH}\nSHA256\n50`,
    `${ID}\n-1\nmaxResults=1e3&firstSnapshotId=${ID}\n+5\n\nLINEAR\n101`,
  ),
  read(bytes) {
    const lines = bytes.toString("latin1").split("\n");
    const [snapshotId = "", blockIndex = "", text = "", length = "", checksum = ""] = lines;
    const [, , , , , algorithm = "", progress = ""] = lines;
    const headers = new Map([
      ["x-amz-data-length", length],
      ["x-amz-checksum", checksum],
      ["x-amz-checksum-algorithm", algorithm],
      ["x-amz-checksum-aggregation-method", algorithm],
      ["x-amz-progress", progress],
      ["x-amz-changedblockscount", length],
    ]);
    const parameters = { snapshotId, secondSnapshotId: snapshotId, blockIndex };
    const wire = { ...request({ method: "GET", path: "/" }), headers, query: text };
    all(
      () => {
        const input = readPutSnapshotBlockRequest(wire, parameters);
        assert.ok(Number.isSafeInteger(input.BlockIndex) && input.BlockIndex >= 0);
      },
      () => readGetSnapshotBlockRequest(wire, parameters),
      () => readCompleteSnapshotRequest(wire, parameters),
      () => readListingRequest(wire, parameters),
      () => readListChangedBlocksRequest(wire, parameters),
    );
  },
};

/** A form as long as a body may be, with as many lists in lists as fit. */
const longForm = Array.from(
  { length: 900 },
  (_, i) => `Filter.${i + 1}.Name=tag:a&Filter.${i + 1}.Value.1=${"b".repeat(20)}`,
).join("&");

const longTags = Array.from(
  { length: 1_000 },
  (_, i) => `Tag.${i + 1}.Key=k${i}&Tag.${i + 1}.Value=v`,
).join("&");

const ec2: FuzzTarget = {
  corpus: texts(
    `Action=DescribeSnapshots&SnapshotId.1=${ID}&Owner.1=self&MaxResults=5` +
      "&Filter.1.Name=status&Filter.1.Value.1=pending",
    `Action=CreateTags&ResourceId.1=${ID}&Tag.1.Key=a&Tag.1.Value=b&Tag.3.Key=c`,
    `Action=LockSnapshot&SnapshotId=${ID}&LockMode=governance&LockDuration=1` +
      "&ExpirationDate=2026-01-01T00:00:00Z",
    `Action=ModifySnapshotAttribute&SnapshotId=${ID}&UserId.1=all` +
      "&CreateVolumePermission.Add.1.UserId=123456789012",
    `Action=RegisterImage&Name=abc&BlockDeviceMapping.1.Ebs.SnapshotId=${ID}` +
      "&BlockDeviceMapping.1.DeviceName=/dev/sda1",
    `Action=CopySnapshot&SourceRegion=us-east-1&SourceSnapshotId=${ID}` +
      "&TagSpecification.1.ResourceType=snapshot&TagSpecification.1.Tag.1.Key=k",
  ),
  heavy: texts(`Action=DescribeImages&${longForm}`, `Action=CreateTags&${longTags}&ResourceId.1=x`),
  read(bytes) {
    const parameters = new QueryParameters(bytes);
    all(
      () => readDescribeSnapshotsRequest(parameters),
      () => readTagsRequest(parameters),
      () => readLockSnapshotRequest(parameters),
      () => readModifySnapshotAttributeRequest(parameters),
      () => readRegisterImageRequest(parameters),
      () => readDescribeImagesRequest(parameters),
      () => readCopySnapshotRequest(parameters),
    );
  },
};

const policies = texts(
  '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"ebs:*","Resource":"*"}]}',
  `{"Version":"2012-10-17","Statement":[{"Sid":"x","Effect":"Deny",` +
    `"NotAction":["ec2:Describe*","sts:*"],"Resource":["arn:aws:ec2:*:*:snapshot/snap-*a*b*?c*"],` +
    `"Condition":{"IpAddress":{"aws:SourceIp":["10.0.0.0/8","::1/128"]},` +
    `"NumericLessThanEquals":{"ebs:VolumeSize":"100"},` +
    `"DateLessThan":{"aws:CurrentTime":"2030-01-01T00:00:00Z"},` +
    `"ForAllValues:StringLike":{"aws:TagKeys":["a*","b?"]},` +
    `"Null":{"aws:RequestTag/x":"true"},"StringEqualsIfExists":{"aws:ResourceTag/team":"a"}}}]}`,
);
const access = {
  action: "ebs:PutSnapshotBlock",
  resource: `arn:aws:ec2:us-east-1::snapshot/${ID}`,
  context: new Map([
    ["aws:sourceip", ["10.1.2.3"]],
    ["aws:tagkeys", ["a".repeat(127), "b"]],
    ["ebs:volumesize", ["8"]],
    ["aws:currenttime", ["2026-01-01T00:00:00Z"]],
  ]),
};

const policy: FuzzTarget = {
  corpus: policies,
  read(bytes) {
    const decision = decide(parsePolicy(bytes.toString()), access);
    assert.ok(["allowed", "denied-explicitly", "not-allowed"].includes(decision));
  },
};

const plain = Buffer.from("hello, hello, hello, hello, hello, hello, hello, hello, hello, hello");
const encoded = await encodePayload(Buffer.alloc(4_096, plain));
const record = (bytes: Uint8Array, codec: 0 | 1, plainLength: number) =>
  Buffer.concat([
    encodeRecordHeader({
      kind: RECORD_KIND.block,
      codec,
      domain: ACCOUNT,
      name: DIGEST as string as RecordName,
      plainLength,
      storedLength: bytes.length,
      seal: undefined,
    }),
    bytes,
  ]);

const cipher = new DomainCipher([new Uint8Array(32)]);

const records: FuzzTarget = {
  corpus: [
    record(plain, 0, plain.length),
    record(encoded.bytes, encoded.codec, 4_096),
    record(new Uint8Array(0), 0, 0),
  ],
  async read(bytes) {
    // With its checksum made right, a header is read on to where the checksum would have ended it.
    if (bytes.length >= 80 && bytes[79] !== 0) {
      bytes.writeUInt32LE(crc32(bytes.subarray(0, 76)), 76);
      if ((bytes[60] ?? 0) % 2 === 0) {
        bytes.writeUInt32LE(bytes.length - 80, 60);
        bytes.writeUInt32LE(crc32(bytes.subarray(0, 76)), 76);
      }
    }
    // As the store does it: the domain tells whether there is a cipher.
    const cipherOf = (domain: Domain) => (isKeyDomain(domain) ? cipher : undefined);
    const decoded = decodeRecord(bytes);
    const { header, plain: opened } = await openRecord(bytes, cipherOf(decoded.header.domain));
    assert.ok(header.plainLength <= BLOCK_SIZE_BYTES, `a payload of ${header.plainLength} bytes`);
    assert.equal(opened.length, header.plainLength);
  },
};

const nodes: FuzzTarget = {
  corpus: [
    encodeNode(0, [[0, DIGEST]]),
    encodeNode(
      1,
      [3, 7, 8, 511].map((slot) => [slot, DIGEST] as const),
    ),
    encodeNode(
      2,
      Array.from({ length: 512 }, (_, slot) => [slot, DIGEST] as const),
    ),
  ],
  read(bytes) {
    const level = bytes[1] ?? 0;
    const node = new Node(bytes, level % 3);
    const slots = node.slots();
    const digests = node.digests();
    assert.equal(slots.length, node.count);
    const entries = slots.map((slot, rank) => [slot, digests[rank] as Digest] as const);
    assert.deepEqual(Buffer.from(encodeNode(node.level, entries)), bytes, "one form of a node");
    assert.equal(node.get(slots.at(-1) ?? 0), digests.at(-1));
    assert.deepEqual(node.differingSlots(node, 0), []);
  },
};

/** All of them, by name. */
export const FUZZ_TARGETS = {
  authorization,
  query,
  head,
  tokens: tokenTarget,
  json,
  members,
  ec2,
  policy,
  records,
  nodes,
} as const satisfies Readonly<Record<string, FuzzTarget>>;

/** Name of a target. */
export type FuzzTargetName = keyof typeof FUZZ_TARGETS;

/** Several readers of the same bytes, each whatever the others say. Refused is what all refuse. */
function all(...readers: (() => unknown)[]): void {
  const refusals: unknown[] = [];
  for (const read of readers) {
    try {
      read();
    } catch (error) {
      if (!isDeclared(error)) throw error;
      refusals.push(error);
    }
  }
  if (refusals.length === readers.length) throw refusals[0];
}
