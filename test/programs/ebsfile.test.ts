import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { MKFS, makeFileSystem, uploaded } from "../support/file-system.ts";
import { goProgram } from "../support/go.ts";
import { built, reasonToSkip, run } from "../support/program.ts";
import { awsEnvironment, startService } from "../support/service.ts";

const program = goProgram("ebsfile", join(import.meta.dirname, "ebsfile"));
const skip = await reasonToSkip([...program.tools, MKFS]);

test("go-ebs-file reads a file system inside a snapshot, file by file", { skip }, async (t) => {
  const command = await built(program);
  const service = await startService(t);
  const { image, digests } = await makeFileSystem(t);
  const snapshotId = await uploaded(service, image);
  const { stdout } = await run([...command, snapshotId], { env: awsEnvironment(service) });
  const lines = stdout.trim().split("\n");
  const read = lines.map((line) => JSON.parse(line) as { path: string; sha256: string });
  assert.deepEqual(new Map(read.map(({ path, sha256 }) => [path, sha256])), digests);
});
