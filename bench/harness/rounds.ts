import { median } from "./statistics.ts";

/** One line of the table. */
export interface Row {
  readonly figure: string;
  readonly unit: string;
  /** Medians over the rounds; undefined where it was not measured, or there is nothing beside. */
  readonly varve: number | undefined;
  readonly floor: number | undefined;
  /** Median of the rounds' own ratios, Varve to what is beside it. */
  readonly ratio: number | undefined;
  /** Least and greatest of the rounds' ratios. */
  readonly spread: readonly [number, number] | undefined;
  readonly goal: string;
  /** Why it was not measured, or what else there is to say. */
  readonly note?: string | undefined;
  /** Every round's value, for whoever wants to look closer. */
  readonly samples: { readonly varve: readonly number[]; readonly floor: readonly number[] };
}

/** What a row is called. */
export interface RowName {
  readonly figure: string;
  readonly unit: string;
  readonly goal?: string;
  readonly note?: string;
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
  return (await interleaveAll(rounds, contenders)) as unknown as Measured;
}

/** The same for any number of contenders, by name. */
export async function interleaveAll<Name extends string>(
  rounds: number,
  contenders: Readonly<Record<Name, Contender>>,
): Promise<Record<Name, Sample[]>> {
  const names = Object.keys(contenders) as Name[];
  const measured = Object.fromEntries(names.map((name) => [name, [] as Sample[]]));
  for (let round = 0; round < rounds; round++) {
    const order = round % 2 === 0 ? names : names.toReversed();
    for (const name of order) measured[name]?.push(await contenders[name](round));
  }
  return measured as Record<Name, Sample[]>;
}

/** The row of one of the numbers that were measured. */
export function rowOf(measured: Measured, key: string, row: RowName): Row {
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

/** A row with nothing beside it: the goal is one for the value itself. */
export function valueRow(values: readonly number[], row: RowName): Row {
  const nothing = { floor: undefined, ratio: undefined, spread: undefined };
  const samples = { varve: values, floor: [] };
  return { goal: "", ...row, ...nothing, varve: median(values), samples };
}

/** A row of what could not be measured here, and why. */
export function missingRow(figure: string, note: string): Row {
  return { ...valueRow([], { figure, unit: "", note }), varve: undefined };
}
