// One target of the fuzz test in a thread of its own, so that an input which never ends can be
// seen from outside. Before each run the input is put where the other side can read it.
import { parentPort, workerData } from "node:worker_threads";
import { systemClock } from "../../src/base/clock.ts";
import { seededFraction } from "../support/property.ts";
import type { FuzzJob, FuzzOutcome } from "./_fuzz.ts";
import { FUZZ_TARGETS, type FuzzTarget, isDeclared } from "./_fuzz-targets.ts";
import { mutator } from "./_mutate.ts";

/** A run that takes longer hangs. */
const RUN_MS_MAX = 1_000;
/** An input is run again so often before it is called slow: a busy machine slows any. */
const SLOW_TRIES = 3;
/** How many of the inputs are made from the heavy ones. */
const HEAVY_SHARE = 0.005;
/** Runs between two looks at the clock. */
const BATCH = 64;

const { name, seed, count, seconds, progress, input } = workerData as FuzzJob;
const target: FuzzTarget = FUZZ_TARGETS[name];
const runs = new Int32Array(progress);
const seen = new Uint8Array(input);

parentPort?.postMessage(await fuzz());

async function fuzz(): Promise<FuzzOutcome> {
  const fraction = seededFraction(seed);
  const { corpus, heavy = corpus } = target;
  const [change, changeHeavy] = [mutator(corpus, fraction), mutator(heavy, fraction)];
  const next = () => (fraction() < HEAVY_SHARE ? changeHeavy() : change());
  const end = systemClock.monotonicMs() + seconds * 1_000;
  let [done, taken] = [0, 0];
  for (const bytes of [...corpus, ...heavy]) {
    const finding = await run(Buffer.from(bytes));
    if (typeof finding === "string") return { done, taken, finding };
  }
  while (done < count && systemClock.monotonicMs() < end) {
    for (let i = 0; i < BATCH; i++, done++) {
      const bytes = next();
      show(bytes);
      const outcome = run(bytes);
      const finding = outcome instanceof Promise ? await outcome : outcome;
      if (typeof finding === "string") return { done, taken, finding };
      if (finding === true) taken++;
    }
  }
  return { done, taken, finding: undefined };
}

function show(bytes: Uint8Array): void {
  Atomics.add(runs, 0, 1);
  runs[1] = bytes.length;
  seen.set(bytes);
}

type Result = boolean | string;

/** True when the input was taken, false when it was refused, or what is wrong, as text. */
function run(bytes: Buffer): Result | Promise<Result> {
  const original = Buffer.from(bytes);
  const startMs = systemClock.monotonicMs();
  const ended = (error: unknown): Result | Promise<Result> => {
    if (systemClock.monotonicMs() - startMs > RUN_MS_MAX) return slow(original);
    if (error === undefined) return true;
    if (isDeclared(error)) return false;
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
    return `${text}\ninput in base64: ${original.toString("base64")}`;
  };
  try {
    const reading = target.read(bytes);
    if (reading === undefined) return ended(undefined);
    return reading.then(() => ended(undefined), ended);
  } catch (error) {
    return ended(error);
  }
}

/** Slow every time: a finding. Slow once: somebody else's fault. */
async function slow(bytes: Buffer): Promise<Result> {
  for (let i = 0; i < SLOW_TRIES; i++) {
    const startMs = systemClock.monotonicMs();
    try {
      await target.read(Buffer.from(bytes));
    } catch {
      // How it ends was looked at before.
    }
    if (systemClock.monotonicMs() - startMs <= RUN_MS_MAX) return false;
  }
  return `slower than ${RUN_MS_MAX} ms each time\ninput in base64: ${bytes.toString("base64")}`;
}
