import assert from "node:assert/strict";

/** A snapshot as its callers know it: what was acknowledged, and what may be besides. */
export interface Told {
  readonly name: string;
  readonly parent: Told | undefined;
  /** Snapshots that can be compared have the same. */
  readonly lineage: object;
  readonly isEncrypted: boolean;
  id: string | undefined;
  /** Which contents each block index may have; inherited ones are among them. */
  readonly blocks: Map<number, ReadonlySet<number>>;
  /** Block indexes written to itself, acknowledged. */
  readonly written: Set<number>;
  /** True where a block may have been written to it besides, so that its count is not known. */
  isUnclear: boolean;
  state: "pending" | "completing" | "copying" | "completed" | "error";
  /** What a completion that was asked for is to end in. */
  outcome: "completed" | "error" | undefined;
  /** Its last write, on the clock that never jumps, and its end by timeout, on the other. */
  activeMs: number;
  expiresAtMs: number;
  deletion: "none" | "maybe" | "done";
  /** True once its completion was acknowledged as asked for. */
  isAsked: boolean;
  /** When it was known to be completed, and to be deleted. */
  completedMs: number;
  deletedMs: number;
}

/** All that is known, and what has been compared with it. */
export class Oracle {
  readonly told: Told[] = [];
  blocksRead = 0;
  acknowledged = 0;

  /** Contents read are one of those that may be; from then on they are these. */
  checkRead(told: Told, blockIndex: number, contents: number | undefined): void {
    const possible = told.blocks.get(blockIndex);
    const isRight = contents !== undefined && possible?.has(contents);
    const expected = [...(possible ?? [])].join(" or ");
    assert.ok(
      isRight,
      `wrong bytes: block ${blockIndex} of ${told.name} has contents ${contents}, not ${expected}`,
    );
    told.blocks.set(blockIndex, new Set([contents as number]));
    this.blocksRead += 1;
  }

  /** A pending snapshot has every block that was acknowledged; what else it has is known now. */
  clarify(told: Told, stored: ReadonlyMap<number, number | undefined>): void {
    for (const blockIndex of told.written) {
      assert.ok(stored.has(blockIndex), `${told.name} has lost block ${blockIndex}`);
    }
    for (const blockIndex of [...told.blocks.keys()]) {
      if (stored.has(blockIndex)) continue;
      const inherited = told.parent?.blocks.get(blockIndex);
      if (inherited) told.blocks.set(blockIndex, inherited);
      else told.blocks.delete(blockIndex);
    }
    for (const [blockIndex, contents] of stored) {
      this.checkRead(told, blockIndex, contents);
      told.written.add(blockIndex);
    }
    told.isUnclear = false;
  }

  /** A completed snapshot lists the blocks it has, in order, and no others. */
  checkListing(told: Told, indexes: readonly number[]): void {
    const expected = [...told.blocks.keys()].sort((a, b) => a - b);
    assert.deepEqual(indexes, expected, `blocks of ${told.name}`);
  }

  /** Block indexes at which two snapshots differ; undefined where that is not known. */
  differences(first: Told, second: Told): number[] | undefined {
    const indexes = new Set([...first.blocks.keys(), ...second.blocks.keys()]);
    const found: number[] = [];
    for (const blockIndex of [...indexes].sort((a, b) => a - b)) {
      const [a, b] = [first.blocks.get(blockIndex), second.blocks.get(blockIndex)];
      if ((a?.size ?? 0) > 1 || (b?.size ?? 0) > 1) return undefined;
      const [before] = a ?? [];
      const [after] = b ?? [];
      if (before !== after) found.push(blockIndex);
    }
    return found;
  }
}
