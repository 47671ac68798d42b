import { rm } from "node:fs/promises";
import {
  BACKUP_TOOLS,
  type BackupTool,
  canMakeFileSystem,
  whyNot,
} from "../harness/backup-tools.ts";
import type { Bench } from "../harness/bench.ts";
import type { Figure } from "../harness/figure.ts";
import { type Images, makeFileSystem } from "../harness/file-system.ts";
import {
  interleaveAll,
  missingRow,
  type Row,
  type RowName,
  rowOf,
  type Sample,
} from "../harness/rounds.ts";
import { fileDigest } from "../harness/transfers.ts";

const GIB = 1024 ** 3;
const IMAGE_BYTES = 4 * GIB;
const FILES_BYTES = GIB;
/** A round takes a minute and more: every tool does all of it once. */
const ROUNDS_MAX = 3;

const KINDS: Readonly<Record<string, Pick<RowName, "unit" | "goal">>> = {
  first: { unit: "s", goal: "≤ 0.33" },
  increment: { unit: "s", goal: "≤ 0.33" },
  restore: { unit: "s", goal: "≤ 0.33" },
  stored: { unit: "MiB", goal: "≤ 1.05" },
};

/** Whole commands on a real file system, beside the tools that people back disks up with. */
export const backup: Figure = {
  name: "backup",
  group: "peers",
  about: "4 GiB ext4 with 1 GiB of files: upload, increment, download; beside: restic, borg",
  async run(bench) {
    if (!canMakeFileSystem()) return [missingRow("backup", "mkfs.ext4 is not installed")];
    const reasons = new Map<string, string>();
    for (const name of Object.keys(BACKUP_TOOLS)) {
      const reason = await whyNot(name);
      if (reason !== undefined) reasons.set(name, reason);
    }
    const names = Object.keys(BACKUP_TOOLS).filter((name) => !reasons.has(name));
    const images = await makeFileSystem({
      folder: await bench.folder("images"),
      sizeBytes: bench.scaled(IMAGE_BYTES),
      filesBytes: bench.scaled(FILES_BYTES),
    });
    const wanted = await fileDigest(images.after);
    const measure = (name: string) => () => measureOnce(bench, name, { images, wanted });
    const contenders = Object.fromEntries(names.map((name) => [name, measure(name)] as const));
    const rounds = Math.min(ROUNDS_MAX, bench.options.rounds);
    const measured = await interleaveAll(rounds, contenders);
    const missing = [...reasons].map(([name, reason]) => missingRow(`backup, ${name}`, reason));
    return [...names.slice(1).flatMap((name) => rowsBeside(name, measured)), ...missing];
  },
};

function rowsBeside(name: string, measured: Readonly<Record<string, readonly Sample[]>>): Row[] {
  const { varve = [], [name]: floor = [] } = measured;
  return Object.entries(KINDS).map(([kind, { unit, goal }]) =>
    rowOf({ varve, floor }, kind, { figure: `${kind}, ${name}`, unit, goal: goal ?? "" }),
  );
}

async function measureOnce(
  bench: Bench,
  name: string,
  { images, wanted }: { readonly images: Images; readonly wanted: string },
): Promise<Sample> {
  const open = BACKUP_TOOLS[name] as (bench: Bench) => Promise<BackupTool>;
  await using tool = await open(bench);
  const first = await tool.store(images.before);
  const increment = await tool.store(images.after);
  const stored = await tool.storedMib();
  const restore = await tool.restore();
  if ((await fileDigest(tool.restored)) !== wanted) {
    throw new Error(`What ${name} brought back is not what it was given`);
  }
  await rm(tool.restored);
  return { first, increment, stored, restore };
}
