import assert from "node:assert/strict";
import { after, describe, test } from "node:test";
import { KMS_OPERATION_NAMES } from "../../src/server/kms/kms-operations.ts";
import { ADMIN_ROUTES } from "../../src/wire/admin/routes.ts";
import { ROUTES } from "../../src/wire/operations.ts";
import { assertCell, call, KEPT_OUT, toldBy } from "../support/matrix/cells.ts";
import { ROWS, type RowService } from "../support/matrix/operations.ts";
import { CALLERS, openWorld } from "../support/matrix/world.ts";
import { actionParts, send } from "../support/operations.ts";

/*
 * Every operation by every kind of caller, each cell with its status, its code, its message where
 * it is a denial, and its shape. An operation that has no row here makes the first test fail.
 */

const world = await openWorld({ after });

describe("The matrix has a row for", () => {
  const namesOf = (service: RowService) => {
    const rows = ROWS.filter((row) => row.service === service);
    return [...new Set(rows.map(({ name }) => name))].sort();
  };

  test("every operation on a path", () => {
    assert.deepEqual(namesOf("ebs"), Object.keys(ROUTES).sort());
    assert.deepEqual(namesOf("admin"), Object.keys(ADMIN_ROUTES).sort());
  });

  test("every operation on encryption keys", () => {
    assert.deepEqual(namesOf("kms"), KMS_OPERATION_NAMES.toSorted());
  });

  for (const service of ["ec2", "sts"] as const) {
    test(`every action of ${service.toUpperCase()}`, async () => {
      const { text } = await send(world.service, actionParts("NoSuchAction"), { service });
      const supported = /It supports: (.*)\.</.exec(text)?.[1]?.split(", ").sort();
      assert.deepEqual(namesOf(service), supported);
    });
  }
});

for (const row of ROWS) {
  describe(`${row.name} (id in ${row.place}) answers`, () => {
    for (const name of CALLERS) test(name, () => assertCell(world, row, name));
  });
}

describe("What is there cannot be told from what is not, by", () => {
  for (const name of KEPT_OUT) {
    test(name, async () => {
      for (const row of ROWS) {
        if (row.place === "-") continue;
        const id = await row.subject(world);
        const there = toldBy(await call(world, row, { name, id }), id);
        const { unknown } = row;
        const absent = toldBy(await call(world, row, { name, id: unknown }), unknown);
        assert.equal(there, absent, `${row.name} (${row.place})`);
      }
    });
  }
});
