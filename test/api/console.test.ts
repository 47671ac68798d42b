import assert from "node:assert/strict";
import { test } from "node:test";
import { gunzipSync } from "node:zlib";
import { exchange, type RawResponse, type Target } from "../support/raw-http.ts";
import { startService } from "../support/service.ts";

/* How the files of the web console are served, whatever is in them. */

const PAGE = '<!doctype html><meta name="varve-region" content="%VARVE_REGION%">';
const SCRIPT = "console.log(1);".repeat(50);
const FILES = new Map([
  ["index.html", Buffer.from(PAGE)],
  ["assets/index-AbC-_9.js", Buffer.from(SCRIPT)],
  ["assets/index-1.css", Buffer.from("a{}")],
  ["secret.txt", Buffer.from("not below assets")],
]);

function ask(
  { endpoint }: Pick<Target, "endpoint">,
  line: string,
  headers: readonly (readonly [string, string])[] = [],
): Promise<RawResponse> {
  const [method = "", target = ""] = line.split(" ");
  const all = [["host", new URL(endpoint).host] as const, ...headers];
  return exchange({ endpoint } as Target, { method, target, headers: all, body: Buffer.alloc(0) });
}

test("the page and its assets come without a signature, under strict headers", async (t) => {
  const service = await startService(t, { consoleFiles: FILES, region: "eu-west-3" });
  const page = await ask(service, "GET /console");
  assert.equal(page.status, 200);
  assert.equal(page.text, PAGE.replace("%VARVE_REGION%", "eu-west-3"));
  assert.equal(page.header("Content-Type"), "text/html; charset=utf-8");
  assert.equal(page.header("Cache-Control"), "no-cache");
  assert.equal((await ask(service, "GET /console/")).text, page.text);
  const script = await ask(service, "GET /console/assets/index-AbC-_9.js");
  assert.equal(script.text, SCRIPT);
  assert.equal(script.header("Content-Type"), "text/javascript; charset=utf-8");
  assert.equal(script.header("Cache-Control"), "public, max-age=31536000, immutable");
  const missing = await ask(service, "GET /console/assets/index-gone.js");
  assert.equal(missing.status, 404);
  for (const answer of [page, script, missing]) {
    const policy = answer.header("Content-Security-Policy") ?? "";
    assert.match(policy, /^default-src 'none'; script-src 'self'; style-src 'self';/);
    assert.doesNotMatch(policy, /unsafe|\*|http|data:/);
    assert.match(policy, /frame-ancestors 'none'/);
    assert.equal(answer.header("X-Content-Type-Options"), "nosniff");
    assert.equal(answer.header("Referrer-Policy"), "no-referrer");
    assert.equal(answer.header("Cross-Origin-Opener-Policy"), "same-origin");
    assert.equal(answer.header("X-Frame-Options"), "DENY");
  }
});

test("files are compressed for those who take that, and heads have no body", async (t) => {
  const service = await startService(t, { consoleFiles: FILES });
  const path = "/console/assets/index-AbC-_9.js";
  const gzipped = await ask(service, `GET ${path}`, [["accept-encoding", "gzip, br"]]);
  assert.equal(gzipped.header("Content-Encoding"), "gzip");
  assert.equal(gzipped.header("Vary"), "Accept-Encoding");
  assert.equal(gunzipSync(gzipped.body).toString(), SCRIPT);
  const refused = await ask(service, `GET ${path}`, [["accept-encoding", "gzip;q=0, br"]]);
  assert.equal(refused.header("Content-Encoding"), undefined);
  const response = await fetch(`${service.endpoint}${path}`, {
    method: "HEAD",
    headers: { "accept-encoding": "identity" },
  });
  assert.equal(response.headers.get("content-length"), String(SCRIPT.length));
  assert.equal(await response.text(), "");
});

test("nothing else is served, by no other method, and by no way around", async (t) => {
  const service = await startService(t, { consoleFiles: FILES });
  const refused = [
    ...["POST /console", "PUT /console", "DELETE /console/assets/index-1.css", "OPTIONS /console"],
    ...["GET /console/secret.txt", "GET /console/index.html", "GET /console/assets/../secret.txt"],
    ...["GET /console/assets/..%2fsecret.txt", "GET /console/assets/%2e%2e/secret.txt"],
    ...["GET /console//assets/index-1.css", "GET /Console", "GET /consoles", "GET /"],
    ...["GET /console/assets/index-1.css/", "GET //console", "GET /console\\assets\\index-1.css"],
  ];
  for (const line of refused) {
    const answer = await ask(service, line);
    assert.ok(answer.status >= 400 && answer.status < 500, `${line}: ${answer.status}`);
    assert.doesNotMatch(answer.text, /not below assets|a\{\}|doctype/, line);
  }
});

test("without built files the page says how to build them", async (t) => {
  const service = await startService(t, { consoleFiles: undefined });
  const page = await ask(service, "GET /console");
  assert.equal(page.status, 200);
  assert.match(page.text, /npm run build/);
  assert.equal((await ask(service, "GET /console/assets/x.js")).status, 404);
});

test("what the service writes into the page stays text", async (t) => {
  const region = '"><script>alert(1)</script>';
  const service = await startService(t, { consoleFiles: FILES, region });
  const { text } = await ask(service, "GET /console");
  assert.doesNotMatch(text, /<script/);
});
