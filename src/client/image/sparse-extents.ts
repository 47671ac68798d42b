import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import type { Extent } from "../../model/extent.ts";
import { blockCountFor, blockIndexAt } from "../../model/geometry.ts";
import { FileError } from "../errors.ts";

/*
 * Where a file has data and where it has holes. Node has no lseek, so Perl asks the system in its
 * place: it is on nearly every machine, and where it is not, the caller looks for zeros instead.
 */

/** A file to look through, open for reading. */
export interface SparseFile {
  readonly fd: number;
  readonly path: string;
  readonly sizeBytes: number;
}

/** `whence` of lseek for "next data" and "next hole", where the system has them. */
const WHENCE: Readonly<Record<string, { readonly data: number; readonly hole: number }>> = {
  darwin: { data: 4, hole: 3 },
  freebsd: { data: 3, hole: 4 },
  linux: { data: 3, hole: 4 },
  sunos: { data: 3, hole: 4 },
};

/** Prints `<start> <end>` in bytes for each run of data, then `end`. ENXIO says: no more data. */
const SCRIPT = `
  my ($data, $hole, $size) = @ARGV;
  for (my $at = 0; $at < $size; ) {
    my $start = sysseek(STDIN, $at, $data);
    if (!defined $start) { last if $!{ENXIO}; exit 3 }
    my $end = sysseek(STDIN, $start, $hole);
    exit 3 if !defined $end;
    printf "%d %d\\n", $start, $end;
    $at = $end;
  }
  print "end\\n";
`;

/**
 * The blocks of a file that hold data, wholly or in part, as ascending extents; all other blocks
 * lie in holes. Undefined where the system, the file system or a missing Perl cannot tell.
 */
export async function findDataExtents(
  file: SparseFile,
  perl = "perl",
): Promise<AsyncGenerator<Extent> | undefined> {
  const whence = WHENCE[process.platform];
  if (whence === undefined) return undefined;
  const args = ["-e", SCRIPT, String(whence.data), String(whence.hole), String(file.sizeBytes)];
  // The child looks at the very file that is open here, whatever its path means by then.
  const child = spawn(perl, args, {
    stdio: [file.fd, "pipe", "ignore"],
    env: { PATH: process.env["PATH"] },
  });
  const hasEnded = new Promise<void>((resolve) => {
    child.once("error", () => resolve());
    child.once("close", () => resolve());
  });
  const lines = readLines(child.stdout as Readable, async () => {
    child.kill();
    await hasEnded;
  });
  const first = await lines.next();
  if (first.done) return undefined;
  return joinExtents(dataRuns(first.value, lines, file));
}

/** The lines of a stream; `end` is called when they end or nobody wants more of them. */
async function* readLines(stream: Readable, end: () => Promise<void>): AsyncGenerator<string> {
  try {
    stream.on("error", () => undefined);
    for await (const line of createInterface({ input: stream })) yield line;
  } finally {
    stream.destroy();
    await end();
  }
}

interface ByteRun {
  readonly start: number;
  readonly end: number;
}

async function* dataRuns(
  first: string,
  rest: AsyncGenerator<string>,
  { path, sizeBytes }: SparseFile,
): AsyncGenerator<ByteRun> {
  try {
    for (let line: string | undefined = first; line !== "end"; ) {
      const [start, end] = (line ?? "").split(" ").map(Number);
      if (start === undefined || end === undefined || !(start < end)) {
        const message = `Cannot find the holes of ${path}: the search for them broke off.`;
        throw new FileError(message, { path, code: "HOLES_UNKNOWN" });
      }
      // A file that grows meanwhile is read up to the length it had.
      yield { start, end: Math.min(end, sizeBytes) };
      const next: IteratorResult<string> = await rest.next();
      line = next.done ? undefined : next.value;
    }
  } finally {
    await rest.return(undefined);
  }
}

/** Runs of bytes, ascending, as extents of the blocks they touch. */
export async function* joinExtents(runs: AsyncIterable<ByteRun>): AsyncGenerator<Extent> {
  let open: { start: number; end: number } | undefined;
  for await (const run of runs) {
    const start = blockIndexAt(run.start);
    const end = blockCountFor(run.end);
    if (open && start <= open.end) {
      open.end = Math.max(open.end, end);
      continue;
    }
    if (open) yield { start: open.start, count: open.end - open.start };
    open = { start, end };
  }
  if (open) yield { start: open.start, count: open.end - open.start };
}
