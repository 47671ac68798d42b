import { setTimeout } from "node:timers/promises";

/** Asks again and again until the answer is as wanted; fails with the last one when it never is. */
export async function waitUntil<T>(
  ask: () => Promise<T>,
  isWanted: (answer: T) => boolean,
  { timeoutMs = 20_000 }: { readonly timeoutMs?: number } = {},
): Promise<T> {
  for (const startMs = performance.now(); ; await setTimeout(50)) {
    const answer = await ask();
    if (isWanted(answer)) return answer;
    if (performance.now() - startMs > timeoutMs) {
      throw new Error(`It never was as wanted; at last: ${JSON.stringify(answer)}`);
    }
  }
}
