import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import { EXIT_CODES } from "../src/cli/exit-codes.ts";
import type { SessionTokens } from "../src/identity/session-tokens.ts";
import * as limits from "../src/model/limits.ts";
import { callQueryAction } from "../src/server/ec2/query-actions.ts";
import { KMS_OPERATION_NAMES } from "../src/server/kms/kms-operations.ts";
import type { Core } from "../src/snapshots/core.ts";
import { ADMIN_ROUTES } from "../src/wire/admin/routes.ts";
import { ACTION_PARAMETERS } from "../src/wire/ec2/parameters.ts";
import { QueryParameters, type QueryService } from "../src/wire/ec2/query.ts";
import { ROUTES } from "../src/wire/operations.ts";

const api = await readFile(new URL("../docs/api.md", import.meta.url), "utf8");
const errorsSource = await readFile(new URL("../src/model/errors.ts", import.meta.url), "utf8");

/** The rows of the tables of a page, as lists of cells. */
function rowsOf(page: string): string[][] {
  return page
    .split("\n")
    .filter((line) => line.startsWith("|") && !/^\|[-| ]+\|$/.test(line))
    .map((line) =>
      line
        .slice(1, -1)
        .split("|")
        .map((cell) => cell.trim()),
    );
}

/** The names of a union type of text literals in a source file. */
function unionMembers(source: string, name: string): string[] {
  const union = source.split(`export type ${name} =`)[1]?.split(";")[0] ?? "";
  return [...union.matchAll(/"(\w+)"/g)].map((match) => match[1] as string).sort();
}

test("docs/api.md names every operation with its method and path", () => {
  const documented = rowsOf(api)
    .filter(([operation]) => operation !== undefined && operation in ROUTES)
    .filter(([, request]) => /^`[A-Z]+ \//.test(request ?? ""))
    .map(([operation, request]) => [operation, request?.replaceAll("`", "")]);
  const routed = Object.entries(ROUTES).map(([operation, { method, path }]) => {
    return [operation, `${method} ${path}`];
  });
  // The two listings of one snapshot differ in the name of their path parameter at AWS only.
  assert.deepEqual(documented.sort(), routed.sort());
});

test("docs/api.md names every operation of ours on accounts, access keys and the store", () => {
  const documented = rowsOf(api)
    .filter(([operation]) => operation !== undefined && !(operation in ROUTES))
    .filter(([, request]) => /^`[A-Z]+ \/varve\//.test(request ?? ""))
    .map(([operation, request]) => `${operation} ${request?.replaceAll("`", "")}`);
  const routed = Object.entries(ADMIN_ROUTES).map(([operation, { method, path }]) => {
    return `${operation} ${method} ${path}`;
  });
  assert.deepEqual(documented.sort(), routed.sort());
});

test("docs/api.md names every EC2 and STS action that is supported, and no other", async () => {
  for (const service of ["ec2", "sts"] as const) {
    const row = rowsOf(api).find(([name]) => name?.startsWith(`${service.toUpperCase()} (`));
    assert.deepEqual(row?.[1]?.split(", ").sort(), await supportedActions(service));
  }
});

test("docs/api.md names every operation on encryption keys, and no other", () => {
  const row = rowsOf(api).find(([name]) => name?.startsWith("KMS ("));
  assert.deepEqual(row?.[1]?.split(", "), KMS_OPERATION_NAMES);
});

async function supportedActions(service: QueryService): Promise<string[]> {
  const parameters = new QueryParameters(new TextEncoder().encode("Action=NoSuchAction"));
  const principal = {
    account: "123456789012" as never,
    accessKeyId: "",
    arn: "",
    policy: undefined,
    session: undefined,
  };
  const sessions = {} as SessionTokens;
  const call = { principal, sourceIp: "127.0.0.1", parameters, requestId: "", sessions };
  // The refusal of an unknown action lists the known ones.
  const refusal = await Promise.resolve()
    .then(() => callQueryAction({} as Core, service, call))
    .catch((error: Error) => error.message);
  const names = /It supports: (.*)\.$/.exec(String(refusal))?.[1] ?? "";
  return names.split(", ").sort();
}

test("docs/api.md names every EC2 parameter that is passed over or refused", () => {
  const section = api.split("### Parameters of EC2 actions")[1]?.split("\n### ")[0] ?? "";
  const names = (cell = "–") => (cell === "–" ? [] : cell.split(", ").sort());
  const documented = rowsOf(section)
    .slice(1)
    .flatMap(([actions, ignored, refused]) =>
      names(actions).map((action) => [action, names(ignored), names(refused)]),
    );
  const actual = Object.entries(ACTION_PARAMETERS).flatMap(([action, each]) => {
    const { ignores = [], refuses = [] } = each;
    const isNamed = ignores.length + refuses.length > 0;
    return isNamed ? [[action, [...ignores].sort(), [...refuses].sort()]] : [];
  });
  assert.deepEqual(documented.sort(), actual.sort());
});

test("docs/api.md states every limit as the code has it", () => {
  const stated = rowsOf(api.split("## Limits")[1]?.split("\n## ")[0] ?? "").slice(1);
  assert.ok(stated.length >= 20, "the table of limits is there");
  const actual = new Map<string, unknown>(Object.entries(limits));
  for (const [what, value, constant] of stated) {
    const name = constant?.replaceAll("`", "") ?? "";
    assert.equal(Number(value), actual.get(name), `${what}: ${name}`);
  }
});

test("docs/api.md names every error code and reason of the service, and no other", () => {
  const codes = rowsOf(api).filter(([code]) => /^`\w+Exception`$/.test(code ?? ""));
  const documentedCodes = codes.map(([code]) => code?.replaceAll("`", "")).sort();
  assert.deepEqual(documentedCodes, unionMembers(errorsSource, "ServiceErrorCode"));
  const reasons = codes.flatMap(([, , cell]) => [...(cell ?? "").matchAll(/`([A-Z_]+)`/g)]);
  const documentedReasons = reasons.map((match) => match[1]).sort();
  assert.deepEqual(documentedReasons, unionMembers(errorsSource, "ServiceErrorReason"));
});

test("docs/api.md says of every deviation whether --emulate aws does as AWS", () => {
  const rows = rowsOf(api.split("## Where Varve deviates")[1] ?? "").slice(1);
  assert.ok(rows.length >= 30);
  for (const row of rows) {
    assert.equal(row.length, 5, row[0]);
    assert.match(row[4] ?? "", /^(yes|the first|no: ..)/, row[0]);
  }
});

test("docs/operating.md lists every exit code", async () => {
  const page = await readFile(new URL("../docs/operating.md", import.meta.url), "utf8");
  const documented = rowsOf(page.split("## Exit codes")[1] ?? "")
    .map(([code]) => Number(code))
    .filter((code) => !Number.isNaN(code));
  assert.deepEqual(
    documented,
    Object.values(EXIT_CODES).sort((a: number, b: number) => a - b),
  );
});
