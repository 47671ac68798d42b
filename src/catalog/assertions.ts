import { assert } from "../base/assert.ts";
import type { RecordName } from "../model/digest.ts";
import type { SnapshotState } from "../model/snapshot.ts";
import type { NewLocation, StateChange } from "./catalog.ts";
import type { CollectionRun, GarbageCandidate, Sweep } from "./collection.ts";

/*
 * What every engine asserts in the transaction that would break it, so that a slip of whoever asks
 * is seen, and nothing is lost by it. `docs/decisions/0027` says which rule each is of.
 */

/**
 * Throws unless a run may remove these records: an earlier one must have found each unreachable,
 * and its grace be over. `known` is what is noted of them now, in the same transaction.
 */
export function assertSweepable(
  run: CollectionRun,
  { names, doomedByMs }: Sweep,
  known: readonly GarbageCandidate[],
): void {
  assert(run.cutoffGeneration < run.generation, "what is stored while a run walks is not swept");
  const candidates = new Map(known.map((candidate) => [candidate.name, candidate]));
  for (const name of names) {
    const { doomedGeneration, doomedAtMs } = candidates.get(name) ?? {};
    const isDoomed = doomedGeneration !== undefined && doomedGeneration < run.generation;
    assert(isDoomed, `an earlier run than ${run.generation} has doomed what is swept: ${name}`);
    const isOver = doomedAtMs !== undefined && doomedAtMs <= doomedByMs;
    assert(isOver, `the grace of what is swept is over: ${name}`);
  }
}

/** States that a snapshot comes out of by itself; the others are for good. */
const UNDER_WAY: readonly SnapshotState[] = ["pending", "copying", "sealing"];

/**
 * Throws for a change of state that no snapshot may go through. Settled is settled: what it needed
 * before may be collected by now. And completed is what was sealed, with its roots and its manifest
 * named.
 */
export function assertChange(from: SnapshotState, change: StateChange): void {
  assert(UNDER_WAY.includes(from), `a snapshot that is ${from} stays so`);
  if (change.state !== "completed") return;
  assert(from === "sealing", `a snapshot that is ${from} is sealed before it is completed`);
  assert(change.manifest !== undefined, "a completed snapshot has a manifest");
  const roots = [change.root, change.writersRoot].filter((root) => root !== undefined);
  const isNamed = (change.rootNames ?? []).length === roots.length;
  assert(isNamed, "it is known under what names a completed snapshot's roots lie");
}

/** What has to be located when the change is made, each once. */
export function neededBy({ state, rootNames = [], manifest }: StateChange): readonly RecordName[] {
  if (state !== "completed") return [];
  return [...new Set(manifest === undefined ? rootNames : [...rootNames, manifest])];
}

/** Throws unless all that a completed snapshot needs first is located. Damaged is located, too. */
export function assertLocated(needed: readonly RecordName[], located: ReadonlySet<string>): void {
  for (const name of needed) {
    assert(located.has(name), `what a completed snapshot names is located: ${name}`);
  }
}

/** Throws for a move within a segment, which then could never be given back. */
export function assertMove({ name, segment, movedFrom }: NewLocation): void {
  assert(segment !== movedFrom?.segment, `what is moved lies in a new segment: ${name}`);
}
