// The real service in a process of its own, for tests that kill it: server.ts FOLDER. Prints one
// line of JSON when it listens, and ends only by a signal, or as `varve serve` does when the disk
// fails under its catalog.
import { openService } from "../../src/service.ts";

const service = await openService({
  dataDirectory: process.argv[2] as string,
  host: "127.0.0.1",
  port: 0,
  region: "us-east-1",
  recycleBinDays: Number(process.env["VARVE_TEST_RECYCLE_BIN_DAYS"] ?? 0),
});
void service.failed.then(() => process.exit(6));
const { endpoint, region, firstKey } = service;
process.stdout.write(`${JSON.stringify({ pid: process.pid, endpoint, region, firstKey })}\n`);
