import assert from "node:assert/strict";
import { killOften } from "../crash/kill-often.ts";
import { startService } from "../support/service.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { fillLargely, LARGE_BLOCK_COUNT, sizeInWords } from "./_large-store.ts";
import { Ledger } from "./_ledger.ts";
import { scorecard } from "./scorecard.ts";

/*
 * A server is killed with kill -9 at random moments, while it starts too, under the load of 16
 * writers; each time the next one goes on with the same folder. The oracle is in this process; see
 * ../crash/_lane.ts for what it holds against the server. Every torn block would be one that is
 * served with other bytes than were sent. In full, the folder is a large one from the start: what a
 * restart looks through must not grow with what is stored.
 */

/** Writers of a lane: the oracle needs each of them to be the only one at its block indexes. */
const WRITERS_OF_A_LANE = 4;
const LANES = 4;
const RESTART_MS_MAX = 2_000;

scorecard({
  number: 1,
  name: "kill -9 at random moments, 16 writers, oracle outside",
  goal: "1000 kills: acked blocks lost 0, torn blocks served 0, restart p99 ≤ 2 s",
  peer: "RocksDB: about 50 kills in 6000 s, and whitebox kills for 10 000 s",
  async run(run) {
    const dataDirectory = await temporaryDirectory(run);
    const service = await startService(run, { dataDirectory });
    const ledger = new Ledger();
    await fillLargely(service, ledger, run.count(LARGE_BLOCK_COUNT, 4));
    await service.close();
    const found = await killOften(dataDirectory, {
      run,
      cycles: run.count(1_000, 3),
      lanes: LANES,
      writers: WRITERS_OF_A_LANE,
    });
    const { kills, acknowledged, completed, checked, restartMs } = found;
    const sorted = restartMs.toSorted((a, b) => a - b);
    const p99 = sorted[Math.floor(sorted.length * 0.99)] ?? 0;
    // Of a few restarts, the slowest says more of the machine than of the store.
    if (run.isFull) run.say(`slowest restart ${Math.round(sorted.at(-1) ?? 0)} ms`);
    assert.ok(acknowledged > kills, "there was a load");
    const isFast = p99 <= RESTART_MS_MAX ? "" : ", above the goal";
    return (
      `${kills} kills on a store of ${sizeInWords(ledger.putCount)}, ${acknowledged} blocks ` +
      `acked, ${completed} snapshots completed, ${checked} blocks read back: ` +
      `lost 0, torn 0; restart p99 ${Math.round(p99)} ms${isFast}`
    );
  },
});
