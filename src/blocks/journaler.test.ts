import assert from "node:assert/strict";
import { test } from "node:test";
import type { JournalChange, JournalTable } from "../catalog/journal.ts";
import type { RecordName } from "../model/digest.ts";
import type { KeyDomain } from "../model/ids.ts";
import type { BlockStore } from "./block-store.ts";
import { Journaler } from "./journaler.ts";

test("a flush takes what has changed by then, also while another is under way", async () => {
  const { table, changed, settled } = tableOfChanges();
  const blocked = Promise.withResolvers<void>();
  const putEntry = async () => {
    await blocked.promise;
    return "00" as RecordName;
  };
  const blocks = { putEntry } as unknown as BlockStore;
  const journaler = new Journaler({ table, blocks, domain: async () => "k00" as KeyDomain });
  changed.push("snapshot/first");
  const first = journaler.flush();
  await new Promise(setImmediate);
  changed.push("snapshot/second");
  const later = [journaler.flush(), journaler.flush()];
  blocked.resolve();
  await first;
  assert.deepEqual(settled, ["snapshot/first"]);
  await Promise.all(later);
  assert.deepEqual(settled, ["snapshot/first", "snapshot/second"]);
  changed.push("snapshot/third");
  await journaler.flush();
  assert.deepEqual(settled.at(-1), "snapshot/third");
});

test("a flush that follows one which failed is tried all the same", async () => {
  const { table, changed, settled } = tableOfChanges();
  let isBroken = true;
  const putEntry = async () => {
    await new Promise(setImmediate);
    if (isBroken) throw new Error("the disk is broken");
    return "00" as RecordName;
  };
  const blocks = { putEntry } as unknown as BlockStore;
  const journaler = new Journaler({ table, blocks, domain: async () => "k00" as KeyDomain });
  changed.push("snapshot/first");
  const first = journaler.flush();
  const second = journaler.flush();
  await assert.rejects(first, /broken/);
  isBroken = false;
  await second;
  assert.deepEqual(settled, ["snapshot/first"]);
});

test("an entry that was collected before it was named is put again", async () => {
  const { table, changed, settled } = tableOfChanges();
  const { settle } = table;
  const gone = ["01"];
  const put: string[] = [];
  const putEntry = async () => {
    put.push(`0${put.length + 1}`);
    return put.at(-1) as RecordName;
  };
  const blocks = { putEntry } as unknown as BlockStore;
  const losing = Object.assign(table, {
    settle: async (...given: Parameters<typeof settle>) =>
      gone.includes(given[1].name) ? false : settle(...given),
  });
  const journaler = new Journaler({
    table: losing,
    blocks,
    domain: async () => "k00" as KeyDomain,
  });
  changed.push("snapshot/first");
  await journaler.flush();
  assert.deepEqual([put, settled], [["01", "02"], ["snapshot/first"]]);
});

/** A journal's table that holds the keys of what changed. */
function tableOfChanges() {
  const changed: string[] = [];
  const settled: string[] = [];
  const toChange = (key: string): JournalChange => ({
    entry: { key, sequence: 0, value: undefined },
    stamp: 0,
  });
  const table = {
    changes: async (limit: number) => changed.slice(0, limit).map(toChange),
    async settle({ entry }: JournalChange) {
      changed.splice(changed.indexOf(entry.key), 1);
      settled.push(entry.key);
      return true;
    },
  } as unknown as JournalTable;
  return { table, changed, settled };
}
