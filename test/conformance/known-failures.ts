import type { Result } from "./_run.ts";

/** What Varve is known to answer otherwise, each with the reason; the list may only shrink. */
export const KNOWN_FAILURES: readonly { readonly id: RegExp; readonly reason: string }[] = [];

/** Failures that nothing excuses. */
export function unexpectedFailures(results: readonly Result[]): Result[] {
  return results.filter(({ id, verdict }) => {
    return verdict === "fail" && !KNOWN_FAILURES.some((known) => known.id.test(id));
  });
}

/** Reasons that no longer excuse anything, because what they name holds now. */
export function spentReasons(results: readonly Result[]): string[] {
  const failed = results.filter(({ verdict }) => verdict === "fail").map(({ id }) => id);
  return KNOWN_FAILURES.filter((known) => !failed.some((id) => known.id.test(id))).map(
    ({ reason }) => reason,
  );
}
