import assert from "node:assert/strict";
import { test } from "node:test";
import type { AccountId } from "../../model/ids.ts";
import type { Image } from "../../model/image.ts";
import { imageMatcher, unknownImageFilters } from "./image-filters.ts";

const IMAGE: Image = {
  id: "ami-0123",
  account: "111122223333" as AccountId,
  name: "nixos/24.11",
  description: "for tests",
  creationTimeMs: Date.UTC(2026, 0, 2),
  rootDeviceName: "/dev/xvda",
  devices: [
    { deviceName: "/dev/xvda", snapshotId: "snap-01", settings: { volumeSize: "8" } },
    { deviceName: "/dev/xvdb", snapshotId: undefined, settings: { virtualName: "ephemeral0" } },
  ],
  settings: {
    architecture: "arm64",
    virtualizationType: "hvm",
    bootMode: "uefi",
    sriovNetSupport: "simple",
  },
  tags: [{ Key: "fleet", Value: "blue" }],
  grantees: ["all"],
  source: { imageId: "ami-0456", clientToken: undefined },
};

const MATCHES: Readonly<Record<string, string | undefined>> = {
  architecture: "arm64",
  "block-device-mapping.delete-on-termination": undefined,
  "block-device-mapping.device-name": "/dev/xvdb",
  "block-device-mapping.encrypted": "false",
  "block-device-mapping.snapshot-id": "snap-01",
  "block-device-mapping.volume-size": "8",
  "block-device-mapping.volume-type": undefined,
  "boot-mode": "uefi",
  "creation-date": "2026-01-02T*",
  description: "for ?ests",
  "ena-support": "false",
  hypervisor: "xen",
  "image-id": "ami-0123",
  "image-type": "machine",
  "is-public": "true",
  "kernel-id": undefined,
  "manifest-location": undefined,
  name: "nixos/*",
  "owner-alias": undefined,
  "owner-id": "111122223333",
  platform: undefined,
  "product-code": undefined,
  "product-code.type": undefined,
  "ramdisk-id": undefined,
  "root-device-name": "/dev/xvda",
  "root-device-type": "ebs",
  "source-image-id": "ami-0456",
  "sriov-net-support": "simple",
  state: "available",
  "tag-key": "fleet",
  "tag:fleet": "blue",
  "virtualization-type": "hvm",
};

for (const [Name, value] of Object.entries(MATCHES)) {
  test(`imageMatcher looks at ${Name}`, () => {
    const matches = (...Values: string[]) => imageMatcher([{ Name, Values }])(IMAGE);
    assert.deepEqual(unknownImageFilters([{ Name, Values: [] }]), []);
    assert.equal(matches("nothing of the kind"), false);
    assert.equal(matches("*"), value !== undefined);
    if (value !== undefined) assert.equal(matches("x", value), true);
  });
}

test("unknownImageFilters names what means nothing", () => {
  const filters = ["color", "toString", "tag:", "name"].map((Name) => ({ Name, Values: ["x"] }));
  assert.deepEqual(unknownImageFilters(filters), ["color", "toString"]);
});

test("imageMatcher tells a disabled image by its state", () => {
  const matches = imageMatcher([{ Name: "state", Values: ["disabled"] }]);
  assert.equal(matches(IMAGE), false);
  assert.equal(matches({ ...IMAGE, isDisabled: true }), true);
});
