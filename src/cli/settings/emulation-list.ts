import {
  EMULATED_LAG_SECONDS_DEFAULT,
  EMULATED_LAG_SECONDS_MAX,
  EMULATED_LATENCY_MS_MAX,
  EMULATION_SEED_MAX,
} from "../../model/limits.ts";
import type { EmulationConfig } from "../../service.ts";
import { UsageError } from "../errors.ts";

/** Reads the value of one switch; undefined where it has none. */
type Switch = (value: string | undefined) => EmulationConfig;

const SWITCHES: Readonly<Record<string, Switch>> = {
  quotas(value) {
    if (value === undefined) return { quotas: true };
    throw new UsageError(`Cannot emulate 'quotas=${value}': quotas takes no value.`);
  },
  lag: (value) => ({
    lagSeconds:
      value === undefined
        ? EMULATED_LAG_SECONDS_DEFAULT
        : parseNumber(value, EMULATED_LAG_SECONDS_MAX, "lag=SECONDS"),
  }),
  latency: (value = "") => {
    const [latencyMs, seed] = parseSeeded(value, EMULATED_LATENCY_MS_MAX, "latency=MS[:SEED]");
    return { latencyMs, ...seed };
  },
  faults: (value = "") => {
    const [faultShare, seed] = parseSeeded(value, 1, "faults=SHARE[:SEED]");
    return { faultShare, ...seed };
  },
  aws(value) {
    if (value === undefined) return { aws: true };
    throw new UsageError(`Cannot emulate 'aws=${value}': aws takes no value.`);
  },
};

/** Parses `--emulate`, for example `quotas,lag=5,faults=0.05:42`; "" switches nothing on. */
export function parseEmulation(list: string): EmulationConfig | undefined {
  if (list.trim() === "") return undefined;
  let config: EmulationConfig = {};
  for (const item of list.split(",").map((item) => item.trim())) {
    const [name = "", ...rest] = item.split("=");
    const parse = Object.hasOwn(SWITCHES, name) ? SWITCHES[name] : undefined;
    if (parse === undefined) {
      const known = "aws, quotas, lag[=SECONDS], latency=MS, faults=SHARE[:SEED]";
      throw new UsageError(`Cannot emulate '${item}': known are ${known}.`);
    }
    const part = parse(rest.length === 0 ? undefined : rest.join("="));
    const twice = Object.keys(part).find((key) => key !== "seed" && Object.hasOwn(config, key));
    if (twice !== undefined) throw new UsageError(`Cannot emulate '${name}' twice.`);
    if (part.seed !== undefined && config.seed !== undefined && part.seed !== config.seed) {
      throw new UsageError("Cannot emulate with two seeds: there is one for all.");
    }
    config = { ...config, ...part };
  }
  return config;
}

/** The list that repeats an emulation, and the seed where something is drawn from it. */
export function formatEmulation(config: EmulationConfig & { readonly seed: number }): string {
  const { aws, quotas, lagSeconds, latencyMs, faultShare, seed } = config;
  const items = [
    ...(aws ? ["aws"] : []),
    ...(quotas ? ["quotas"] : []),
    ...(lagSeconds === undefined ? [] : [`lag=${lagSeconds}`]),
    ...(latencyMs === undefined ? [] : [`latency=${latencyMs}:${seed}`]),
    ...(faultShare === undefined ? [] : [`faults=${faultShare}:${seed}`]),
  ];
  const isDrawn = latencyMs !== undefined || faultShare !== undefined;
  return `${items.join(",")}${isDrawn ? ` (seed ${seed})` : ""}`;
}

function parseSeeded(
  value: string,
  max: number,
  form: string,
): [value: number, seed: { readonly seed?: number }] {
  const [number = "", seed, ...rest] = value.split(":");
  if (rest.length > 0) throw malformed(value, max, form);
  const parsed = parseNumber(number, max, form);
  if (seed === undefined) return [parsed, {}];
  if (/^[0-9]{1,10}$/.test(seed) && Number(seed) <= EMULATION_SEED_MAX) {
    return [parsed, { seed: Number(seed) }];
  }
  throw new UsageError(`Cannot take '${seed}' as a seed: give 0 to ${EMULATION_SEED_MAX}.`);
}

function parseNumber(text: string, max: number, form: string): number {
  const number = /^[0-9]{1,9}(\.[0-9]{1,9})?$/.test(text) ? Number(text) : Number.NaN;
  if (number <= max) return number;
  throw malformed(text, max, form);
}

function malformed(text: string, max: number, form: string): UsageError {
  return new UsageError(`Cannot emulate with '${text}': give ${form}, from 0 to ${max}.`);
}
