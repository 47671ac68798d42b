import { WAIT_MS_DEFAULT } from "../../model/defaults.ts";
import type { CallOptions, Client } from "../call/client.ts";
import { ClientError, isSnapshotNotFound, SnapshotStateError } from "../errors.ts";
import { type CompleteSnapshotInput, completeSnapshot } from "./ebs-operations.ts";
import { describeSnapshots } from "./ec2-operations.ts";
import { onceKnown, UNKNOWN_MS_MAX } from "./once-known.ts";

const POLL_MS_FIRST = 50;
const POLL_MS_MAX = 5_000;

/** What to wait for, and for how long. */
export interface WaitOptions extends CallOptions {
  /** Milliseconds; default half an hour. */
  readonly timeoutMs?: number | undefined;
  /**
   * What the snapshot was completed with just now. It is there, then: a service that does not
   * know of it yet is asked again, for up to two minutes. And where it cannot be described, since
   * that is not permitted or the address does not know the operations of EC2 (as AWS's of EBS does
   * not), completing it once more with the same tells its state, too.
   */
  readonly completion?: CompleteSnapshotInput | undefined;
}

/**
 * Resolves when a snapshot is completed. Throws a `SnapshotStateError` when it ends in `error`,
 * with the service's reason, or when it is still `pending` at the end of the time. Where there is
 * no such snapshot, that is thrown at once, unless `completion` says that there is.
 */
export async function waitForSnapshot(
  client: Client,
  snapshotId: string,
  options: WaitOptions = {},
): Promise<void> {
  const { timeoutMs = WAIT_MS_DEFAULT, signal } = options;
  const { clock } = client;
  const endMs = clock.monotonicMs() + timeoutMs;
  // Only until it has been seen: from then on an unknown snapshot is a deleted one.
  let unknownMs = options.completion === undefined ? 0 : Math.min(timeoutMs, UNKNOWN_MS_MAX);
  for (let pollMs = POLL_MS_FIRST; ; pollMs = Math.min(POLL_MS_MAX, pollMs * 2)) {
    const read = () => readState(client, snapshotId, options);
    const { state, why } = await onceKnown(client, read, { timeoutMs: unknownMs, signal });
    unknownMs = 0;
    if (state === "completed") return;
    if (state === "error") {
      const message = `Snapshot ${snapshotId} ended in the state error: ${why}.`;
      throw new SnapshotStateError(message, snapshotId, state);
    }
    if (clock.monotonicMs() + pollMs > endMs) {
      const message = `Snapshot ${snapshotId} is still pending after ${timeoutMs / 1000} s.`;
      throw new SnapshotStateError(message, snapshotId, "pending");
    }
    await clock.sleep(pollMs, signal);
  }
}

async function readState(
  client: Client,
  snapshotId: string,
  { completion, signal }: WaitOptions,
): Promise<{ readonly state: string; readonly why: string }> {
  const noReason = "the service gives no reason";
  try {
    const { Snapshots } = await describeSnapshots(
      client,
      { SnapshotIds: [snapshotId] },
      { signal },
    );
    const { State: state = "pending", StateMessage: why = noReason } = Snapshots[0] ?? {};
    return { state, why };
  } catch (error) {
    if (!isRefusal(error) || completion === undefined) throw error;
  }
  const { Status } = await completeSnapshot(client, snapshotId, completion, { signal });
  return { state: Status, why: noReason };
}

/** True when the service answers, but neither with the snapshot nor that there is none. */
function isRefusal(error: unknown): boolean {
  return error instanceof ClientError && error.kind === "service" && !isSnapshotNotFound(error);
}
