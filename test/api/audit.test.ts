import assert from "node:assert/strict";
import { readFile, rename, stat, symlink, unlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import type { LogEntry } from "../../src/service.ts";
import type { AuditEntry, ListAuditEntriesResponse } from "../../src/wire/admin/audit.ts";
import { admin, newAccount, policyOf, withNewKey } from "../support/keys.ts";
import {
  actionParts,
  blockToken,
  getParts,
  kmsParts,
  send,
  snapshotOf,
  startParts,
} from "../support/operations.ts";
import { blockContents } from "../support/property.ts";
import { exchange, sign, type Target } from "../support/raw-http.ts";
import { startService } from "../support/service.ts";
import { type Cleanup, temporaryDirectory } from "../support/temporary-directory.ts";

async function auditing(t: Cleanup, options: { readonly withData?: boolean } = {}) {
  const path = join(await temporaryDirectory(t), "audit.ndjson");
  const log: LogEntry[] = [];
  const service = await startService(t, {
    audit: { path, ...options },
    log: (entry) => log.push(entry),
  });
  return { service, path, log };
}

async function entriesOf(path: string): Promise<AuditEntry[]> {
  const text = await readFile(path, "utf8");
  assert.ok(text === "" || text.endsWith("\n"));
  const lines = text.split("\n").slice(0, -1);
  return lines.map((line) => JSON.parse(line) as AuditEntry);
}

async function pageOf(target: Target, query: Record<string, string | number>) {
  const { status, text } = await send(target, { method: "GET", path: "/varve/audit", query });
  assert.equal(status, 200, text);
  return JSON.parse(text) as ListAuditEntriesResponse;
}

test("every management call is in the audit log before it is answered", async (t) => {
  const { service, path } = await auditing(t);
  const started = await send(service, startParts({ VolumeSize: 1 }));
  const { SnapshotId } = JSON.parse(started.text) as { SnapshotId: string };
  const [entry, ...more] = await entriesOf(path);
  assert.deepEqual(more, []);
  const { key } = service.firstKey;
  assert.ok(entry);
  assert.ok(Math.abs(Date.parse(entry.Time) - Date.now()) < 60_000);
  assert.deepEqual(
    { ...entry, Time: "" },
    {
      Time: "",
      RequestId: started.header("x-amzn-RequestId"),
      Service: "ebs",
      Action: "StartSnapshot",
      IsData: false,
      AccountId: key.account,
      AccessKeyId: key.accessKeyId,
      Arn: `arn:aws:iam::${key.account}:root`,
      SourceIp: "127.0.0.1",
      Resources: [SnapshotId],
      Outcome: "Done",
      Status: 201,
      ErrorCode: null,
    },
  );
  assert.equal((await stat(path)).mode & 0o777, 0o600);
});

test("the audit log names the action of every service, and how it ended", async (t) => {
  const { service, path } = await auditing(t);
  const unknown = "snap-0ffffffffffffffff";
  await send(service, actionParts("DeleteSnapshot", { SnapshotId: unknown }), { service: "ec2" });
  await send(service, actionParts("GetCallerIdentity"), { service: "sts" });
  await send(service, kmsParts("CreateKey"), { service: "kms" });
  await send(service, actionParts("NoSuchAction"), { service: "ec2" });
  const account = await newAccount(service);
  const limited = await withNewKey(service, { account, policy: policyOf({ Action: "ebs:List*" }) });
  await send(limited, startParts({ VolumeSize: 1 }));
  const told = (await entriesOf(path)).map((entry) => {
    return [entry.Service, entry.Action, entry.Outcome, entry.Status, entry.ErrorCode];
  });
  assert.deepEqual(told, [
    ["ec2", "DeleteSnapshot", "Refused", 400, "InvalidSnapshot.NotFound"],
    ["sts", "GetCallerIdentity", "Done", 200, null],
    ["kms", "CreateKey", "Done", 200, null],
    ["ec2", null, "Refused", 400, "UnsupportedOperation"],
    ["varve", "CreateAccount", "Done", 201, null],
    ["varve", "CreateAccessKey", "Done", 201, null],
    ["ebs", "StartSnapshot", "Refused", 403, "AccessDeniedException"],
  ]);
  const entries = await entriesOf(path);
  assert.deepEqual(entries[0]?.Resources, [unknown]);
  assert.match(entries[2]?.Resources.join() ?? "", /^[0-9a-f-]{36}$/);
  assert.deepEqual(entries[5]?.Resources, [account, limited.firstKey.key.accessKeyId]);
});

test("no secret, signature or token is in the audit log", async (t) => {
  const { service, path } = await auditing(t, { withData: true });
  const other = await withNewKey(service);
  const id = await snapshotOf(other, new Map([[0, blockContents(1)]]));
  const token = await blockToken(other, id, 0);
  await send(other, getParts(id, 0, token));
  const assumed = await send(service, actionParts("GetSessionToken"), { service: "sts" });
  const sessionToken = /<SessionToken>([^<]*)</.exec(assumed.text)?.[1];
  const sessionSecret = /<SecretAccessKey>([^<]*)</.exec(assumed.text)?.[1];
  assert.ok(sessionToken && sessionSecret);
  const text = await readFile(path, "utf8");
  const secrets = [other.firstKey.key, service.firstKey.key].map((key) => key.secretAccessKey);
  for (const secret of [...secrets, token, sessionToken, sessionSecret]) {
    assert.ok(!text.includes(secret));
    assert.ok(!text.includes(encodeURIComponent(secret)));
  }
  assert.doesNotMatch(text, /Signature|"authorization"/);
  const kinds = (await entriesOf(path)).map(({ Action, IsData }) => [Action, IsData]);
  for (const action of ["PutSnapshotBlock", "ListSnapshotBlocks", "GetSnapshotBlock"]) {
    assert.ok(
      kinds.some(([name, isData]) => name === action && isData),
      action,
    );
  }
});

test("data calls are noted only when asked for, and looking at the status never", async (t) => {
  const { service, path } = await auditing(t);
  const id = await snapshotOf(service, new Map([[0, blockContents(1)]]));
  await blockToken(service, id, 0);
  await admin(service, ["GET", "/status"]);
  const actions = new Set((await entriesOf(path)).map(({ Action }) => Action));
  assert.deepEqual(
    [...actions].sort(),
    ["CompleteSnapshot", "DescribeSnapshots", "StartSnapshot"].sort(),
  );
});

test("strangers are noted with the key they claim, and cannot fill the log", async (t) => {
  const { service, path } = await auditing(t);
  const secretAccessKey = "x".repeat(40);
  const stranger = {
    ...service,
    firstKey: { key: { accessKeyId: "AKIANOBODY", secretAccessKey } },
  };
  for (let i = 0; i < 100; i++) {
    const { status } = await send(stranger, startParts({ VolumeSize: 1 }));
    assert.equal(status, 403);
  }
  const entries = await entriesOf(path);
  assert.equal(entries.length, 60);
  const { AccountId, AccessKeyId, Outcome, Action } = entries[0] as AuditEntry;
  assert.deepEqual([AccountId, AccessKeyId], [null, "AKIANOBODY"]);
  assert.deepEqual([Outcome, Action], ["Refused", "StartSnapshot"]);
  // Whoever has a key is still noted, each time.
  await send(service, startParts({ VolumeSize: 1 }));
  assert.equal((await entriesOf(path)).at(-1)?.Outcome, "Done");
});

test("ListAuditEntries pages the log from the latest entry back", async (t) => {
  const { service, path } = await auditing(t);
  for (let i = 0; i < 5; i++) await send(service, startParts({ VolumeSize: 1 }));
  const all = await entriesOf(path);
  const seen: AuditEntry[] = [];
  let query: Record<string, string | number> = { maxResults: 2 };
  let isLast = false;
  for (let pages = 0; !isLast; pages++) {
    assert.ok(pages < 10);
    const page = await pageOf(service, query);
    assert.equal(page.IsKept, true);
    seen.push(...page.Entries);
    query = { maxResults: 2, pageToken: page.NextToken ?? "" };
    isLast = page.NextToken === null;
  }
  const started = seen.filter(({ Action }) => Action === "StartSnapshot");
  assert.deepEqual(started, all.toReversed());
  // The pages themselves are calls, too; each but the first has seen those before it.
  const parts = { method: "GET", path: "/varve/audit", query: { maxResults: 0 } };
  const refused = await send(service, parts);
  assert.match(refused.text, /'maxResults' failed to satisfy constraint/);
});

test("without --audit there is nothing to page, and the answer says so", async (t) => {
  const service = await startService(t);
  const { json } = await admin(service, ["GET", "/audit"]);
  assert.deepEqual(json, { IsKept: false, Entries: [], NextToken: null });
});

test("a renamed audit log is left for a new one when it is asked to be", async (t) => {
  const { service, path } = await auditing(t);
  await send(service, startParts({ VolumeSize: 1 }));
  await rename(path, `${path}.1`);
  await send(service, startParts({ VolumeSize: 1 }));
  await service.reopenFiles();
  await send(service, startParts({ VolumeSize: 1 }));
  assert.equal((await entriesOf(`${path}.1`)).length, 2);
  assert.equal((await entriesOf(path)).length, 1);
});

test("a line that a crash left in part spoils no other", async (t) => {
  const path = join(await temporaryDirectory(t), "audit.ndjson");
  await writeFile(path, '{"Time":"2026-01-01T00:00:00.000Z","RequestId":"torn');
  const service = await startService(t, { audit: { path } });
  await send(service, startParts({ VolumeSize: 1 }));
  const { json } = await admin(service, ["GET", "/audit"]);
  const { Entries } = json as unknown as { Entries: AuditEntry[] };
  assert.deepEqual(
    Entries.map(({ Action }) => Action),
    ["StartSnapshot"],
  );
});

test("what cannot be noted is refused before it is done, and noted when it can be", async (t) => {
  const log: LogEntry[] = [];
  // Takes nothing: every write finds the disk full.
  const service = await startService(t, {
    audit: { path: "/dev/full" },
    log: (entry) => log.push(entry),
  });
  const first = await send(service, startParts({ VolumeSize: 1, ClientToken: "one" }));
  assert.equal(first.status, 503, first.text);
  const { snapshots } = service.core.catalog;
  const count = async () => (await snapshots.inState("pending")).length;
  // It had been done when it could not be noted, and the caller was not told that it was.
  assert.equal(await count(), 1);
  const second = await send(service, startParts({ VolumeSize: 1, ClientToken: "two" }));
  assert.equal(second.status, 503);
  assert.equal(await count(), 1, "the second was not begun");
  const told = log.filter(({ message }) => message.includes("audit log cannot be written"));
  assert.equal(told.length, 1, "it is told once");
  const { json } = await admin(service, ["GET", "/status"]);
  const engines = json["Engines"] as { Name: string; State: string; Message: string }[];
  const audit = engines.find(({ Name }) => Name === "audit");
  assert.equal(audit?.State, "Degraded");
  assert.match(audit?.Message ?? "", /no space left/);
  log.length = 0;
});

test("while nothing can be noted, refusals are counted and not kept", async (t) => {
  const path = join(await temporaryDirectory(t), "audit.ndjson");
  await symlink("/dev/full", path);
  const service = await startService(t, { audit: { path }, log: () => undefined });
  const start = (token: string) => {
    return send(service, startParts({ VolumeSize: 1, ClientToken: token }));
  };
  assert.equal((await start("one")).status, 503);
  for (const token of ["two", "three"]) assert.equal((await start(token)).status, 503);
  const nobody = { key: { accessKeyId: "AKIANOBODY", secretAccessKey: "x".repeat(40) } };
  const stranger = await send({ ...service, firstKey: nobody }, startParts({ VolumeSize: 1 }));
  assert.equal(stranger.status, 403);
  await unlink(path);
  await service.reopenFiles();
  assert.equal((await start("four")).status, 201);
  const entries = await entriesOf(path);
  assert.deepEqual(
    entries.map(({ Status, UnnotedCount }) => [Status, UnnotedCount]),
    [
      [201, undefined],
      [201, 3],
    ],
  );
});

test("a request without a head is no entry, and pages are none either", async (t) => {
  const { service, path } = await auditing(t);
  await exchange(service, sign(service, { method: "GET", path: "/healthz" }));
  assert.deepEqual(await entriesOf(path), []);
});
