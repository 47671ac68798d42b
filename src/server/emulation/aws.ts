import { createHash } from "node:crypto";
import {
  AWS_COMPLETION_SECONDS_MAX,
  AWS_COMPLETION_SECONDS_MIN,
  AWS_READ_LAG_SECONDS,
  AWS_START_LAG_SECONDS,
  AWS_TIMEOUT_LATE_SECONDS,
  AWS_WRONG_CHECKSUM_SECONDS,
  AWS_WRONG_COUNT_SECONDS,
} from "../../model/limits.ts";
import type { EmulatedSealing } from "../../snapshots/chores/sealer.ts";
import { ServiceFault } from "../../wire/errors.ts";
import type { EmulationConfig, Link, View } from "./emulation.ts";

/** How late things happen on AWS, in milliseconds; 0 where it is not emulated. */
export interface Lateness {
  /** From the start of a snapshot to the first put that is taken. */
  readonly startMs: number;
  /** From the completion of a snapshot to the first read. */
  readonly readMs: number;
  /** From a snapshot's timeout to the state `error`. */
  readonly timeoutMs: number;
}

/** What is late how much: an emulated lag alone, or as AWS, with the lag in place of its own. */
export function latenessOf({ aws = false, lagSeconds }: EmulationConfig): Lateness {
  const late = (seconds: number) => (lagSeconds ?? (aws ? seconds : 0)) * 1_000;
  return {
    startMs: late(AWS_START_LAG_SECONDS),
    readMs: late(AWS_READ_LAG_SECONDS),
    timeoutMs: aws ? late(AWS_TIMEOUT_LATE_SECONDS) : 0,
  };
}

/** How long AWS seals; undefined where it is not emulated. */
export function emulatedSealing({ aws, lagSeconds }: EmulationConfig): EmulatedSealing | undefined {
  if (!aws) return undefined;
  const [minMs, maxMs] = [AWS_COMPLETION_SECONDS_MIN * 1_000, AWS_COMPLETION_SECONDS_MAX * 1_000];
  const durations = {
    "wrong-checksum": (lagSeconds ?? AWS_WRONG_CHECKSUM_SECONDS) * 1_000,
    "wrong-count": (lagSeconds ?? AWS_WRONG_COUNT_SECONDS) * 1_000,
  };
  return {
    durationMs(id, outcome) {
      if (outcome !== "completed") return durations[outcome];
      const share = createHash("sha256").update(id).digest().readUInt32BE() / 2 ** 32;
      return minMs + share * (maxMs - minMs);
    },
  };
}

/** Shows operations what makes them go about it as AWS does. */
export function awsView(): View {
  return (core) => ({ ...core, changesBy: "writers", tokens: core.tokens.forResponse() });
}

/** Reports only the first of several members out of their bounds. */
export function oneFailure(): Link {
  return async (_request, work) => {
    try {
      return await work();
    } catch (error) {
      throw error instanceof ServiceFault ? (error.firstAlone ?? error) : error;
    }
  };
}
