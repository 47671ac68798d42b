import { readdirSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";

interface Profile {
  readonly nodes: readonly {
    readonly id: number;
    readonly callFrame: { readonly functionName: string; readonly url: string };
  }[];
  readonly samples: readonly number[];
  readonly timeDeltas: readonly number[];
}

/** Lines that say where the main thread of a figure's servers spent its time, itself. */
export function topCosts(directory: string, figure: string, count = 14): string[] {
  const isOurs = (name: string) => new RegExp(`^${figure}-[0-9]+\\.cpuprofile$`).test(name);
  const costs = new Map<string, number>();
  for (const name of readdirSync(directory).filter(isOurs)) {
    addCosts(JSON.parse(readFileSync(join(directory, name), "utf8")), costs);
  }
  costs.delete("(idle)");
  const busy = [...costs.values()].reduce((sum, cost) => sum + cost, 0);
  return [...costs]
    .sort(([, a], [, b]) => b - a)
    .slice(0, count)
    .map(([place, cost]) => `${((cost / busy) * 100).toFixed(1).padStart(5)} %  ${place}`);
}

function addCosts({ nodes, samples, timeDeltas }: Profile, costs: Map<string, number>): void {
  const places = new Map(nodes.map(({ id, callFrame }) => [id, placeOf(callFrame)]));
  for (const [i, sample] of samples.entries()) {
    const place = places.get(sample) ?? "(unknown)";
    costs.set(place, (costs.get(place) ?? 0) + (timeDeltas[i] ?? 0));
  }
}

function placeOf({ functionName, url }: Profile["nodes"][number]["callFrame"]): string {
  const name = functionName || "(anonymous)";
  if (url === "") return name;
  return `${name}  ${url.startsWith("node:") ? url : basename(url)}`;
}
