import * as ebs from "@aws-sdk/client-ebs";
import * as ec2 from "@aws-sdk/client-ec2";
import * as sts from "@aws-sdk/client-sts";
import type { Service } from "../../src/service.ts";
import type { Driver, Members } from "../api/cycle.ts";
import { checksumOfBlock } from "./blocks.ts";
import { sdkOptions } from "./service.ts";

/** Blocks put at once. */
const PUTS_AT_ONCE = 16;

type AnyClient = { send(command: unknown): Promise<Members>; destroy(): void };
type AnyCommand = new (input: Members) => unknown;

/** AWS's SDK for JavaScript, an operation at a time. */
export function jsSdkDriver(service: Service): Driver & { destroy(): void } {
  const options = sdkOptions(service);
  const ebsClient = new ebs.EBSClient(options);
  const ec2Client = new ec2.EC2Client(options);
  const stsClient = new sts.STSClient(options);
  const clients = { ebs: ebsClient, ec2: ec2Client, sts: stsClient };
  const modules = { ebs, ec2, sts } as const;
  const driver: Driver = {
    async call(name, operation, input) {
      const Command = modules[name][`${operation}Command` as never] as AnyCommand;
      const output = await (clients[name] as unknown as AnyClient).send(new Command(input));
      return JSON.parse(JSON.stringify(output)) as Members;
    },
    putBlock: (input, bytes) => driver.call("ebs", "PutSnapshotBlock", withBytes(input, bytes)),
    async getBlock(input) {
      const command = new ebs.GetSnapshotBlockCommand(input as never);
      const { BlockData, ...output } = await ebsClient.send(command);
      return { output, bytes: (await BlockData?.transformToByteArray()) as Uint8Array };
    },
    async putMany(SnapshotId, blocks) {
      const waiting = [...blocks];
      const work = async () => {
        for (let next = waiting.pop(); next; next = waiting.pop()) {
          const [BlockIndex, bytes] = next;
          const Checksum = checksumOfBlock(bytes);
          const input = { SnapshotId, BlockIndex, Checksum, ChecksumAlgorithm: "SHA256" };
          await driver.putBlock({ ...input, DataLength: bytes.length }, bytes);
        }
      };
      await Promise.all(Array.from({ length: PUTS_AT_ONCE }, work));
    },
    async waitUntilCompleted(snapshotId) {
      const waiter = { client: ec2Client, maxWaitTime: 60, minDelay: 1, maxDelay: 1 };
      await ec2.waitUntilSnapshotCompleted(waiter, { SnapshotIds: [snapshotId] });
    },
  };
  return {
    ...driver,
    destroy() {
      for (const client of Object.values(clients)) client.destroy();
    },
  };
}

/** Bytes are no JSON: the block goes in beside the other members. */
function withBytes(input: Members, bytes: Uint8Array): Members {
  return { ...input, BlockData: bytes };
}
