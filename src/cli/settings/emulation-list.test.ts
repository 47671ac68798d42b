import assert from "node:assert/strict";
import { test } from "node:test";
import { formatEmulation, parseEmulation } from "./emulation-list.ts";

test("a list of switches becomes a configuration, and the other way round", () => {
  assert.equal(parseEmulation(""), undefined);
  assert.deepEqual(parseEmulation("quotas"), { quotas: true });
  assert.deepEqual(parseEmulation("lag"), { lagSeconds: 2 });
  assert.deepEqual(parseEmulation("lag=0.5,latency=20"), { lagSeconds: 0.5, latencyMs: 20 });
  assert.deepEqual(parseEmulation("faults=0.05:42"), { faultShare: 0.05, seed: 42 });
  assert.deepEqual(parseEmulation("aws,lag=0"), { aws: true, lagSeconds: 0 });
  assert.equal(formatEmulation({ aws: true, seed: 7 }), "aws");
  const all = { aws: true, quotas: true, lagSeconds: 3, latencyMs: 50, faultShare: 1, seed: 7 };
  assert.deepEqual(parseEmulation(" aws, quotas, lag=3, latency=50:7, faults=1:7 "), all);
  const list = formatEmulation(all);
  assert.equal(list, "aws,quotas,lag=3,latency=50:7,faults=1:7 (seed 7)");
  assert.deepEqual(parseEmulation(list.replace(/ \(.*/, "")), all);
  assert.equal(formatEmulation({ quotas: true, seed: 7 }), "quotas");
});

test("a list that makes no sense is refused with the reason", () => {
  const wrong: [list: string, message: RegExp][] = [
    ["quota", /'quota': known are aws, quotas, lag/],
    ["constructor", /'constructor': known are/],
    ["quotas,", /'': known are/],
    ["quotas=1", /quotas takes no value/],
    ["quotas,quotas", /'quotas' twice/],
    ["lag=x", /with 'x': give lag=SECONDS, from 0 to 600/],
    ["lag=601", /from 0 to 600/],
    ["latency", /give latency=MS\[:SEED\]/],
    ["faults=1.5", /give faults=SHARE\[:SEED\], from 0 to 1/],
    ["faults=-1", /from 0 to 1/],
    ["faults=0.1:x", /'x' as a seed/],
    ["faults=0.1:4294967296", /as a seed: give 0 to 4294967295/],
    ["faults=0.1:1:2", /give faults=/],
    ["latency=1:1,faults=0.1:2", /two seeds/],
    ["aws=1", /aws takes no value/],
    ["aws,aws", /'aws' twice/],
  ];
  for (const [list, message] of wrong) {
    assert.throws(() => parseEmulation(list), { name: "UsageError", message }, list);
  }
});
