import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import { EXIT_CODES } from "../src/cli/exit-codes.ts";
import * as limits from "../src/model/limits.ts";
import { KMS_OPERATION_NAMES } from "../src/server/kms-operations.ts";
import { callQueryAction } from "../src/server/query-actions.ts";
import type { Core } from "../src/snapshots/core.ts";
import { ADMIN_ROUTES } from "../src/wire/admin/routes.ts";
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
    .filter(([, request]) => /^`[A-Z]+ \/snapshots/.test(request ?? ""))
    .map(([operation, request]) => [operation, request?.replaceAll("`", "")]);
  const routed = Object.entries(ROUTES).map(([operation, { method, path }]) => {
    return [operation, `${method} ${path}`];
  });
  // The two listings of one snapshot differ in the name of their path parameter at AWS only.
  assert.deepEqual(documented.sort(), routed.sort());
});

test("docs/api.md names every operation of ours on accounts and access keys", () => {
  const documented = rowsOf(api)
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
  };
  const call = { principal, sourceIp: "", parameters, requestId: "" };
  // The refusal of an unknown action lists the known ones.
  const refusal = await Promise.resolve()
    .then(() => callQueryAction({} as Core, service, call))
    .catch((error: Error) => error.message);
  const names = /It supports: (.*)\.$/.exec(String(refusal))?.[1] ?? "";
  return names.split(", ").sort();
}

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
