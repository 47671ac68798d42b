import assert from "node:assert/strict";
import { mkdir, rm } from "node:fs/promises";
import { constants } from "node:os";
import { join } from "node:path";
import { forEachConcurrent } from "../../src/base/concurrency.ts";
import type { ServerProcess } from "../crash/process.ts";
import { verifyAndFinish } from "../faults/reopen.ts";
import { type LoggedCall, NO_SHIM, readLog, shim, spawnFaulty } from "../faults/shim.ts";
import { NotDoneError, readBack, Story } from "../faults/story.ts";
import { pick, seededFraction } from "../support/property.ts";
import type { Target } from "../support/raw-http.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { type ScorecardRun, scorecard } from "./scorecard.ts";

/*
 * One call on the disk fails: the k-th sync, write or read of a server's life, once, or from then
 * on whenever it touches the same file; or the disk takes only half of a write without a word. The
 * caller goes on with its history as a program would, repeating what failed a few times. Then:
 *
 * - no descriptor is synced again after a sync on it has failed, and nothing is written to that
 *   file, so no later answer rests on it,
 * - what was read back on the way was right, or an error,
 * - the service goes on, or ends by itself with exit code 6,
 * - a new process on the same disk holds all that was acknowledged, and takes the rest.
 */

/** Calls tried at once. */
const AT_ONCE = 3;
/** Of one kind in one history, with its start: more than any takes. */
const CALLS_MAX = 900;
/** How often a caller repeats a request that failed. */
const REPEATS = 2;
const { EIO, ENOSPC } = constants.errno;
const KINDS = [
  { name: "EIO at a sync", calls: "s", do: "error", error: EIO },
  { name: "EIO at a write", calls: "w", do: "error", error: EIO },
  { name: "EIO at a read", calls: "r", do: "error", error: EIO },
  { name: "ENOSPC at a write", calls: "w", do: "error", error: ENOSPC },
  { name: "short write", calls: "w", do: "short", error: 0 },
] as const;

interface Site {
  readonly kind: (typeof KINDS)[number];
  readonly at: number;
  readonly isSticky: boolean;
}

scorecard({
  number: 4,
  name: "EIO, ENOSPC and short writes at each sync, write and read, once and sticky",
  goal:
    "100 % of sites; acks after a failed sync on that file 0; sync retries on one fd 0; " +
    "wrong bytes 0",
  peer: "ATC'20: 0 of 5 databases fully correct; PostgreSQL now PANICs",
  skip: () => (shim() ? undefined : NO_SHIM),
  async run(run) {
    const directory = await temporaryDirectory(run);
    const sites = run.isFull
      ? everySite(run.share)
      : someSites(seededFraction(run.seed), KINDS.length);
    const counts = { reached: 0, ended: 0, wentOn: 0, refused: 0 };
    // In order of their numbers: once a kind's calls are at an end, so are those above.
    const beyond = new Map<string, number>();
    await forEachConcurrent(sites, AT_ONCE, async (site) => {
      const kind = `${site.kind.name}, ${site.isSticky}`;
      if (site.at > (beyond.get(kind) ?? Number.POSITIVE_INFINITY)) return;
      const folder = join(directory, `${site.kind.name} ${site.at} ${site.isSticky}`);
      const outcome = await fail(run, folder, site);
      if (outcome === "beyond") {
        beyond.set(kind, Math.min(site.at, beyond.get(kind) ?? Number.POSITIVE_INFINITY));
        return;
      }
      counts.reached += 1;
      counts[outcome] += 1;
    });
    assert.ok(counts.reached >= Math.min(3, sites.length), "the sites lie within the history");
    return (
      `${counts.reached} sites, 100 % kept all that was acknowledged: ${counts.wentOn} went on, ` +
      `${counts.refused} refused until started anew, ${counts.ended} ended by themselves; ` +
      "syncs repeated on a descriptor 0, wrong bytes 0"
    );
  },
});

/** Of a share, the numbers of the calls are evenly spread. */
function everySite(share: number): Site[] {
  const numbers = Array.from({ length: CALLS_MAX }, (_, i) => i + 1);
  const some = numbers.filter((_, i) => Math.floor(i * share) !== Math.floor((i - 1) * share));
  return some.flatMap((at) =>
    KINDS.flatMap((kind) => [false, true].map((isSticky) => ({ kind, at, isSticky }))),
  );
}

function someSites(fraction: () => number, count: number): Site[] {
  return Array.from({ length: count }, (_, i) => {
    const kind = KINDS[i % KINDS.length] as Site["kind"];
    const bound = kind.calls === "w" ? 200 : 40;
    return { kind, at: 1 + pick(fraction, bound), isSticky: fraction() < 0.5 };
  });
}

/** One life of a server in which one site fails, and what comes after it. */
async function fail(
  run: ScorecardRun,
  folder: string,
  { kind, at, isSticky }: Site,
): Promise<"beyond" | "ended" | "wentOn" | "refused"> {
  const data = join(folder, "data");
  await mkdir(data, { recursive: true });
  const log = join(folder, "log");
  const story = new Story("story", 1);
  const server = spawnFaulty(data, { ...kind, at, isSticky, log });
  run.after(() => server.kill());
  const errors = await live(server, story);
  const code = await endOf(server);
  const calls = await readLog(log);
  const where = `${kind.name} ${at}${isSticky ? " and after" : ""}: ${errors.at(-1) ?? ""}`;
  try {
    checkSyncs(calls);
    // 1: it could not start. 6: its catalog failed.
    if (code !== undefined) assert.ok(code === 1 || code === 6, `it ended with ${code}`);
    await verifyAndFinish(data, story);
  } catch (error) {
    throw new Error(`${where}: ${(error as Error).message}\n${server.errors()}`, { cause: error });
  }
  await rm(folder, { recursive: true, force: true });
  if (code !== undefined) return "ended";
  const reached = calls.filter(({ letter }) => letter === kind.calls).length >= at;
  // Reads are not in the log; one that failed is.
  const failed = calls.some(({ letter, result }) => letter === kind.calls && result < 0);
  if (!(kind.calls === "r" ? failed : reached)) return "beyond";
  return errors.length > REPEATS ? "refused" : "wentOn";
}

/** Tells the story as far as the server lets it; answers the failures on the way. */
async function live(server: ServerProcess, story: Story): Promise<Error[]> {
  const errors: Error[] = [];
  let target: Target;
  try {
    target = await server.greeting;
  } catch (error) {
    return [error as Error];
  }
  while (!story.isOver && errors.length <= REPEATS) {
    await story
      .run(target, () => readBack(target, story))
      .catch((error: Error) => errors.push(error));
    if (!(errors.at(-1) instanceof NotDoneError)) break;
  }
  return errors;
}

/** The code of a server that ended by itself; a living one is killed. */
async function endOf(server: ServerProcess): Promise<number | undefined> {
  const grace = new Promise<undefined>((resolve) => setTimeout(resolve, 100, undefined));
  const ended = await Promise.race([server.exited, grace]);
  if (typeof ended === "number") return ended;
  await server.kill();
  return undefined;
}

/**
 * After a sync has failed, the descriptor is closed before anything is synced through it, and
 * nothing is written to the file, unless it is made anew. The first few calls that make an empty
 * catalog, before it has a log, are excepted: SQLite undoes those by itself, with a sync, and
 * nothing can have been acknowledged.
 */
function checkSyncs(calls: readonly LoggedCall[]): void {
  const failed = new Map<number, string>();
  const lost = new Set<string>();
  let hasLog = false;
  for (const { letter, fd, result, path } of calls) {
    if (letter === "x" || letter === "o" || letter === "c") failed.delete(fd);
    if (letter === "c") lost.delete(path);
    if (letter === "c" && path === "catalog.sqlite-wal") hasLog = true;
    if (path === "catalog.sqlite" && !hasLog) continue;
    if (letter === "w") assert.ok(!lost.has(path), `${path} is not written after a failed sync`);
    if (letter === "s" && result < 0) lost.add(path);
    if (letter !== "s") continue;
    assert.ok(!failed.has(fd), `${path} is not synced again after ${failed.get(fd)} failed`);
    if (result < 0) failed.set(fd, path);
  }
}
