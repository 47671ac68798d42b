import assert from "node:assert/strict";
import { inspect } from "node:util";
import { type LogEntry, openService, type Service } from "../../src/service.ts";
import { REGION } from "../support/service.ts";
import type { Story } from "./story.ts";
import { audit, verify } from "./verify.ts";

/** Opens what a server left behind, in this process; it has to open, and to log no error. */
export async function reopen<T>(
  directory: string,
  work: (service: Service) => Promise<T>,
): Promise<T> {
  const logged: LogEntry[] = [];
  const service = await openService({
    dataDirectory: directory,
    host: "127.0.0.1",
    port: 0,
    region: REGION,
    recycleBinDays: 1,
    log: (entry) => logged.push(entry),
  });
  let result: T;
  try {
    result = await work(service);
  } finally {
    await service.close();
  }
  assert.deepEqual(logged, [], `the service logged no error: ${inspect(logged[0])}`);
  return result;
}

/**
 * Looks whether a store holds what a story is owed, tells the story to its end there, and looks
 * again; also at stories told before. Answers how many blocks were read in the first look.
 */
export async function verifyAndFinish(
  directory: string,
  story: Story,
  before: readonly Story[] = [],
): Promise<number> {
  const blockCount = await reopen(directory, async (service) => {
    let found = 0;
    for (const told of [...before, story]) found += await verify(service.core, told);
    await story.run(service);
    for (const told of [...before, story]) await verify(service.core, told);
    return found;
  });
  audit(directory);
  return blockCount;
}
