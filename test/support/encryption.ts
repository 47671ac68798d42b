import { setTimeout } from "node:timers/promises";
import * as ebs from "@aws-sdk/client-ebs";
import * as ec2 from "@aws-sdk/client-ec2";
import * as kms from "@aws-sdk/client-kms";
import { checksumOfBlock } from "./blocks.ts";
import type { Target } from "./raw-http.ts";
import type { Cleanup } from "./temporary-directory.ts";

/** AWS's own clients of the three services that encryption takes, and what tests do with them. */
export type Clients = ReturnType<typeof clientsOf>;

/** Attempts are made once: a test wants to see each answer. */
export function clientsOf(t: Cleanup, { endpoint, region, firstKey }: Target) {
  const { accessKeyId, secretAccessKey } = firstKey.key;
  const credentials = { accessKeyId, secretAccessKey };
  const options = { endpoint, region, credentials, maxAttempts: 1 };
  const keys = new kms.KMSClient(options);
  const blocks = new ebs.EBSClient(options);
  const snapshots = new ec2.EC2Client(options);
  t.after(() => [keys, blocks, snapshots].map((client) => client.destroy()));
  const clients = { keys, blocks, snapshots };
  return {
    ...clients,
    /** Makes a key; answers its ARN. */
    async key(Description = ""): Promise<string> {
      const { KeyMetadata } = await keys.send(new kms.CreateKeyCommand({ Description }));
      return KeyMetadata?.Arn ?? "none";
    },
    start: (input: Partial<ebs.StartSnapshotRequest> = {}) =>
      blocks.send(new ebs.StartSnapshotCommand({ VolumeSize: 1, ...input })),
    put: (SnapshotId: string, BlockIndex: number, BlockData: Uint8Array) =>
      blocks.send(
        new ebs.PutSnapshotBlockCommand({
          ...{ SnapshotId, BlockIndex, BlockData, DataLength: BlockData.length },
          Checksum: checksumOfBlock(BlockData),
          ChecksumAlgorithm: "SHA256",
        }),
      ),
    complete: (SnapshotId: string, ChangedBlocksCount: number) =>
      blocks.send(new ebs.CompleteSnapshotCommand({ SnapshotId, ChangedBlocksCount })),
    list: (SnapshotId: string) => blocks.send(new ebs.ListSnapshotBlocksCommand({ SnapshotId })),
    changed: (FirstSnapshotId: string, SecondSnapshotId: string) =>
      blocks.send(new ebs.ListChangedBlocksCommand({ FirstSnapshotId, SecondSnapshotId })),
    get: (SnapshotId: string, BlockIndex: number, BlockToken: string) =>
      blocks.send(new ebs.GetSnapshotBlockCommand({ SnapshotId, BlockIndex, BlockToken })),
    async describe(id: string): Promise<ec2.Snapshot> {
      const command = new ec2.DescribeSnapshotsCommand({ SnapshotIds: [id] });
      return (await snapshots.send(command)).Snapshots?.[0] ?? {};
    },
    async copy(SourceSnapshotId: string, input: Partial<ec2.CopySnapshotRequest> = {}) {
      const named = { SourceRegion: region, SourceSnapshotId, ...input };
      return (await snapshots.send(new ec2.CopySnapshotCommand(named))).SnapshotId ?? "none";
    },
    byDefault: (isOn: boolean) =>
      snapshots.send(
        isOn
          ? new ec2.EnableEbsEncryptionByDefaultCommand({})
          : new ec2.DisableEbsEncryptionByDefaultCommand({}),
      ),
    share: (SnapshotId: string, account: string | "all") =>
      snapshots.send(
        new ec2.ModifySnapshotAttributeCommand({
          ...{ SnapshotId, Attribute: "createVolumePermission", OperationType: "add" },
          ...(account === "all" ? { GroupNames: ["all"] } : { UserIds: [account] }),
        }),
      ),
  };
}

/** A completed snapshot with these blocks. */
export async function writeSnapshot(
  clients: Clients,
  contents: ReadonlyMap<number, Uint8Array>,
  input: Partial<ebs.StartSnapshotRequest> = {},
): Promise<string> {
  const { SnapshotId: id = "" } = await clients.start(input);
  for (const [blockIndex, bytes] of contents) await clients.put(id, blockIndex, bytes);
  await clients.complete(id, contents.size);
  await stateOf(clients, id);
  return id;
}

/** The state of a snapshot that is pending no longer. */
export async function stateOf(clients: Clients, id: string): Promise<string | undefined> {
  for (;;) {
    const { State } = await clients.describe(id);
    if (State !== "pending") return State;
    await setTimeout(50);
  }
}

/** All blocks of a snapshot, read one by one. */
export async function readSnapshot(clients: Clients, id: string): Promise<Map<number, Buffer>> {
  const contents = new Map<number, Buffer>();
  const { Blocks = [] } = await clients.list(id);
  for (const { BlockIndex = 0, BlockToken = "" } of Blocks) {
    const { BlockData } = await clients.get(id, BlockIndex, BlockToken);
    contents.set(BlockIndex, Buffer.from((await BlockData?.transformToByteArray()) ?? []));
  }
  return contents;
}
