import { formatTimeMs } from "../base/clock.ts";
import { blockCountOf } from "../model/geometry.ts";
import type { Core } from "../snapshots/core.ts";
import type { TaskDescription } from "../wire/admin/status.ts";
import type { StoreTally } from "./tally.ts";

/** Tasks of one kind that are told of (ours). */
const TASKS_COUNT_MAX = 100;

/** What goes on: all that this process is at, and what the catalog says of others. */
export async function findTasks(core: Core, tally: StoreTally): Promise<TaskDescription[]> {
  const [copies, verifications] = await Promise.all([
    findCopies(core),
    findVerifications(core, tally),
  ]);
  return [
    ...uploads(tally),
    ...sealings(core),
    ...copies,
    ...collection(core),
    ...scrub(core),
    ...verifications,
  ];
}

function uploads(tally: StoreTally): TaskDescription[] {
  return tally
    .uploads()
    .slice(0, TASKS_COUNT_MAX)
    .map(({ id, startedAtMs, blockCount }) => ({
      ...({ Kind: "Upload", Id: id, StartTime: formatTimeMs(startedAtMs) } as const),
      ...({ Done: blockCount, Total: null, Unit: "blocks", IsOfProcess: true } as const),
    }));
}

function sealings({ sealer }: Core): TaskDescription[] {
  return sealer.underWay.slice(0, TASKS_COUNT_MAX).map((Id) => ({
    ...({ Kind: "Sealing", Id, StartTime: null, Done: null, Total: null } as const),
    ...({ Unit: "blocks", IsOfProcess: true } as const),
  }));
}

async function findCopies({ catalog }: Core): Promise<TaskDescription[]> {
  const copies = (await catalog.copies.all()).slice(0, TASKS_COUNT_MAX);
  const snapshots = await Promise.all(copies.map(({ id }) => catalog.snapshots.get(id)));
  return copies.map(({ id, nextIndex }, i) => {
    const snapshot = snapshots[i];
    return {
      ...({ Kind: "Copy", Id: id, Done: nextIndex, Unit: "blocks", IsOfProcess: false } as const),
      StartTime: snapshot ? formatTimeMs(snapshot.startTimeMs) : null,
      // How far it has come in the volume, of which parts may be holes.
      Total: snapshot ? blockCountOf(snapshot.volumeSizeGib) : null,
    };
  });
}

function collection({ collector }: Core): TaskDescription[] {
  const { startedAtMs } = collector;
  if (startedAtMs === undefined) return [];
  return [
    {
      ...{ Kind: "Collection", Id: "collection", StartTime: formatTimeMs(startedAtMs) },
      ...{ Done: null, Total: null, Unit: "records", IsOfProcess: true },
    },
  ];
}

function scrub({ scrubber }: Core): TaskDescription[] {
  const { stepUnderWay: step } = scrubber;
  if (!step) return [];
  return [
    {
      ...{ Kind: "Scrub", Id: "scrub", StartTime: null, IsOfProcess: true },
      ...{ Done: step.bytesDone, Total: step.bytesTotal, Unit: "bytes" },
    },
  ];
}

async function findVerifications(core: Core, tally: StoreTally): Promise<TaskDescription[]> {
  // One that nobody goes on with stays noted; it is no task.
  const noted = await core.catalog.statistics.verifications(TASKS_COUNT_MAX);
  return noted
    .filter(({ id }) => tally.isVerifying(id))
    .map(({ id, startedAtMs, blocksVerified, badBlockCount, blockCount }) => ({
      ...({ Kind: "Verification", Id: id, StartTime: formatTimeMs(startedAtMs) } as const),
      ...({ Done: blocksVerified + badBlockCount, Total: blockCount } as const),
      ...({ Unit: "blocks", IsOfProcess: true } as const),
    }));
}
