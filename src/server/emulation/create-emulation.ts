import type { Clock } from "../../base/clock.ts";
import type { Random } from "../../base/random.ts";
import {
  EMULATED_LAG_SECONDS_MAX,
  EMULATED_LATENCY_MS_MAX,
  EMULATION_SEED_MAX,
} from "../../model/limits.ts";
import { AWS_LENIENCY } from "../access/leniency.ts";
import { awsView, latenessOf, oneFailure } from "./aws.ts";
import type { Emulation, EmulationConfig, Link, View } from "./emulation.ts";
import { faults } from "./faults.ts";
import { lag } from "./lag.ts";
import { latency } from "./latency.ts";
import { quotas } from "./quotas.ts";

/** The same configuration with a seed, drawn if it has none. Throws a RangeError for nonsense. */
export function withSeed(
  config: EmulationConfig,
  random: Random,
): EmulationConfig & { readonly seed: number } {
  const bounds = {
    lagSeconds: EMULATED_LAG_SECONDS_MAX,
    latencyMs: EMULATED_LATENCY_MS_MAX,
    faultShare: 1,
    seed: EMULATION_SEED_MAX,
  } as const;
  for (const [name, max] of Object.entries(bounds) as [keyof typeof bounds, number][]) {
    const value = config[name] ?? 0;
    if (!(value >= 0 && value <= max)) {
      throw new RangeError(`emulation.${name} is ${value}, not 0 to ${max}`);
    }
  }
  const bytes = Buffer.from(random.bytes(4));
  return { ...config, seed: config.seed ?? bytes.readUInt32BE() };
}

/** Puts together what is switched on. */
export function createEmulation(
  { clock }: { readonly clock: Clock },
  config: EmulationConfig & { readonly seed: number },
): Emulation {
  const { aws = false, latencyMs = 0, faultShare = 0, seed } = config;
  const lateness = latenessOf(config);
  // The first is the outermost: faulty answers are late, too.
  const links: Link[] = [];
  if (latencyMs > 0) links.push(latency(clock, latencyMs, seed));
  if (faultShare > 0) links.push(faults(clock, faultShare, seed));
  if (aws) links.push(oneFailure());
  const views: View[] = [];
  if (config.quotas) views.push(quotas());
  if (lateness.startMs > 0 || lateness.readMs > 0) views.push(lag(lateness));
  if (aws) views.push(awsView());
  return {
    leniency: aws ? AWS_LENIENCY : undefined,
    around(request, work) {
      const through = (next: typeof work, link: Link) => () => link(request, next);
      return links.reduceRight(through, work)();
    },
    view: (core, operation) => views.reduce((seen, view) => view(seen, operation), core),
  };
}
