import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { GIB_BYTES } from "../../src/model/limits.ts";
import { MKFS, makeFileSystem, uploaded } from "../support/file-system.ts";
import { assertSameBytes } from "../support/image-file.ts";
import { built, type Program, reasonToSkip, run } from "../support/program.ts";
import { awsEnvironment, startService } from "../support/service.ts";

const sources = join(import.meta.dirname, "dsnap");

const dsnap: Program = {
  name: "dsnap",
  sources,
  tools: [{ show: ["python3", "-c", "import ensurepip, venv"] }],
  build: (output) => [
    { command: ["python3", "-m", "venv", output] },
    {
      command: [
        join(output, "bin/python"),
        ...["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"],
        ...["--requirement", join(sources, "requirements.txt")],
      ],
    },
  ],
  command: (output) => [join(output, "bin/dsnap")],
};

const skip = await reasonToSkip([...dsnap.tools, MKFS]);

test("dsnap lists, gets and deletes a snapshot", { skip }, async (t) => {
  const command = await built(dsnap);
  const service = await startService(t);
  const { image, folder } = await makeFileSystem(t);
  const snapshotId = await uploaded(service, image);
  const options = { env: awsEnvironment(service), cwd: folder };
  const call = async (...args: string[]) => (await run([...command, ...args], options)).stdout;

  const owner = service.firstKey.key.account;
  assert.match(await call("list"), new RegExp(`^${snapshotId} +${owner}`, "m"));
  assert.match(await call("get", snapshotId), new RegExp(`Output Path: .*${snapshotId}\\.img`));
  await assertSameBytes(join(folder, `${snapshotId}.img`), image, GIB_BYTES);
  assert.match(await call("delete", snapshotId), new RegExp(`Deleted snapshot ${snapshotId}`));
  assert.doesNotMatch(await call("list"), /snap-/);
  await assert.rejects(call("get", "--force", snapshotId), /SNAPSHOT_NOT_FOUND|does not exist/);
});
