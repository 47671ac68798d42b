import { spawn } from "node:child_process";

/*
 * A lock on an open file that the system takes back when its holder dies, however that happens.
 * Node has no flock, so Perl or the `flock` of util-linux calls it on the descriptor that they
 * inherit: the lock belongs to what is open, and stays with this process when they end.
 */

/** What came of asking for a lock; `unknown` where nothing on this machine can ask for one. */
export type LockOutcome = "locked" | "held" | "unknown";

/** LOCK_EX and LOCK_NB of flock, on every system that has it. */
const EXCLUSIVE_AT_ONCE = 2 + 4;
/** Milliseconds for a helper that only makes one call of the system. */
const HELPER_MS_MAX = 10_000;
const HELPER_FD = 3;

const HELPERS: readonly (readonly [command: string, ...args: string[]])[] = [
  [
    "perl",
    "-e",
    `open(my $file, "<&=", ${HELPER_FD}) or exit 9; ` +
      `exit(flock($file, ${EXCLUSIVE_AT_ONCE}) ? 0 : $!{EWOULDBLOCK} ? 1 : 9)`,
  ],
  ["flock", "-n", String(HELPER_FD)],
];

/** Locks an open file for as long as it stays open, or tells that somebody else has. */
export async function lockFile(fd: number): Promise<LockOutcome> {
  for (const [command, ...args] of HELPERS) {
    const code = await exitCodeOf(command, args, fd);
    if (code === 0) return "locked";
    if (code === 1) return "held";
  }
  return "unknown";
}

function exitCodeOf(
  command: string,
  args: readonly string[],
  fd: number,
): Promise<number | undefined> {
  const child = spawn(command, args, {
    stdio: ["ignore", "ignore", "ignore", fd],
    env: { PATH: process.env["PATH"] },
    timeout: HELPER_MS_MAX,
  });
  return new Promise((resolve) => {
    child.once("error", () => resolve(undefined));
    child.once("exit", (code) => resolve(code ?? undefined));
  });
}
