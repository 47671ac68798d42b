import { median } from "./statistics.ts";

/** One line of the table. */
export interface Row {
  readonly figure: string;
  readonly unit: string;
  /** Medians over the rounds. */
  readonly varve: number;
  readonly floor: number;
  /** Median of the rounds' own ratios, Varve to floor. */
  readonly ratio: number;
  /** Least and greatest of the rounds' ratios. */
  readonly spread: readonly [number, number];
  readonly goal: string;
  /** Every round's value, for whoever wants to look closer. */
  readonly samples: { readonly varve: readonly number[]; readonly floor: readonly number[] };
}

/** One contender's numbers in one round, by name. */
export type Sample = Readonly<Record<string, number>>;

/** Something measured once a round. */
export type Contender = (round: number) => Promise<Sample>;

/** What the contenders measured, one sample a round. */
export interface Measured {
  readonly varve: readonly Sample[];
  readonly floor: readonly Sample[];
}

/**
 * Runs both contenders in turn, round after round, so that whatever else the machine does falls
 * on both alike. Who goes first changes with each round.
 */
export async function interleave(
  rounds: number,
  contenders: { readonly varve: Contender; readonly floor: Contender },
): Promise<Measured> {
  const measured = { varve: [] as Sample[], floor: [] as Sample[] };
  for (let round = 0; round < rounds; round++) {
    const order = round % 2 === 0 ? (["varve", "floor"] as const) : (["floor", "varve"] as const);
    for (const name of order) measured[name].push(await contenders[name](round));
  }
  return measured;
}

/** The row of one of the numbers that were measured. */
export function rowOf(
  measured: Measured,
  key: string,
  row: { readonly figure: string; readonly unit: string; readonly goal?: string },
): Row {
  const [varve, floor] = [measured.varve, measured.floor].map((samples) =>
    samples.map((sample) => sample[key] ?? Number.NaN),
  ) as [number[], number[]];
  const ratios = varve.map((value, i) => value / (floor[i] ?? Number.NaN));
  return {
    goal: "",
    ...row,
    varve: median(varve),
    floor: median(floor),
    ratio: median(ratios),
    spread: [Math.min(...ratios), Math.max(...ratios)],
    samples: { varve, floor },
  };
}
