import assert from "node:assert/strict";
import { forEachConcurrent } from "../../src/base/concurrency.ts";
import { complete, snapshotOf, start } from "../support/operations.ts";
import { blockContents } from "../support/property.ts";
import { startService } from "../support/service.ts";
import { type Context, type Heard, type HttpCase, hear, type Verdict } from "./_http-case.ts";
import { COMPLIANCE } from "./_http-compliance.ts";
import { COOKIES, MALFORMED, NORMALIZATION } from "./_http-malformed.ts";
import { SMUGGLING } from "./_http-smuggling.ts";
import { type ScorecardRun, scorecard } from "./scorecard.ts";

/** Cases at once, each on a connection of its own. */
const CONCURRENCY = 16;
/** How often all of them are gone through: what depends on chance in timing shows. */
const ROUNDS = 5;

const ALL = [...COMPLIANCE, ...SMUGGLING, ...MALFORMED, ...NORMALIZATION, ...COOKIES];

interface Outcome {
  readonly subject: HttpCase;
  readonly heard: Heard;
  readonly verdict: Verdict;
}

scorecard({
  number: 22,
  name: "HTTP/1.1 conformance",
  goal: "MUST failures 0 of 113; unsafe accepts 0 of 87; scored pass ≥ 120/125",
  peer: "Http11Probe, Feb 2026: best server 112/125 with 4 failures; Node's default 93/125 with 16",
  async run(run) {
    const target = await startService(run);
    const readableId = await snapshotOf(target, new Map([[0, blockContents(1)]]));
    const completedId = await start(target);
    assert.equal(await complete(target, completedId, 0), "completed");
    const context = { target, readableId, completedId };
    let figure = "";
    for (let round = 0; round < run.count(ROUNDS, 1); round++) {
      figure = summarize(run, await goThrough(context));
    }
    return figure;
  },
});

async function goThrough(context: Context): Promise<Outcome[]> {
  const outcomes: Outcome[] = [];
  await forEachConcurrent(ALL, CONCURRENCY, async (subject) => {
    const heard = await hear(context, subject);
    outcomes.push({ subject, heard, verdict: subject.judge(heard) });
  });
  return outcomes;
}

/** The figure. A MUST that is not kept, and a message read as its sender may not mean it, throw. */
function summarize(run: ScorecardRun, outcomes: readonly Outcome[]): string {
  const musts = outcomes.filter(({ subject }) => subject.level === "must" && subject.isScored);
  const scored = outcomes.filter(({ subject }) => subject.isScored);
  const smuggling = outcomes.filter(({ subject }) => subject.name.startsWith("SMUG-"));
  const failed = outcomes.filter(({ verdict }) => verdict === "fail");
  for (const outcome of outcomes.filter(({ verdict }) => verdict !== "pass")) {
    run.say(describe(outcome));
  }
  const mustFailures = musts.filter(({ verdict }) => verdict === "fail");
  const unsafe = smuggling.filter(({ verdict }) => verdict === "fail");
  const passed = scored.filter(({ verdict }) => verdict === "pass");
  const figure =
    `MUST failures ${mustFailures.length} of ${musts.length}; ` +
    `unsafe accepts ${unsafe.length} of ${smuggling.length}; ` +
    `scored pass ${passed.length}/${scored.length}`;
  assert.deepEqual(failed.map(describe), [], figure);
  return figure;
}

function describe({ subject, heard, verdict }: Outcome): string {
  const answers = heard.statuses.join(", ") || "no answer";
  const end = heard.isClosed ? "closed" : "open";
  return `${verdict} ${subject.name} (RFC ${subject.rfc}): ${answers}, then ${end}`;
}
