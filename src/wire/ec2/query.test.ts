import assert from "node:assert/strict";
import { test } from "node:test";
import { readAllTagSpecifications, readFilters, readTagPatterns } from "./members.ts";
import { readNamedResources, readRequestTags } from "./named-resources.ts";
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
  const filter = (i: number) => `Filter.${i}.Name=a&Other.${i}.Value.1=${"b".repeat(30)}`;
  const form = parameters(Array.from({ length: 1_000 }, (_, i) => filter(i + 1)).join("&"));
  const start = performance.now();
  for (let i = 0; i < 10; i++) assert.equal(readFilters(form).length, 1_000);
  // Looking through all parameters for each filter takes many seconds for this.
  assert.ok(performance.now() - start < 1_000, "ten times a thousand filters in a second");
});

test("QueryParameters refuse a name that is given twice, and take any depth of names", () => {
  const deep = `a${".1".repeat(20_000)}`;
  const form = parameters(`Id.1=a&${deep}=c&Id.01=d&Id.1.1=e`);
  assert.deepEqual(form.list("Id"), ["a"]);
  assert.equal(form.get(deep), "c");
  for (const twice of ["Id.1=a&Id.1=a", "Action=A&Action=B", "a=1&b=2&%61=3"]) {
    const message = /InvalidParameterValue: The parameter '.+' may only be specified once/;
    assert.throws(() => parameters(twice), message);
  }
});

test("readFilters refuses more and longer values than EC2 takes, and long patterns", () => {
  const form = (count: number, value: string) => {
    const filter = (i: number) => `Filter.${i}.Name=status&Filter.${i}.Value.1=${value}`;
    return parameters(Array.from({ length: count }, (_, i) => filter(i + 1)).join("&"));
  };
  const limit = (what: string) => new RegExp(`FilterLimitExceeded: The maximum ${what}`);
  assert.equal(readFilters(form(200, "a".repeat(255))).length, 200);
  assert.throws(() => readFilters(form(201, "a")), limit("number of filter values.* is 200"));
  assert.throws(
    () => readFilters(form(1, "a".repeat(256))),
    limit("length for a filter value is 255"),
  );
  assert.equal(readFilters(form(32, "?".repeat(255))).length, 32);
  const patterns = form(33, "?".repeat(255));
  assert.throws(() => readFilters(patterns), limit("length of .* with wildcards is 8192"));
});

test("tags of a request are as many and as long as a resource may carry", () => {
  const tags = (count: number, [key, value]: readonly [string, string]) => {
    const tag = (i: number) => `Tag.${i}.Key=${key}&Tag.${i}.Value=${value}`;
    return parameters(Array.from({ length: count }, (_, i) => tag(i + 1)).join("&"));
  };
  const longest = ["k".repeat(127), "v".repeat(255)] as const;
  assert.equal(readTagPatterns(tags(50, longest), "Tag").length, 50);
  for (const [form, message] of [
    [tags(51, ["a", ""]), /More than 50 values of Tag/],
    [tags(1, ["k".repeat(128), ""]), /Tag\.1\.Key has 128 characters; it may have at most 127/],
    [tags(1, ["k", "v".repeat(256)]), /Tag\.1\.Value has 256 characters; .* at most 255/],
  ] as const) {
    assert.throws(() => readTagPatterns(form, "Tag"), message);
  }
  const types = [1, 2, 3].map((i) => `TagSpecification.${i}.ResourceType=image`).join("&");
  const specifications = parameters(types);
  assert.throws(() => readAllTagSpecifications(specifications), /More than 2 values of Tag/);
});

test("what policies go by is what the action reads, and nothing beside it", () => {
  const tag = (prefix: string, key: string) => `${prefix}.Key=${key}&${prefix}.Value=v`;
  const tagsOf = (form: string) =>
    readRequestTags(parameters(form)).tags.map(({ Key, Value }) => `${Key}=${Value}`);
  const aside = `${tag("X-Amz-x.Tag.1", "x")}&${tag("Tag.01", "y")}&${tag("Other.1.Tag.1", "z")}`;
  const created = `Action=CreateTags&ResourceId.1=snap-1&${tag("Tag.2", "team")}`;
  assert.deepEqual(tagsOf(`${created}&${aside}`), ["team=v"]);
  assert.deepEqual(tagsOf(`Action=DeleteTags&Tag.1.Key=team`), ["team="]);
  const specification = `TagSpecification.1.ResourceType=snapshot`;
  const inSpecification = `${specification}&${tag("TagSpecification.1.Tag.7", "team")}`;
  const copied = `Action=CopySnapshot&${inSpecification}&${tag("Tag.1", "w")}&${aside}`;
  assert.deepEqual(tagsOf(copied), ["team=v"]);
  assert.deepEqual(tagsOf(`Action=DeleteSnapshot&${inSpecification}&${aside}`), []);
  const idsOf = (form: string) => readNamedResources(parameters(form));
  const beside = "X-Amz-x.SnapshotId=snap-9&X-Amz-ImageId=ami-9&SnapshotId.01=snap-8";
  assert.deepEqual(idsOf(`${created}&ResourceId.3=ami-1&SnapshotId=snap-7&${beside}`), [
    "snap-1",
    "ami-1",
  ]);
  assert.deepEqual(idsOf(`Action=EnableEbsEncryptionByDefault&SnapshotId=snap-7&${beside}`), []);
  const device = "BlockDeviceMapping.1.Ebs";
  const devices = `${device}.SnapshotId=snap-1&${device}.KmsKeyId=snap-2&Name=SnapshotId`;
  assert.deepEqual(idsOf(`Action=RegisterImage&${devices}`), ["snap-1"]);
});

test("readNamedResources bounds how many there are, and how much of each is looked at", () => {
  const ids = (count: number, id: (i: number) => string) =>
    Array.from({ length: count }, (_, i) => `ResourceId.${i + 1}=${id(i)}`).join("&");
  const named = (form: string) => readNamedResources(parameters(`Action=CreateTags&${form}`));
  assert.equal(named(ids(1_000, (i) => `snap-${i}`)).length, 1_000);
  assert.throws(() => named(ids(1_001, (i) => `snap-${i}`)), /More than 1000 resources are named/);
  assert.equal(named(ids(1, () => "s".repeat(10_000)))[0]?.length, 65);
});

/** A description as it is read again from an answer. */
function readAgain(description: string): unknown {
  const { body } = writeEc2Response("DescribeX", "id", { description });
  const bytes = new TextEncoder().encode(String(body));
  const received = { status: 200, headers: new Map(), body: bytes };
  return readXml(received)["DescribeXResponse"]?.["description"];
}

test("writeEc2Response stays legible whatever characters a description has", () => {
  const read = readAgain("tab\t, <&>\"', \u0001, \uD800, \uFFFF, 😀, end ");
  assert.equal(read, "tab\t, <&>\"', \uFFFD, \uFFFD, \uFFFD, 😀, end ");
});

test("writeEc2Response keeps carriage returns, which XML takes for ends of lines", () => {
  const lines = "one\r\ntwo\rthree\nfour&#xD;&amp;#13;";
  assert.equal(readAgain(lines), lines);
  const { body } = writeEc2Response("DescribeX", "id", { description: "a\rb" });
  assert.match(String(body), /<description>a&#xD;b</);
});
