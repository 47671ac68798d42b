import { getParts, listParts, putParts, startParts } from "../support/operations.ts";
import { withHeaders } from "../support/raw-http.ts";
import { brief } from "./_caller.ts";
import { Group } from "./_check.ts";
import { A, B, type Context } from "./_context.ts";
import { holds, same } from "./_expect.ts";
import { denies } from "./_refusal.ts";
import { type Manner, presigned, signed } from "./_sign.ts";
import { blockTokenOf } from "./_tokens.ts";

/* Who is let in, and what the signature covers. */

const group = new Group("4 authentication");
/** The checks of this file. */
export const authentication = group;

const SIGNED = "signed headers";
const QUERY = "signatures in the query; repeated headers; paths with escapes";
const MINUTE_MS = 60_000;
const list = (c: Context, manner: Manner) => c.caller.call(listParts(c.id("root")), manner);

group.check("4/none", "Without a signature: a missing token, 403.", async (c) => {
  const request = signed(c.caller.party, listParts(c.id("root")));
  const answer = await c.caller.raw(withHeaders(request, { Authorization: undefined }));
  denies(answer, 403, "MissingAuthenticationTokenException");
});
const WRONG: readonly (readonly [string, Manner, string])[] = [
  ["another secret", { secretAccessKey: "wrong" }, "InvalidSignatureException"],
  ["another region", { region: "ap-nowhere-9" }, "InvalidSignatureException"],
  ["another service", { service: "s3" }, "InvalidSignatureException"],
  ["an unknown key", { accessKeyId: "AKIAUNKNOWNUNKNOWN22" }, "UnrecognizedClientException"],
  ["a clock 20 minutes slow", { timeMs: Date.now() - 20 * MINUTE_MS }, "InvalidSignatureException"],
  ["a clock 20 minutes fast", { timeMs: Date.now() + 20 * MINUTE_MS }, "InvalidSignatureException"],
  ["an unknown session token", { sessionToken: "IQoJb3JpZ2lu" }, "UnrecognizedClientException"],
];
for (const [what, manner, code] of WRONG) {
  group.check(`4/${what}`, `Signed with ${what}: ${code}.`, async (c) =>
    denies(await list(c, manner), 403, code),
  );
}
group.check("4/clock", "A clock 4 minutes off is tolerated.", async (c) => {
  for (const minutes of [-4, 4]) {
    const answer = await list(c, { timeMs: Date.now() + minutes * MINUTE_MS });
    same(String(answer.status), "200");
  }
});
group.check("4/tampered", "A path other than the signed one is refused.", async (c) => {
  const request = signed(c.caller.party, listParts(c.id("root")));
  const target = `/snapshots/${c.id("other")}/blocks`;
  denies(await c.caller.raw({ ...request, target }), 403, "InvalidSignatureException");
});
group.check("4/tampered.query", "So is a query other than the signed one.", async (c) => {
  const request = signed(c.caller.party, listParts(c.id("root")));
  const target = `${request.target}?maxResults=100`;
  denies(await c.caller.raw({ ...request, target }), 403, "InvalidSignatureException");
});
group.check("4/tampered.body", "And a body other than the signed one.", async (c) => {
  const request = signed(c.caller.party, startParts({ VolumeSize: 1, Description: "one" }));
  const body = Buffer.from(Buffer.from(request.body).toString().replace("one", "two"));
  const answer = await c.caller.raw({ ...request, body });
  holds(answer.status === 403 || answer.status === 400, brief(answer), "a refusal");
});
const at = (c: Context) => ({ snapshotId: c.id("pending"), blockIndex: 3 });
for (const [payload, says] of [
  ["unsigned", "UNSIGNED-PAYLOAD"],
  ["hash", "the true hash of the body"],
] as const) {
  group.check(`4/put ${payload}`, `A put may declare ${says}.`, async (c) => {
    const answer = await c.caller.call(putParts(at(c), A), { payload });
    holds(answer.status === 201, brief(answer), "201");
  });
}
group.check("4/put absent", "A put may leave the hash out and sign the body's.", async (c) => {
  const answer = await c.caller.call(putParts(at(c), A), { payload: "absent" });
  holds(answer.status === 201, brief(answer), "201");
});
group.check("4/put wrong", "A put that declares another hash is refused.", async (c) => {
  const answer = await c.caller.call(putParts(at(c), B), { payload: "wrong" });
  holds(answer.status === 400 || answer.status === 403, brief(answer), "a refusal");
});
for (const payload of ["hash", "absent"] as const) {
  group.check(`4/read ${payload}`, `A read may have the hash ${payload}.`, async (c) =>
    same(String((await list(c, { payload })).status), "200"),
  );
}
for (const header of ["x-amz-checksum", "x-amz-checksum-algorithm", "x-amz-data-length"]) {
  const call = (c: Context) => c.caller.call(putParts(at(c), A), { unsigned: [header] });
  group
    .check(`4/unsigned ${header}`, `${header} need not be signed.`, async (c) => {
      const answer = await call(c);
      holds(answer.status === 201, brief(answer), "201");
    })
    .or(SIGNED, async (c) => denies(await call(c), 403, "InvalidSignatureException"));
}
group
  .check("4/presigned", "A signature in the query is taken.", async (c) => {
    const answer = await c.caller.raw(presigned(c.caller.party, listParts(c.id("root"))));
    holds(answer.status === 200, brief(answer), "200");
  })
  .or(QUERY, async (c) => {
    const answer = await c.caller.raw(presigned(c.caller.party, listParts(c.id("root"))));
    holds(answer.status >= 400 && answer.status < 500, brief(answer), "a refusal");
  });
group.check("4/unsigned-others", "Other headers may come unsigned.", async (c) => {
  const after = [
    ["User-Agent", "anything/1.0"],
    ["amz-sdk-request", "attempt=1"],
    ["Accept-Encoding", "identity"],
  ] as const;
  same(String((await list(c, { after })).status), "200");
});
group.check("4/also-signed", "Other headers may be signed, too.", async (c) => {
  const parts = { ...listParts(c.id("root")), headers: { "amz-sdk-request": "attempt=1; max=3" } };
  const answer = await c.caller.call(parts, { alsoSigned: ["amz-sdk-request"] });
  holds(answer.status === 200, brief(answer), "200");
});
group.check("4/token-encoded", "A token in the query may be percent-encoded.", async (c) => {
  const parts = getParts(c.id("root"), 0, await blockTokenOf(c, "root", 0));
  same(String((await c.caller.call(parts)).status), "200");
});
