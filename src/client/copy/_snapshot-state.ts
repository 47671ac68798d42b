import { describeSnapshots } from "../api/ec2-operations.ts";
import type { CallOptions, Client } from "../call/client.ts";
import { integrityError, isSnapshotNotFound } from "../errors.ts";

/**
 * True where the service says that there is no snapshot of that id; false where it says what is
 * there. Throws where it says neither: unknown is not gone.
 */
export async function isGone(
  client: Client,
  snapshotId: string,
  options: CallOptions,
): Promise<boolean> {
  try {
    const { Snapshots } = await describeSnapshots(client, { SnapshotIds: [snapshotId] }, options);
    if (Snapshots.some(({ SnapshotId }) => SnapshotId === snapshotId)) return false;
  } catch (error) {
    if (isSnapshotNotFound(error)) return true;
    throw error;
  }
  const message = `The service does not tell whether there is a snapshot ${snapshotId}.`;
  throw integrityError("DescribeSnapshots", message);
}

/** A snapshot's state; undefined when there is none of that id. */
export async function stateOf(
  client: Client,
  snapshotId: string,
  options: CallOptions,
): Promise<string | undefined> {
  try {
    const { Snapshots } = await describeSnapshots(client, { SnapshotIds: [snapshotId] }, options);
    return Snapshots[0]?.State;
  } catch (error) {
    if (isSnapshotNotFound(error)) return undefined;
    throw error;
  }
}
