import "./_synchronous-zstd.ts";
import assert from "node:assert/strict";
import { type Ends, type Simulated, simulate, Workplace } from "../simulation/simulate.ts";
import { MISHAPS, type Mishap } from "../simulation/weather.ts";
import { type ScorecardRun, scorecard } from "./scorecard.ts";

/*
 * The store in a world made of one seed; see ../simulation/simulate.ts for what is simulated, and
 * what is not. One seed, one order of events: a run told again has the same trace. What would make
 * it another: threads, so zstd runs on this one; `setImmediate`, which therefore is an event like
 * any other; bytes and times from elsewhere than `Random` and `Clock`; real files, so segments lie
 * on a disk in memory, and the catalog's calls, which end before they return, are put in an order.
 */

/** Of a full run, one seed in so many is run again; of a short one, each. */
const REPLAY_EVERY = 10;
/** Seeds among which each mishap has happened somewhere. */
const RARE_COUNT = 1_000;

scorecard({
  number: 10,
  name: "deterministic simulation of disk, clock, chance and callers",
  goal: "100,000 seeds nightly, failures 0; replay trace hash identical 100 %",
  peer: "FoundationDB: tens of thousands of simulations a night; TigerBeetle: 1024 cores all day",
  async run(run) {
    const place = await Workplace.make();
    run.after(() => place.remove());
    const count = run.count(100_000, 5);
    const total = new Total();
    for (let i = 0; i < count; i++) {
      const seed = (run.seed + i) >>> 0;
      const simulated = await simulateSeed(run, seed, place);
      total.add(simulated);
      if (run.isFull && i % REPLAY_EVERY > 0) continue;
      const again = await simulateSeed(run, seed, place);
      assert.equal(again.trace, simulated.trace, `seed ${seed} had another trace when replayed`);
      total.replays += 1;
    }
    if (count >= RARE_COUNT) total.assertAllHappened();
    return total.figure(count);
  },
});

/** Says with what seed a failure can be had again. */
async function simulateSeed(run: ScorecardRun, seed: number, place: Workplace): Promise<Simulated> {
  try {
    return await simulate(seed, place);
  } catch (error) {
    run.say(`seed ${seed}: VARVE_SEED=${seed} has it first`);
    throw error;
  }
}

/** What came of all seeds: what never happened was never tested. */
class Total {
  replays = 0;
  #events = 0;
  #hours = 0;
  #acknowledged = 0;
  #blocksRead = 0;
  #rebuilds = 0;
  readonly #ends: Ends = { completed: 0, failed: 0, damaged: 0 };
  readonly #mishaps = new Map<Mishap, number>();

  add(simulated: Simulated): void {
    this.#events += simulated.eventCount;
    this.#hours += simulated.durationMs / 3_600_000;
    this.#acknowledged += simulated.acknowledged;
    this.#blocksRead += simulated.blocksRead;
    this.#rebuilds += simulated.rebuilds;
    this.#ends.completed += simulated.ends.completed;
    this.#ends.failed += simulated.ends.failed;
    this.#ends.damaged += simulated.ends.damaged;
    for (const [mishap, count] of simulated.mishaps) {
      this.#mishaps.set(mishap, (this.#mishaps.get(mishap) ?? 0) + count);
    }
  }

  assertAllHappened(): void {
    for (const mishap of MISHAPS) {
      assert.ok(this.#mishaps.has(mishap), `there was no ${mishap} in any seed`);
    }
  }

  figure(count: number): string {
    const { completed, failed, damaged } = this.#ends;
    const told = MISHAPS.map((mishap) => `${mishap} ${this.#mishaps.get(mishap) ?? 0}`).join(", ");
    return (
      `${count} seeds, failures 0; replays identical ${this.replays} of ${this.replays} ` +
      `(${Math.round(this.#hours)} simulated hours, ${this.#events} events, ` +
      `${this.#acknowledged} answers and ${this.#blocksRead} blocks checked, ` +
      `${this.#rebuilds} rebuilds; in the end ${completed} snapshots completed, ${failed} failed ` +
      `as they had to, ${damaged} kept from it by rot; ${told})`
    );
  }
}
