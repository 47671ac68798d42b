import { setTimeout as sleep } from "node:timers/promises";
import {
  type Client,
  ClientError,
  completeSnapshot,
  deleteSnapshot,
  describeSnapshots,
  isSnapshotNotFound,
  putSnapshotBlock,
  startSnapshot,
} from "../../src/client/index.ts";
import { blockContents, pick, seededFraction } from "../support/property.ts";
import type { Event, Seen, Step } from "./linearizable.ts";

/** How histories are made. */
export interface HistoryOptions {
  /** One for each server; each call goes to any of them, once. */
  readonly clients: () => readonly Client[];
  readonly seed: number;
  /** Client tokens, each with a history of its own. */
  readonly tokenCount: number;
  /** Callers that call at once, and calls of each. */
  readonly callerCount: number;
  readonly callCount: number;
}

/** The history of each client token. */
export type Histories = ReadonlyMap<string, readonly Event[]>;

const BLOCK = blockContents(1);
const NEVER = Number.POSITIVE_INFINITY;

/** Has callers start, write, complete, describe and delete the same snapshots at all servers. */
export async function recordHistories(options: HistoryOptions): Promise<Histories> {
  const { seed, tokenCount, callerCount, callCount, clients } = options;
  const histories = new Map<string, Event[]>();
  /** Snapshots that somebody has heard of, the latest last. */
  const heardOf = new Map<string, string[]>();
  const call = async (fraction: () => number) => {
    const token = `history ${seed} ${pick(fraction, tokenCount)}`;
    const ids = heardOf.get(token) ?? [];
    // Mostly the latest; sometimes one that may be gone.
    const id = ids[Math.max(0, ids.length - 1 - pick(fraction, 1.3))];
    const all = clients();
    const client = all[pick(fraction, all.length)] as Client;
    const kinds = ["start", "put", "complete", "describe", "describe", "delete"] as const;
    const kind = id === undefined ? "start" : (kinds[pick(fraction, kinds.length)] ?? "start");
    const calledMs = performance.now();
    const count = pick(fraction, 1.7);
    const step = await carryOut(client, { kind, token, id: id ?? "", count });
    if (!step) return;
    const answeredMs = step.isAnswered ? performance.now() : NEVER;
    histories.set(token, [...(histories.get(token) ?? []), { ...step, calledMs, answeredMs }]);
    if (step.step.kind === "start" && !ids.includes(step.step.id)) {
      heardOf.set(token, [...ids, step.step.id]);
    }
  };
  const callers = Array.from({ length: callerCount }, async (_, i) => {
    const fraction = seededFraction(seed + i);
    for (let n = 0; n < callCount; n++) {
      await call(fraction);
      await sleep(pick(fraction, 20));
    }
  });
  await Promise.all(callers);
  return histories;
}

interface Asked {
  readonly kind: Step["kind"];
  readonly token: string;
  readonly id: string;
  readonly count: number;
}

/** Undefined for a start that was not answered: nobody knows of what it may have started. */
async function carryOut(
  client: Client,
  asked: Asked,
): Promise<{ readonly step: Step; readonly isAnswered: boolean } | undefined> {
  try {
    return { step: await answered(client, asked), isAnswered: true };
  } catch (error) {
    if (!(error instanceof ClientError)) throw error;
    const isUnknown = error.kind !== "service" || (error.status ?? 500) >= 500;
    if (!isUnknown) throw error;
    const { kind, id, count } = asked;
    if (kind === "start") return undefined;
    const lost = { id, isAnswered: false };
    if (kind === "put") return { ...lost, step: { kind, id, saw: "taken" } };
    if (kind === "delete") return { ...lost, step: { kind, id, saw: "deleted" } };
    return { ...lost, step: { kind, id, count, saw: "pending" } as Step };
  }
}

async function answered(client: Client, { kind, token, id, count }: Asked): Promise<Step> {
  const orAbsent = <T>(error: unknown, other?: T) => {
    if (isSnapshotNotFound(error)) return "absent" as const;
    const isRefused = error instanceof ClientError && (error.status ?? 500) < 500;
    if (isRefused && other !== undefined) return other;
    throw error;
  };
  if (kind === "start") {
    const input = { VolumeSize: 1, ClientToken: token.replaceAll(" ", "-"), Timeout: 60 };
    return { kind, id: (await startSnapshot(client, input)).SnapshotId };
  }
  if (kind === "put") {
    const put = putSnapshotBlock(client, 0, id, { BlockData: BLOCK });
    const saw = await put.then(
      () => "taken" as const,
      (error: unknown) => orAbsent(error, "refused" as const),
    );
    return { kind, id, saw };
  }
  if (kind === "complete") {
    const done = completeSnapshot(client, id, { ChangedBlocksCount: count });
    const saw = await done.then(({ Status }) => Status as Seen, orAbsent<Seen>);
    return { kind, id, count, saw };
  }
  if (kind === "delete") {
    const saw = await deleteSnapshot(client, id).then(
      () => "deleted" as const,
      orAbsent<"deleted">,
    );
    return { kind, id, saw };
  }
  const described = describeSnapshots(client, { SnapshotIds: [id] });
  const saw = await described.then(
    ({ Snapshots: [snapshot] }) => (snapshot?.State ?? "absent") as Seen | "absent",
    orAbsent<Seen>,
  );
  return { kind: "describe", id, saw };
}
