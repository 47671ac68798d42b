import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { test } from "node:test";
import { checksumOfBlock } from "../support/blocks.ts";
import { findPythonTools } from "../support/python.ts";
import { awsEnvironment, startService } from "../support/service.ts";
import { type Driver, type Members, runCycle } from "./cycle.ts";

const tools = await findPythonTools();
const skip = typeof tools === "string" ? tools : false;

test("boto3 goes through the full cycle", { skip }, async (t) => {
  if (typeof tools === "string") return;
  const env = { ...process.env, ...awsEnvironment(await startService(t)) };
  const script = join(import.meta.dirname, "boto3_cycle.py");
  const child = spawn(tools.python, [script], { env });
  child.stderr.pipe(process.stderr);
  t.after(async () => {
    child.stdin.end();
    if (child.exitCode === null) await once(child, "exit");
  });
  await runCycle(t, boto3Driver(child));
});

interface Answer {
  readonly output: Members;
  readonly body?: string;
  readonly error?: { readonly code: string; readonly message: string };
}

/** boto3 in a process of its own, asked one question after another. */
function boto3Driver(child: ChildProcessWithoutNullStreams): Driver {
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  async function ask(request: Members): Promise<Answer> {
    child.stdin.write(`${JSON.stringify(request)}\n`);
    const line = await lines.next();
    if (line.done) throw new Error("boto3_cycle.py has ended; its standard error says why");
    const answer = JSON.parse(line.value) as Answer;
    if (!answer.error) return answer;
    throw Object.assign(new Error(answer.error.message), { name: answer.error.code });
  }
  const driver: Driver = {
    async call(service, operation, input) {
      return (await ask({ service, operation, input })).output;
    },
    async putBlock(input, bytes) {
      const body = Buffer.from(bytes).toString("base64");
      return (await ask({ service: "ebs", operation: "PutSnapshotBlock", input, body })).output;
    },
    async getBlock(input) {
      const { output, body = "" } = await ask({
        service: "ebs",
        operation: "GetSnapshotBlock",
        input,
      });
      return { output, bytes: Buffer.from(body, "base64") };
    },
    async putMany(SnapshotId, blocks) {
      for (const [BlockIndex, bytes] of blocks) {
        const sums = { Checksum: checksumOfBlock(bytes), ChecksumAlgorithm: "SHA256" };
        await driver.putBlock({ SnapshotId, BlockIndex, DataLength: bytes.length, ...sums }, bytes);
      }
    },
    async waitUntilCompleted(snapshotId) {
      await ask({ service: "ec2", operation: "wait", input: { SnapshotIds: [snapshotId] } });
    },
  };
  return driver;
}
