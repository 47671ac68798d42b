import assert from "node:assert/strict";
import { test } from "node:test";
import { ipRangeContains, parseIpRange } from "./ip-address.ts";

function contains(outer: string, inner: string): boolean {
  const [range, address] = [parseIpRange(outer), parseIpRange(inner)];
  assert.ok(range && address, `${outer} and ${inner} are understood`);
  return ipRangeContains(range, address);
}

test("ipRangeContains compares the bits in common, and IPv4 in both its forms", () => {
  for (const [outer, inner] of [
    ["192.0.2.0/24", "192.0.2.255"],
    ["192.0.2.77/24", "192.0.2.1"],
    ["0.0.0.0/0", "255.255.255.255"],
    ["10.0.0.1", "10.0.0.1"],
    ["10.0.0.0/8", "::ffff:10.1.2.3"],
    ["10.0.0.0/8", "::ffff:a01:203"],
    ["2001:db8::/32", "2001:DB8:1::1"],
    ["::/0", "::1"],
    ["::1", "0:0:0:0:0:0:0:1"],
    ["10.0.0.0/8", "10.1.0.0/16"],
  ] as const) {
    assert.equal(contains(outer, inner), true, `${inner} in ${outer}`);
  }
  for (const [outer, inner] of [
    ["192.0.2.0/24", "192.0.3.0"],
    ["10.0.0.1", "10.0.0.2"],
    ["0.0.0.0/0", "2001:db8::1"],
    ["2001:db8::/32", "2001:db9::"],
    ["10.1.0.0/16", "10.0.0.0/8"],
  ] as const) {
    assert.equal(contains(outer, inner), false, `${inner} not in ${outer}`);
  }
});

test("parseIpRange refuses what two readers could understand differently", () => {
  for (const text of [
    ...["", "1", "1.2.3", "1.2.3.4.5", "1.2.3.256", "010.0.0.1", "1.2.3.4/33", "1.2.3.4/", "x"],
    ...[":::", "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9", "1::2::3", "::1/129", "12345::", "::1.2.3"],
    ...["1:2:3:4:5:6:7::8", "fe80::1%eth0", " 1.2.3.4", "1.2.3.4 "],
  ]) {
    assert.equal(parseIpRange(text), undefined, text);
  }
});
