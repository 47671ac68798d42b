import assert from "node:assert/strict";
import * as sdk from "@aws-sdk/client-ec2";
import type { Service } from "../../src/service.ts";
import type { Target } from "./raw-http.ts";
import { asSecondAccount } from "./second-account.ts";
import { sdkOptions } from "./service.ts";
import type { Cleanup } from "./temporary-directory.ts";

/* EC2 as AWS's SDK for JavaScript calls it, with images. */

/** Clients of the first and of the second account, closed when the test ends. */
export async function ec2Clients(
  t: Cleanup,
  service: Service,
): Promise<{ readonly ec2: sdk.EC2Client; readonly other: sdk.EC2Client }> {
  const ec2 = new sdk.EC2Client(sdkOptions(service));
  const other = new sdk.EC2Client(sdkOptions(await asSecondAccount(service)));
  t.after(() => [ec2, other].map((client) => client.destroy()));
  return { ec2, other };
}

/** A client with the key of a target, closed when the test ends. */
export function ec2ClientOf(t: Cleanup, service: Service, target: Target): sdk.EC2Client {
  const { key } = target.firstKey;
  const credentials = {
    accessKeyId: key.accessKeyId,
    secretAccessKey: key.secretAccessKey,
  };
  const client = new sdk.EC2Client({ ...sdkOptions(service), credentials });
  t.after(() => client.destroy());
  return client;
}

/** Registers an image of snapshots, a device for each; answers its id. */
export async function registerImage(
  ec2: sdk.EC2Client,
  snapshotIds: readonly string[],
  input: Partial<sdk.RegisterImageCommandInput> = {},
): Promise<string> {
  const BlockDeviceMappings = snapshotIds.map((SnapshotId, i) => ({
    DeviceName: `/dev/xvd${"abcdefgh"[i]}`,
    Ebs: { SnapshotId },
  }));
  const Name = `image of ${snapshotIds.join(" ")}`.slice(0, 128);
  const whole = { Name, Architecture: "x86_64" as const, BlockDeviceMappings, ...input };
  const { ImageId } = await ec2.send(new sdk.RegisterImageCommand(whole));
  assert.match(String(ImageId), /^ami-0[0-9a-f]{16}$/);
  return String(ImageId);
}

/** What DescribeImages says of one image; rejects if there is none. */
export async function imageOf(ec2: sdk.EC2Client, ImageId: string): Promise<sdk.Image> {
  const { Images } = await ec2.send(new sdk.DescribeImagesCommand({ ImageIds: [ImageId] }));
  assert.equal(Images?.length, 1);
  return Images?.[0] as sdk.Image;
}

/** The ids that a listing of images answers. */
export async function imageIds(
  ec2: sdk.EC2Client,
  input: sdk.DescribeImagesCommandInput = {},
): Promise<string[]> {
  const { Images = [] } = await ec2.send(new sdk.DescribeImagesCommand(input));
  return Images.map(({ ImageId }) => String(ImageId));
}

/** The snapshots that an image is made of, in the order of its devices. */
export function snapshotsOf({ BlockDeviceMappings = [] }: sdk.Image): string[] {
  return BlockDeviceMappings.map(({ Ebs }) => String(Ebs?.SnapshotId));
}
