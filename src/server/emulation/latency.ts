import type { Clock } from "../../base/clock.ts";
import { seededFraction } from "../../base/random.ts";
import { sleepWhileHeard } from "./_sleep.ts";
import type { Link } from "./emulation.ts";

/** Keeps the draws of latency apart from those of faults, which come from the same seed. */
const STREAM = 0x6c_61_74_65;

/** Delays each answer, errors too, by between half and one and a half times `meanMs`. */
export function latency(clock: Clock, meanMs: number, seed: number): Link {
  const fraction = seededFraction(seed ^ STREAM);
  return async ({ res }, work) => {
    // Drawn before anything is waited for: so it is the order of requests that counts.
    const delayMs = meanMs * (0.5 + fraction());
    try {
      return await work();
    } finally {
      await sleepWhileHeard(clock, delayMs, res);
    }
  };
}
