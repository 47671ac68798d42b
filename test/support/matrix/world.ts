import assert from "node:assert/strict";
import { admin, newAccount, newEncryptionKey, policyOf, withNewKey } from "../keys.ts";
import { MovingClock } from "../moving-clock.ts";
import { actionParts, blockToken, kmsParts, send, snapshotOf, start } from "../operations.ts";
import { blockContents } from "../property.ts";
import type { Target } from "../raw-http.ts";
import { startService } from "../service.ts";
import { asRole, elementOf, withSession } from "../sessions.ts";
import type { Cleanup } from "../temporary-directory.ts";

/*
 * A service with everything that somebody may or may not be allowed to touch, and every kind of
 * caller there is. The first account owns what the requests are about.
 */

/** One column of the authorization matrix. */
export type CallerName =
  | "no signature"
  | "a bad signature"
  | "another account"
  | "a key denied explicitly"
  | "a key allowed nothing"
  | "an inactive key"
  | "a deleted key"
  | "an expired session"
  | "a session of an inactive key"
  | "a session of a deleted key"
  | "a session denied by its policy"
  | "a session its policy allows nothing"
  | "an account it is shared with"
  | "a key allowed just this"
  | "a session of the owner"
  | "the owner";

/** All of them. */
export const CALLERS: readonly CallerName[] = [
  "no signature",
  "a bad signature",
  "another account",
  "a key denied explicitly",
  "a key allowed nothing",
  "an inactive key",
  "a deleted key",
  "an expired session",
  "a session of an inactive key",
  "a session of a deleted key",
  "a session denied by its policy",
  "a session its policy allows nothing",
  "an account it is shared with",
  "a key allowed just this",
  "a session of the owner",
  "the owner",
];

/** Who calls: the service as they reach it, and a completed snapshot of their own account. */
export interface Caller {
  readonly target: Target;
  readonly account: string;
  readonly own: string;
}

/** The service, what is in it, and who calls. */
export interface World {
  readonly service: Target;
  readonly account: string;
  /** Completed snapshots, one the parent of the other, of the first account. */
  readonly parent: string;
  readonly child: string;
  /** Of block 0 of the parent. */
  readonly token: string;
  readonly block: Uint8Array;
  /** An account that sees the two, and every other snapshot shared by `share`. */
  readonly recipient: string;
  readonly callers: Readonly<Record<CallerName, Caller>>;
}

/** A key that may do everything but what the service is there for. */
const DENYING = policyOf(
  { Action: "*" },
  {
    Effect: "Deny",
    Action: ["ebs:*", "ec2:*", "kms:*", "sts:AssumeRole", "sts:GetFederationToken"],
  },
);
const NOTHING = policyOf({ Action: "s3:*" });

/** Opens the service and makes everything in it. */
export async function openWorld(t: Cleanup): Promise<World> {
  const clock = new MovingClock();
  const opened = await startService(t, { clock, recycleBinDays: 1 });
  const service: Target = { ...opened, clock };
  const { account } = opened.firstKey.key;
  const block = blockContents(1);
  const parent = await snapshotOf(service, new Map([[0, block]]));
  const child = await snapshotOf(service, new Map([[1, block]]), { ParentSnapshotId: parent });
  const token = await blockToken(service, parent, 0);
  // The first of all, so that it ends before any other.
  const expired = await withSession(service, "GetSessionToken", { DurationSeconds: "900" });
  clock.advance(901_000);
  const [stranger, recipient] = [await account_(service), await account_(service)];
  const owners = (target: Target): Caller => ({ target, account, own: child });
  const [inactive, deleted] = [await revocable(service), await revocable(service)];
  const keyPath = ({ target }: { target: Target }) => `/keys/${target.firstKey.key.accessKeyId}`;
  await admin(service, ["POST", keyPath(inactive)], { Status: "Inactive" });
  await admin(service, ["DELETE", keyPath(deleted)]);
  const { accessKeyId } = service.firstKey.key;
  const liar = { ...service, firstKey: { key: { accessKeyId, secretAccessKey: "not it" } } };
  const world: World = {
    ...{ service, account, parent, child, token, block, recipient: recipient.account },
    callers: {
      "no signature": owners(service),
      "a bad signature": owners(liar),
      "another account": stranger,
      "a key denied explicitly": owners(await withNewKey(service, { policy: DENYING })),
      "a key allowed nothing": owners(await withNewKey(service, { policy: NOTHING })),
      "an inactive key": owners(inactive.target),
      "a deleted key": owners(deleted.target),
      "an expired session": owners(expired),
      "a session of an inactive key": owners(inactive.session),
      "a session of a deleted key": owners(deleted.session),
      "a session denied by its policy": owners(await asRole(service, account, DENYING)),
      "a session its policy allows nothing": owners(await asRole(service, account, NOTHING)),
      "an account it is shared with": recipient,
      // Takes a key for each action; made where it is used.
      "a key allowed just this": owners(service),
      "a session of the owner": owners(await withSession(service, "GetSessionToken")),
      "the owner": owners(service),
    },
  };
  for (const id of [parent, child]) await share(world, id);
  return world;
}

/** An account of its own, with a completed snapshot. */
async function account_(service: Target): Promise<Caller> {
  const account = await newAccount(service);
  const target = await withNewKey(service, { account });
  return { target, account, own: await snapshotOf(target, new Map()) };
}

/** A key that is about to be revoked, and a session of it. */
async function revocable(service: Target): Promise<{ target: Target; session: Target }> {
  const target = await withNewKey(service);
  return { target, session: await withSession(target, "GetSessionToken") };
}

/** Shares a snapshot of the first account with the recipient. */
export async function share(world: World, snapshotId: string): Promise<void> {
  await ec2(world, "ModifySnapshotAttribute", {
    SnapshotId: snapshotId,
    Attribute: "createVolumePermission",
    OperationType: "add",
    "UserId.1": world.recipient,
  });
}

/** A new snapshot of the first account, pending, shared with the recipient. */
export async function pending(world: World): Promise<string> {
  const id = await start(world.service);
  await share(world, id);
  return id;
}

/** The same, completed. */
export async function completed(world: World): Promise<string> {
  const id = await snapshotOf(world.service, new Map());
  await share(world, id);
  return id;
}

/** A new encryption key of the first account; answers its id. */
export function encryptionKey({ service }: World): Promise<string> {
  return newEncryptionKey(service);
}

/** The same, about to be destroyed. */
export async function endingKey(world: World): Promise<string> {
  const KeyId = await encryptionKey(world);
  const parts = kmsParts("ScheduleKeyDeletion", { KeyId });
  const { status, text } = await send(world.service, parts, { service: "kms" });
  assert.equal(status, 200, text);
  return KeyId;
}

let imageCount = 0;

/** A new image of the first account, which the recipient may use. */
export async function sharedImage(world: World): Promise<string> {
  const id = await image(world);
  const member = { "LaunchPermission.Add.1.UserId": world.recipient };
  await ec2(world, "ModifyImageAttribute", { ImageId: id, ...member });
  return id;
}

/** A new image of the first account. */
export async function image(world: World): Promise<string> {
  const name = `image ${++imageCount}`;
  const mapping = { "BlockDeviceMapping.1.Ebs.SnapshotId": world.parent };
  const members = { Name: name, "BlockDeviceMapping.1.DeviceName": "/dev/xvda", ...mapping };
  return elementOf(await ec2(world, "RegisterImage", members), "imageId");
}

/** An action of EC2 that the first account carries out; answers its XML. */
export async function ec2(
  { service }: Pick<World, "service">,
  action: string,
  members: Record<string, string>,
): Promise<string> {
  const { status, text } = await send(service, actionParts(action, members), { service: "ec2" });
  assert.equal(status, 200, text);
  return text;
}
