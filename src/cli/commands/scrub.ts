import { type Command, InvalidArgumentError } from "commander";
import { type ScrubProgress, type ScrubResult, scrubStore } from "../../client/index.ts";
import { blockCountFor } from "../../model/geometry.ts";
import { SCRUB_SAMPLES_COUNT_MAX } from "../../model/limits.ts";
import { DamagedDataError } from "../errors.ts";
import {
  formatBytes,
  formatCount,
  formatSeconds,
  formatTable,
  printable,
} from "../output/format.ts";
import { ProgressDisplay } from "../output/progress.ts";
import { type Session, withSession } from "../session.ts";

/** Which share of all records. */
interface Sample {
  readonly part: number;
  readonly parts: number;
}

/** Adds `varve scrub`. */
export function addScrubCommand(program: Command): void {
  program
    .command("scrub")
    .summary("have all that is stored read again and hashed")
    .description("Have the service read what it stores again, now, and hash it.")
    .option("--sample <n/t>", "only the n-th of t equal samples, for example 1/30", sampleArgument)
    .action((options: { readonly sample?: Sample }, command: Command) =>
      withSession(command, (session) => scrub(session, options.sample)),
    );
}

/** Parses `N/T`; for commander, which names the argument in its message. */
function sampleArgument(text: string): Sample {
  const [part = Number.NaN, parts = Number.NaN] = /^[0-9]{1,5}\/[0-9]{1,5}$/.test(text)
    ? text.split("/").map(Number)
    : [];
  if (part >= 1 && part <= parts && parts <= SCRUB_SAMPLES_COUNT_MAX) return { part, parts };
  const bound = `with T up to ${SCRUB_SAMPLES_COUNT_MAX}`;
  throw new InvalidArgumentError(`A sample is given as N/T, such as 1/30, ${bound}.`);
}

async function scrub(
  { client, output, signal }: Session,
  sample: Sample | undefined,
): Promise<void> {
  const display = new ProgressDisplay(output, client.clock);
  // The bar counts in blocks.
  const onProgress = ({ bytesTotal, bytesDone }: ScrubProgress) =>
    display.update({
      blocksTotal: blockCountFor(bytesTotal),
      blocksDone: blockCountFor(bytesDone),
    });
  let result: ScrubResult;
  try {
    result = await scrubStore(client, { sample, onProgress, signal });
  } finally {
    display.clear();
  }
  output.result(result, [summary(result), ...details(result)].join("\n\n"));
  const { damagedRecordCount, catalogFaults } = result;
  if (damagedRecordCount === 0 && catalogFaults.length === 0) return;
  const next = "Find the snapshots that have it with: varve verify SNAPSHOT";
  throw new DamagedDataError(`The store is damaged. ${next}`);
}

function summary(result: ScrubResult): string {
  const { recordsVerified, bytesVerified, damagedRecordCount, lockedRecordCount } = result;
  const locked = `; ${formatCount(lockedRecordCount, "record")} under keys that cannot be had`;
  return (
    `Read ${formatCount(recordsVerified, "record")} (${formatBytes(bytesVerified)}) again in ` +
    `${formatSeconds(result.seconds)}: ${damagedRecordCount} damaged` +
    `${lockedRecordCount > 0 ? locked : ""}.`
  );
}

function details({ damagedRecords, catalogFaults }: ScrubResult): string[] {
  const right = { align: "right" } as const;
  const columns = [
    { title: "SEGMENT", ...right },
    { title: "OFFSET", ...right },
    { title: "LENGTH", ...right },
    { title: "DOMAIN" },
    { title: "NAME" },
  ];
  const rows = damagedRecords.map(({ Segment, Offset, Length, Domain, Name }) =>
    [Segment, Offset, Length, Domain, Name].map(String),
  );
  return [
    ...(rows.length > 0 ? [formatTable(columns, rows)] : []),
    ...catalogFaults.map((fault) => `The catalog: ${printable(fault)}`),
  ];
}
