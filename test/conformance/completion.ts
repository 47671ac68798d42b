import { checksumOfBlock } from "../support/blocks.ts";
import { completeParts } from "../support/operations.ts";
import { brief, jsonOf } from "./_caller.ts";
import { Group } from "./_check.ts";
import type { Answer } from "./_connection.ts";
import { A, B, type Context, linearOf, ZERO } from "./_context.ts";
import { fits, holds, same } from "./_expect.ts";

/* CompleteSnapshot and the aggregate (3.4), and how EC2 shows the states (3.5). */

const completing = new Group("3.4 CompleteSnapshot");
const states = new Group("3.5 states as EC2 shows them");
/** The checks of this file. */
export const completion = [completing, states];

const EARLY = "wrong count or checksum at completion";
const SUM = "x-amz-checksum";
const LINEAR = {
  "x-amz-checksum-algorithm": "SHA256",
  "x-amz-checksum-aggregation-method": "LINEAR",
};

async function started(c: Context, blocks: readonly Buffer[], input: object = {}) {
  const id = String(jsonOf(await c.caller.start(input))["SnapshotId"]);
  for (const [blockIndex, bytes] of blocks.entries()) await c.caller.write(id, blockIndex, bytes);
  return id;
}

/** Completes and answers the state that it comes to. */
async function stateAfter(
  c: Context,
  id: string,
  { count, sum }: { readonly count: number; readonly sum?: string },
): Promise<string> {
  const headers = sum === undefined ? {} : { [SUM]: sum, ...LINEAR };
  const answer = await c.caller.complete(id, count, headers);
  holds(answer.status === 202, brief(answer), "202");
  return (await c.caller.readable(id))["status"] ?? "none";
}

completing.check("3.4/pending", "The first call answers pending.", (c) =>
  same(c.sample("CompleteSnapshot").text, '{"Status":"pending"}'),
);
completing.check("3.4/again", "A repeat answers 202 completed.", (c) => {
  const answer = c.sample("CompleteSnapshot again");
  same(brief(answer), '202 {"Status":"completed"}');
});
completing.check("3.4/again.count", "Whatever count the repeat carries.", async (c) =>
  same(brief(await c.caller.complete(c.id("root"), 77)), '202 {"Status":"completed"}'),
);
completing.check("3.4/again.sum", "And whatever checksum.", async (c) => {
  const headers = { [SUM]: checksumOfBlock(A), ...LINEAR };
  same(brief(await c.caller.complete(c.id("root"), 4, headers)), '202 {"Status":"completed"}');
});
completing.check("3.4/error", "A snapshot in error answers 202 error.", async (c) =>
  same(brief(await c.caller.complete(c.id("failed"), 1)), '202 {"Status":"error"}'),
);
completing.check("3.4/soon", "A small snapshot is completed within seconds.", async (c) => {
  const id = await started(c, [A]);
  same(await stateAfter(c, id, { count: 1 }), "completed");
});
completing.check("3.4/distinct", "The count is of distinct indexes: 6 puts over 4.", (c) =>
  fits(c.id("root"), /^snap-/),
);
completing.check("3.4/own-layer", "Zeros, rewrites and new blocks of a child all count.", (c) =>
  fits(c.id("child"), /^snap-/),
);
completing.check("3.4/nothing", "Count 0 with nothing written completes.", (c) =>
  fits(c.id("empty"), /^snap-/),
);
for (const [what, count] of [
  ["too high", 2],
  ["too low", 0],
] as const) {
  completing.check(`3.4/count ${what}`, `A count ${what} ends in error.`, async (c) => {
    const id = await started(c, [A]);
    same(await stateAfter(c, id, { count }), "error");
  });
}
completing.check("3.4/inherited", "Inherited blocks do not count.", async (c) => {
  const id = await started(c, [A], { ParentSnapshotId: c.id("root") });
  same(await stateAfter(c, id, { count: 4 }), "error");
});
completing.check("3.4/count.accepted", "A wrong count is accepted with 202 pending.", async (c) => {
  const id = await started(c, [A]);
  same(brief(await c.caller.complete(id, 5)), '202 {"Status":"pending"}');
});
completing
  .check("3.4/count.late", "It stays pending for a while, minutes at AWS.", (c) => {
    c.id("failed");
    holds(c.errorDelayMs > 1000, `${Math.round(c.errorDelayMs)} ms`, "more than a second");
  })
  .or(EARLY, (c) => same(c.id("failed").slice(0, 5), "snap-"));
completing.check("3.4/count.message", "Its StateMessage names the count.", async (c) =>
  same(
    (await c.caller.describe(c.id("failed")))["statusMessage"],
    "Changed blocks count mismatch for snapshot",
  ),
);
completing.check("3.4/sum.message", "A wrong aggregate's names the checksum.", async (c) =>
  same(
    (await c.caller.describe(c.id("badSum")))["statusMessage"],
    "Checksum mismatch for snapshot",
  ),
);
completing.check("3.4/golden", "LINEAR is AWS's own for AWS's own blocks.", (c) =>
  fits(c.id("root"), /^snap-/),
);
completing.check("3.4/linear", "LINEAR is over raw digests, ascending by index.", async (c) => {
  const id = await started(c, [A, B, ZERO]);
  same(await stateAfter(c, id, { count: 3, sum: linearOf(A, B, ZERO) }), "completed");
});
completing.check("3.4/linear.order", "Digests in another order fail.", async (c) => {
  const id = await started(c, [A, B]);
  same(await stateAfter(c, id, { count: 2, sum: linearOf(B, A) }), "error");
});
completing.check("3.4/linear.strings", "LINEAR over base64 texts fails.", (c) =>
  fits(c.id("badSum"), /^snap-/),
);
completing.check("3.4/linear.overwritten", "LINEAR is over what was written last.", async (c) => {
  const id = await started(c, [A]);
  await c.caller.put(id, 0, B);
  same(await stateAfter(c, id, { count: 1, sum: linearOf(B) }), "completed");
});
completing.check("3.4/linear.own-layer", "LINEAR leaves out what was inherited.", async (c) => {
  const id = await started(c, [ZERO], { ParentSnapshotId: c.id("root") });
  same(await stateAfter(c, id, { count: 1, sum: linearOf(ZERO) }), "completed");
});
completing.check("3.4/linear.empty", "Over no blocks it is the hash of nothing.", async (c) => {
  const id = await started(c, []);
  const sum = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";
  same(await stateAfter(c, id, { count: 0, sum }), "completed");
});
completing.check("3.4/no-sum", "A checksum is optional.", async (c) => {
  const id = await started(c, [A, B]);
  same(await stateAfter(c, id, { count: 2 }), "completed");
});
completing.check("3.4/refused-puts", "Refused puts do not disturb the count.", async (c) => {
  const id = await started(c, [A]);
  for (let i = 0; i < 3; i++) await c.caller.put(id, i, A.subarray(1));
  same(await stateAfter(c, id, { count: 1 }), "completed");
});
completing.check("3.4/at-once", "Two completions at once both answer 202.", async (c) => {
  const id = await started(c, [A]);
  const answers = await Promise.all([c.caller.complete(id, 1), c.caller.complete(id, 1)]);
  same(answers.map(({ status }) => status).join(), "202,202");
  same((await c.caller.readable(id))["status"], "completed");
});
completing.check("3.4/retry", "A retry on the same connection is harmless.", async (c) => {
  const parts = completeParts(await started(c, [A]), 1);
  const answers = await c.caller.together([parts, parts]);
  same((answers as Answer[]).map(({ status }) => status).join(), "202,202");
});

type Name = "pending" | "root" | "failed" | "empty" | "child";
const ELEMENTS: readonly (readonly [Name, string, string | RegExp])[] = [
  ["pending", "status", "pending"],
  ["pending", "progress", "0%"],
  ["pending", "volumeId", "vol-ffffffff"],
  ["pending", "encrypted", "false"],
  ["pending", "storageTier", "standard"],
  ["pending", "transferType", "standard"],
  ["pending", "volumeSize", "1"],
  ["pending", "ownerId", /^\d{12}$/],
  ["pending", "startTime", /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/],
  ["root", "status", "completed"],
  ["root", "progress", "100%"],
  ["root", "volumeId", "vol-ffffffff"],
  ["root", "completionTime", /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/],
  ["root", "fullSnapshotSizeInBytes", "2097152"],
  ["root", "description", /^conformance \w+ root$/],
  ["child", "fullSnapshotSizeInBytes", "2621440"],
  ["empty", "fullSnapshotSizeInBytes", "0"],
  ["failed", "status", "error"],
  ["failed", "progress", "0%"],
];
for (const [name, element, wanted] of ELEMENTS) {
  const says = `A ${name} snapshot's ${element} is ${wanted}.`;
  states.check(`3.5/${name}.${element}`, says, async (c) => {
    const { [element]: seen = "none" } = await c.caller.describe(c.id(name));
    if (typeof wanted === "string") same(seen, wanted);
    else fits(seen, wanted);
  });
}
for (const element of ["completionTime", "fullSnapshotSizeInBytes", "tagSet", "statusMessage"]) {
  states.check(`3.5/pending.no ${element}`, `A pending one has no ${element}.`, async (c) => {
    const { text } = await c.caller.describeXml(c.id("pending"));
    holds(!text.includes(`<${element}>`), text.slice(-600), `no ${element}`);
  });
}
states.check("3.5/tags", "Tags stand in a tagSet.", async (c) => {
  const { text } = await c.caller.describeXml(c.id("root"));
  const tag = `<key>conformance</key><value>${c.run}</value>`;
  fits(text.replace(/>\s+</g, "><"), new RegExp(`<tagSet><item>${tag}</item></tagSet>`));
});
