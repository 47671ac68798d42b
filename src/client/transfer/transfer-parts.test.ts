import assert from "node:assert/strict";
import { createHash, hash } from "node:crypto";
import { test } from "node:test";
import type { Extent } from "../../model/extent.ts";
import { countSectors } from "../image/image.ts";
import { LinearChecksum } from "./linear-checksum.ts";
import type { ParentBlock } from "./parent-blocks.ts";
import { planBlocks } from "./plan-blocks.ts";

async function planned(
  image: readonly Extent[],
  parent: readonly number[],
  sent: readonly number[] = [],
): Promise<string> {
  async function* extents() {
    yield* image;
  }
  async function* blocks(): AsyncGenerator<ParentBlock> {
    for (const blockIndex of parent) yield { blockIndex, checksum: async () => "" };
  }
  const texts: string[] = [];
  for await (const block of planBlocks({ image: extents(), parent: blocks(), sent })) {
    assert.ok(!block.parent || block.parent.blockIndex === block.blockIndex);
    const where = `${block.isInImage ? "i" : ""}${block.parent ? "p" : ""}`;
    texts.push(`${block.blockIndex}${where}`);
  }
  return texts.join(" ");
}

test("the plan has each block of image and parent once, ascending", async () => {
  assert.equal(await planned([], []), "");
  assert.equal(await planned([{ start: 1, count: 2 }], []), "1i 2i");
  assert.equal(await planned([], [3, 9]), "3p 9p");
  const image = [
    { start: 2, count: 3 },
    { start: 8, count: 1 },
  ];
  assert.equal(await planned(image, [0, 1, 3, 5, 8, 12]), "0p 1p 2i 3ip 4i 5p 8ip 12p");
  assert.equal(await planned(image, [3, 5], [2, 5, 7, 20]), "2i 3ip 4i 5p 7 8i 20");
});

test("the aggregate is that of the blocks sent, in order, however they finish", () => {
  const checksums = Array.from({ length: 50 }, (_, i) => hash("sha256", `block ${i}`, "base64"));
  const sent = (place: number) => place % 7 !== 0;
  const expected = createHash("sha256");
  checksums.forEach((checksum, place) => {
    if (sent(place)) expected.update(Buffer.from(checksum, "base64"));
  });
  const linear = new LinearChecksum();
  const order = checksums.map((_, i) => (i * 17) % 50);
  for (const place of order) linear.settle(place, sent(place) ? checksums[place] : undefined);
  assert.equal(linear.count, checksums.filter((_, place) => sent(place)).length);
  assert.equal(linear.finish(), expected.digest("base64"));
});

test("finds the end of a device with few reads", async () => {
  for (const size of [0, 1, 2, 3, 7, 8, 9, 1023, 1024, 2_097_152, 134_217_729]) {
    let reads = 0;
    const count = await countSectors(async (sector) => {
      reads += 1;
      return sector < size;
    });
    assert.equal(count, size);
    assert.ok(reads <= 60, `${reads} reads`);
  }
});
