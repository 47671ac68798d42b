import assert from "node:assert/strict";
import { mkdir, rm } from "node:fs/promises";
import { constants } from "node:os";
import { join } from "node:path";
import { DiskModel } from "./disk-model.ts";
import { reopen } from "./reopen.ts";
import type { LoggedCall } from "./shim.ts";
import type { Story } from "./story.ts";
import type { UsedStore } from "./used-store.ts";
import { audit, verify } from "./verify.ts";

/*
 * What may be done, and what may be said, after a sync has failed. Its bytes are still in the
 * system's memory, so whoever reads the file again finds them, and a second sync succeeds, though
 * the disk never got them. So one look at the files that a process left is not enough: what it did
 * is done again on the model of a disk, on which a failed sync loses its bytes.
 */

const { EIO } = constants.errno;

/** What was done to a folder, by one process or by two, one after the other. */
export interface Life {
  readonly calls: readonly LoggedCall[];
  /** What the folder was before; undefined for an empty one. */
  readonly used: UsedStore | undefined;
  readonly story: Story;
}

/**
 * Throws where, after a sync has failed, one is tried again on the same descriptor or file, or the
 * file is written, unless it is made anew; opening it again is not that. Folders are excepted: each
 * sync of them is for a name that has just been made or removed, and `verifyLost` sees to those. So
 * are the first few calls that make an empty catalog, before it has a log: SQLite undoes those by
 * itself, with a sync, and nothing can have been acknowledged.
 */
export function checkSyncs(calls: readonly LoggedCall[]): void {
  const folders = new Set([""]);
  const failed = new Map<number, string>();
  const lost = new Set<string>();
  let hasLog = false;
  for (const { letter, fd, length, result, path } of calls) {
    // A new folder notes a length of 0, also where it is there already.
    if (letter === "c" && length === 0) folders.add(path);
    if (letter === "x" || letter === "o" || letter === "c") failed.delete(fd);
    if (letter === "c" && result >= 0) lost.delete(path);
    if (letter === "n" && result >= 0) for (const name of path.split("\t")) lost.delete(name);
    if (letter === "c" && path === "catalog.sqlite-wal") hasLog = true;
    if (path === "catalog.sqlite" && !hasLog) continue;
    if (letter === "w") assert.ok(!lost.has(path), `${path} is not written after a failed sync`);
    if (letter !== "s") continue;
    assert.ok(!failed.has(fd), `${path} is not synced again after ${failed.get(fd)} failed`);
    assert.ok(!lost.has(path), `${path} is not synced again after a failed sync, opened anew`);
    if (result >= 0) continue;
    failed.set(fd, path);
    if (!folders.has(path)) lost.add(path);
  }
}

/**
 * Throws where anything is answered with success after the disk has failed in a change of the
 * catalog: nobody knows then what the disk holds, so the process has to end.
 */
export function checkCatalogEnds(calls: readonly LoggedCall[]): void {
  const isLast = ({ letter, path, result }: LoggedCall) =>
    result === -EIO && "wst".includes(letter) && /^catalog\.sqlite(-wal)?$/.test(path);
  const last = calls.findIndex(isLast);
  const isAnswered = last >= 0 && calls.slice(last).some(isSuccess);
  assert.ok(
    !isAnswered,
    "after its catalog's disk has failed, a server answers nothing with success",
  );
}

/**
 * Verifies what the disk holds where syncs failed, without and with a power cut. Answers how many
 * requests were answered with success after the first of them; none of those may rest on it.
 */
export async function verifyLost(folder: string, { calls, used, story }: Life): Promise<number> {
  const first = calls.findIndex(isFailedSync);
  if (first < 0) return 0;
  const model = used ? await DiskModel.of(used.directory) : new DiskModel();
  for (const call of calls) if (call.letter !== "a") model.apply(call);
  const stories = used ? [used.story, story] : [story];
  for (const loss of ["none", "all"] as const) {
    const left = join(folder, `left-${loss}`);
    await mkdir(left);
    await model.cut(left, loss, () => 0);
    await reopen(left, async ({ core }) => {
      for (const told of stories) await verify(core, told);
    });
    audit(left);
    await rm(left, { recursive: true, force: true });
  }
  return calls.slice(first).filter(isSuccess).length;
}

export function hasFailedSync(calls: readonly LoggedCall[]): boolean {
  return calls.some(isFailedSync);
}

function isFailedSync({ letter, result }: LoggedCall): boolean {
  return letter === "s" && result < 0;
}

/** True for the head of an answer that says that something was done. */
function isSuccess({ letter, bytes }: LoggedCall): boolean {
  return letter === "a" && /^HTTP\/1\.1 2/.test(bytes.toString("latin1"));
}
