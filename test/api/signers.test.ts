import assert from "node:assert/strict";
import { after, describe, type TestContext, test } from "node:test";
import { checksumOfBlock } from "../support/blocks.ts";
import { snapshotOf, start } from "../support/operations.ts";
import { blockContents, pick, printSeed, seededFraction } from "../support/property.ts";
import { exchange, type RawRequest, type RawResponse } from "../support/raw-http.ts";
import { startService } from "../support/service.ts";
import {
  type Plain,
  randomHeaders,
  randomQuery,
  randomText,
  show,
} from "../support/signing/random-requests.ts";
import { signWithSmithy } from "../support/signing/signers.ts";

/*
 * A signer that is not ours, AWS's own for JavaScript, signs requests made by chance: the service
 * takes every one of them, and none that differs from what was signed in a single character.
 */

const REQUESTS = 150;
const MUTATED_REQUESTS = 30;

const service = await startService({ after });
const block = blockContents(1);
const completed = await snapshotOf(service, new Map([[0, block]]));
const pending = await start(service);

type Fraction = () => number;

function randomRequest(fraction: Fraction): Plain {
  const headers = randomHeaders(fraction);
  const body = Buffer.alloc(0);
  const kind = pick(fraction, 4);
  if (kind === 0) {
    const description = `d${randomText(fraction, 40)}`;
    const json = Buffer.from(JSON.stringify({ VolumeSize: 1, Description: description }));
    headers["content-type"] = "application/json";
    return { method: "POST", path: "/snapshots", query: {}, headers, body: json };
  }
  if (kind === 1) {
    headers["x-amz-data-length"] = "524288";
    headers["x-amz-checksum"] = checksumOfBlock(block);
    headers["x-amz-checksum-algorithm"] = "SHA256";
    const path = `/snapshots/${pending}/blocks/${pick(fraction, 2_048)}`;
    return { method: "PUT", path, query: {}, headers, body: block };
  }
  const path = `/snapshots/${completed}/blocks`;
  return { method: "GET", path, query: randomQuery(fraction), headers, body };
}

function randomSigned(fraction: Fraction): Promise<RawRequest> {
  const plain = randomRequest(fraction);
  return signWithSmithy(service, plain, { declaresHash: fraction() < 0.5 });
}

/** One character of a text, at random, becomes another of its kind; escapes stay whole. */
function mutateText(fraction: Fraction, original: string): string {
  const places = [...original.matchAll(/[A-Za-z0-9]/g)]
    .map(({ index }) => index)
    .filter((index) => !/%.?$/.test(original.slice(0, index)));
  const place = places[pick(fraction, places.length)];
  if (place === undefined) return `${original}x`;
  const old = original[place] as string;
  const kinds = ["abcdefghijklmnopqrstuvwxyz", "ABCDEFGHIJKLMNOPQRSTUVWXYZ", "0123456789"];
  const others = (kinds.find((kind) => kind.includes(old)) ?? "").replace(old, "");
  return (
    original.slice(0, place) + others[pick(fraction, others.length)] + original.slice(place + 1)
  );
}

/** Every part of a request that a signature covers, each changed in one place. */
function mutations(fraction: Fraction, request: RawRequest): [string, RawRequest][] {
  const { method, target, headers, body } = request;
  const signed = headers.find(([name]) => name === "authorization")?.[1] ?? "";
  const names = new Set(/SignedHeaders=([^,]+)/.exec(signed)?.[1]?.split(";"));
  const mark = target.indexOf("?");
  const [path, query] = mark < 0 ? [target, ""] : [target.slice(0, mark), target.slice(mark)];
  const mutated: [string, RawRequest][] = [
    ["method", { ...request, method: method === "GET" ? "POST" : "GET" }],
    ["path", { ...request, target: mutateText(fraction, path) + query }],
  ];
  if (query) mutated.push(["query", { ...request, target: path + mutateText(fraction, query) }]);
  if (body.length > 0) {
    const changed = Buffer.from(body);
    const place = pick(fraction, body.length);
    changed[place] = (body[place] ?? 0) ^ (1 << pick(fraction, 8));
    mutated.push(["body", { ...request, body: changed }]);
  }
  for (const [name, value] of headers) {
    if (!names.has(name) && name !== "authorization") continue;
    const changed = headers.map((line) =>
      line[0] === name ? ([name, mutateText(fraction, value)] as const) : line,
    );
    mutated.push([name, { ...request, headers: changed }]);
  }
  return mutated;
}

const REFUSALS = new Set([
  "IncompleteSignatureException",
  "InvalidRequestException",
  "InvalidSignatureException",
  "MalformedRequestException",
  "MissingAuthenticationTokenException",
  "RequestEntityTooLargeException",
  "UnrecognizedClientException",
]);

function codeOf(response: RawResponse): string {
  return (response.header("x-amzn-ErrorType") ?? "").split(":")[0] ?? "";
}

function seeded(t: TestContext): Fraction {
  return seededFraction(printSeed(t));
}

describe("Requests signed by AWS's own signer", () => {
  test("are all taken, whatever is in query, headers and body", async (t) => {
    const fraction = seeded(t);
    for (let i = 0; i < REQUESTS; i++) {
      const request = await randomSigned(fraction);
      const { status, text } = await exchange(service, request);
      assert.ok(status === 200 || status === 201, `${status} ${text}\n${show(request)}`);
    }
  });

  test("are all refused after one character of what was signed has changed", async (t) => {
    const fraction = seeded(t);
    for (let i = 0; i < MUTATED_REQUESTS; i++) {
      for (const [part, mutated] of mutations(fraction, await randomSigned(fraction))) {
        const response = await exchange(service, mutated);
        const shown = `${part}: ${response.status} ${response.text}\n${show(mutated)}`;
        assert.ok(REFUSALS.has(codeOf(response)), shown);
        assert.ok([400, 403, 413].includes(response.status), shown);
      }
    }
  });
});
