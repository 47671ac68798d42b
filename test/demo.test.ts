import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { test } from "node:test";

const hasTools = ["mkfs.ext4", "debugfs", "e2fsck"].every((tool) => {
  const PATH = `${process.env["PATH"]}:/usr/sbin:/sbin`;
  return spawnSync(tool, ["-V"], { env: { ...process.env, PATH } }).error === undefined;
});
const needed = "e2fsprogs (mkfs.ext4, debugfs, e2fsck) is not installed";

test("the demo takes a real file system in and brings two states of it back", (t) => {
  if (!hasTools) {
    assert.notEqual(process.env["CI"], "true", `CI has the tools: ${needed}`);
    t.skip(needed);
    return;
  }
  const demo = join(import.meta.dirname, "..", "scripts", "demo.ts");
  const args = [demo, "--size-gib", "1", "--files-mib", "96"];
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { encoding: "utf8" });
  assert.equal(status, 0, `${stdout}\n${stderr}`);
  assert.match(stdout, /monday\.restored\.raw equals monday\.raw/);
  assert.match(stdout, /tuesday\.restored\.raw equals tuesday\.raw/);
});
