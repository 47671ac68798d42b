import assert from "node:assert/strict";
import { test } from "node:test";
import { readFilters } from "./members.ts";
import { QueryParameters, readXml, writeEc2Response } from "./query.ts";

function parameters(form: string): QueryParameters {
  return new QueryParameters(new TextEncoder().encode(form));
}

test("QueryParameters.list takes numbered values in order, whatever numbers are left out", () => {
  assert.deepEqual(parameters("Id.10=c&Id.2=a&Id.9=b&Identity.1=x").list("Id"), ["a", "b", "c"]);
  assert.deepEqual(parameters("Other.1=a").list("Id"), []);
});

test("QueryParameters.items refuses what is incomplete instead of passing it over", () => {
  const filters = readFilters(parameters("Filter.9.Name=status&Filter.9.Value.3=error"));
  assert.deepEqual(filters, [{ Name: "status", Values: ["error"] }]);
  assert.throws(
    () => readFilters(parameters("Filter.2.Value.1=error")),
    /Filter\.2 is not complete/,
  );
  assert.throws(() => parameters("Id.1.Nested=a").list("Id"), /Id\.1 is not complete/);
});

test("QueryParameters.list bounds how many values are read", () => {
  const form = Array.from({ length: 1_001 }, (_, i) => `Id.${i + 1}=a`).join("&");
  assert.throws(() => parameters(form).list("Id"), /More than 1000 values of Id/);
});

test("QueryParameters read as many filters as fit in a body in a moment", () => {
  const filter = (i: number) => `Filter.${i}.Name=a&Filter.${i}.Value.1=${"b".repeat(30)}`;
  const form = parameters(Array.from({ length: 1_000 }, (_, i) => filter(i + 1)).join("&"));
  const start = performance.now();
  for (let i = 0; i < 10; i++) assert.equal(readFilters(form).length, 1_000);
  // Looking through all parameters for each filter takes many seconds for this.
  assert.ok(performance.now() - start < 1_000, "ten times a thousand filters in a second");
});

test("QueryParameters take the first of two values, and any depth of names", () => {
  const deep = `a${".1".repeat(20_000)}`;
  const form = parameters(`Id.1=a&Id.1=b&${deep}=c&Id.01=d&Id.1.1=e`);
  assert.deepEqual(form.list("Id"), ["a"]);
  assert.equal(form.get(deep), "c");
});

test("readFilters refuses a value that is longer than EC2 takes", () => {
  const form = (length: number) =>
    `Filter.1.Name=status&Filter.1.Value.1=${"*a".repeat(length / 2)}`;
  assert.equal(readFilters(parameters(form(254))).length, 1);
  assert.throws(() => readFilters(parameters(form(256))), /more than 255 characters/);
});

test("writeEc2Response stays legible whatever characters a description has", () => {
  const description = "tab\t, <&>\"', \u0001, \uD800, \uFFFF, 😀, end ";
  const { body } = writeEc2Response("DescribeX", "id", { description });
  const received = {
    status: 200,
    headers: new Map(),
    body: new TextEncoder().encode(String(body)),
  };
  const read = readXml(received)["DescribeXResponse"]?.["description"];
  assert.equal(read, "tab\t, <&>\"', \uFFFD, \uFFFD, \uFFFD, 😀, end ");
});
