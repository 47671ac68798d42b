import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { temporaryDirectory } from "../../../test/support/temporary-directory.ts";
import { AuditLog } from "../../signals/audit-log.ts";
import type { AuditEntry } from "../../wire/admin/audit.ts";
import { CallAudit } from "./audit-calls.ts";
import type { RequestFacts } from "./request-facts.ts";

/** A request without a valid signature, so many milliseconds after the first. */
function stranger(startMs: number): RequestFacts {
  const head = { method: "GET", path: "/x", query: "", headers: new Map<string, string>() };
  return {
    ...{ requestId: `request-${startMs}`, receivedAtMs: 0, startMs, sourceIp: "192.0.2.1" },
    ...{ head: head as RequestFacts["head"], service: "ebs", operation: undefined },
    ...{ parameters: {}, principal: undefined, body: undefined, isPage: false },
  };
}

const REFUSED = { status: 403, headers: { "x-amzn-ErrorType": "NoKey:x" }, body: "" };

test("strangers are noted up to a rate, and then how many were not", async (t) => {
  const path = join(await temporaryDirectory(t), "audit");
  const log = await AuditLog.open({ path, withData: false, onChange: () => undefined });
  t.after(() => log.close());
  const audit = new CallAudit(log);
  for (let i = 0; i < 75; i++) await audit.note(stranger(i), REFUSED);
  await audit.note(stranger(60_000), REFUSED);
  const lines = (await readFile(path, "utf8")).trimEnd().split("\n");
  const entries = lines.map((line) => JSON.parse(line) as AuditEntry);
  assert.equal(entries.length, 61);
  assert.equal(entries[59]?.UnnotedCount, undefined);
  assert.equal(entries[60]?.UnnotedCount, 15);
  assert.equal(entries[60]?.ErrorCode, "NoKey");
  assert.equal(entries[60]?.SourceIp, "192.0.2.1");
});
