import { repeat } from "../../base/clock.ts";
import { COLLECT_GRACE_SECONDS_DEFAULT, PUT_OFF_SEALING_INTERVAL_MS } from "../../model/limits.ts";
import type { Logger } from "../../model/log.ts";
import type { Core } from "../core.ts";
import { emptyRecycleBin } from "../recycle-bin.ts";
import { expireSnapshots, forgetSettledWrites } from "./expire-snapshots.ts";

/** How often there is a look for snapshots whose time is up, and for what they leave behind. */
const CHORE_INTERVAL_MS = 1_000;
/** How often there is a look for room on a disk that was full. */
const DISK_INTERVAL_MS = 1_000;
/** How often sealings that failed, for example on a full disk, are tried again. */
const SEAL_RETRY_INTERVAL_MS = 10_000;

/** The same where several processes serve: one that is no more left some, and somebody waits. */
const TAKE_OVER_INTERVAL_MS = 2_000;
/** How often there is a look for what other processes have changed. */
const REFRESH_INTERVAL_MS = 1_000;

/** How often the age of the secrets that mint tokens is looked at. */
const TOKEN_SECRETS_INTERVAL_MS = 3_600_000;

/** What differs from service to service. */
export interface Chores {
  readonly lookForRoom: () => Promise<void>;
  /** 0 for never. */
  readonly collectMinutes: number;
  /** 0 for never. */
  readonly tokenSecretDays: number;
  /** What `expireSnapshots` takes: how late a pending snapshot times out. */
  readonly timeoutMs: Parameters<typeof expireSnapshots>[1];
  /** True where sealings are put off, as the emulated AWS takes its time. */
  readonly putsOffSealings: boolean;
  /** True where other processes serve the same store. */
  readonly isShared: boolean;
}

/** What has to be done again and again while the service runs. */
export function startChores(
  core: Core,
  log: Logger,
  { lookForRoom, collectMinutes, tokenSecretDays, timeoutMs, ...chores }: Chores,
): { stop(): Promise<void> }[] {
  const every = (intervalMs: number, name: string, work: () => Promise<void>) =>
    repeat(core.clock, intervalMs, {
      work,
      onError: (error) => log(`${name} failed`, { error }),
    });
  /** What one process does for all. */
  const led = (intervalMs: number, name: string, work: () => Promise<void>) =>
    every(intervalMs, name, async () => {
      if (core.leads()) await work();
    });
  const retryMs = chores.isShared ? TAKE_OVER_INTERVAL_MS : SEAL_RETRY_INTERVAL_MS;
  return [
    every(DISK_INTERVAL_MS, "Looking for room on the disk", lookForRoom),
    led(CHORE_INTERVAL_MS, "Timing out pending snapshots", () => expireSnapshots(core, timeoutMs)),
    led(CHORE_INTERVAL_MS, "Forgetting settled writes", () => forgetSettledWrites(core)),
    led(CHORE_INTERVAL_MS, "Emptying the recycle bin", () => emptyRecycleBin(core)),
    led(CHORE_INTERVAL_MS, "Journaling", () => core.journaler.flush()),
    led(CHORE_INTERVAL_MS, "Destroying encryption keys", () => core.keys.destroyDue()),
    every(retryMs, "Looking for sealings", () => core.sealer.resume(core.leads())),
    led(retryMs, "Looking for copies", () => core.copier.resume()),
    every(CHORE_INTERVAL_MS, "Looking for collections", () => core.collections.takeUp()),
    led(TOKEN_SECRETS_INTERVAL_MS, "Rotating the secrets of tokens", async () => {
      await core.tokenSecrets.dropExpired();
      if (tokenSecretDays > 0) await core.tokenSecrets.rotateDue(tokenSecretDays);
    }),
    ...(collectMinutes > 0
      ? [led(collectMinutes * 60_000, "Collecting", () => collect(core))]
      : []),
    ...(chores.isShared
      ? [
          every(REFRESH_INTERVAL_MS, "Looking at other processes' changes", async () => {
            await core.tokenSecrets.refresh();
            await core.blocks.refreshDamaged();
          }),
        ]
      : []),
    ...(chores.putsOffSealings
      ? [
          every(PUT_OFF_SEALING_INTERVAL_MS, "Looking for sealings put off", () =>
            core.sealer.resumePutOff(),
          ),
        ]
      : []),
  ];
}

async function collect({ collector }: Core): Promise<void> {
  const graceSeconds = COLLECT_GRACE_SECONDS_DEFAULT;
  await collector.collect({ graceSeconds, isDryRun: false });
}
