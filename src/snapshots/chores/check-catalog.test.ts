import assert from "node:assert/strict";
import { cp, rm } from "node:fs/promises";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { test } from "node:test";
import { newAccount, withNewKey } from "../../../test/support/keys.ts";
import { snapshotOf } from "../../../test/support/operations.ts";
import { startService } from "../../../test/support/service.ts";
import { temporaryDirectory } from "../../../test/support/temporary-directory.ts";
import { findCatalogFaults } from "./check-catalog.ts";

/* One value changed behind the catalog's back, in rows that carry no checksum. */

const CHANGES: readonly (readonly [sql: string, told: RegExp])[] = [
  ["UPDATE accounts SET position = position + 8", /^account\/\d+ differs .* in position$/],
  ["UPDATE access_keys SET secret = secret || 'x'", /^access-key\/AKIA\w+ differs .* in secret$/],
  ["UPDATE access_keys SET active = 1 - active", /in active$/],
  ["UPDATE meta SET value = x'00'", /^secret\/[\w/.-]+ differs .* in value$/],
  ["UPDATE snapshots SET tags = '[]'", /^snapshot\/snap-\w+ differs .* in tags$/],
  ["UPDATE snapshot_permissions SET grantee = '1'", /in snapshot_permissions$/],
  ["UPDATE encryption_keys SET description = 'x'", /^encryption-key\/.* in description$/],
  ["DELETE FROM access_keys", /^access-key\/AKIA\w+ is in the journal and not in the catalog$/],
];

test("what the catalog says of something and the journal does not is found", async (t) => {
  const dataDirectory = await temporaryDirectory(t);
  const first = await startService(t, { dataDirectory });
  await withNewKey(first, { account: await newAccount(first) });
  const id = await snapshotOf(first, new Map(), { Tags: [{ Key: "a", Value: "b" }] });
  const grantees = { add: ["999999999999"], remove: [] } as never;
  await first.core.catalog.sharing.changeGrantees(id as never, grantees);
  assert.deepEqual(await findCatalogFaults(first.core), []);
  await first.close();
  const path = join(dataDirectory, "catalog.sqlite");
  const kept = await temporaryDirectory(t);
  await cp(dataDirectory, kept, { recursive: true });
  for (const [sql, told] of CHANGES) {
    await rm(dataDirectory, { recursive: true });
    await cp(kept, dataDirectory, { recursive: true });
    const database = new DatabaseSync(path, { enableForeignKeyConstraints: false });
    // As rot changes a row: no trigger hears of it.
    const triggers = database.prepare("SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'");
    const all = triggers.all() as { name: string; sql: string }[];
    database.exec("SAVEPOINT before");
    for (const { name } of all) database.exec(`DROP TRIGGER ${name}`);
    database.exec(sql);
    for (const each of all) database.exec(each.sql);
    database.exec("RELEASE before");
    database.close();
    const service = await startService(t, { dataDirectory });
    const faults = await findCatalogFaults(service.core);
    assert.ok(
      faults.some((fault) => told.test(fault)),
      `${sql}: ${faults.join("; ")}`,
    );
    for (const fault of faults) assert.doesNotMatch(fault, /[A-Za-z0-9+/]{40}/, "no secret");
    await service.close();
  }
});
