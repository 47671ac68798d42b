import { repeat } from "../base/clock.ts";
import { COLLECT_GRACE_SECONDS_DEFAULT, PUT_OFF_SEALING_INTERVAL_MS } from "../model/limits.ts";
import type { Logger } from "../model/log.ts";
import type { Core } from "./core.ts";
import { expireSnapshots, forgetSettledWrites } from "./expire-snapshots.ts";
import { emptyRecycleBin } from "./recycle-bin.ts";

/** How often there is a look for snapshots whose time is up, and for what they leave behind. */
const CHORE_INTERVAL_MS = 1_000;
/** How often there is a look for room on a disk that was full. */
const DISK_INTERVAL_MS = 1_000;
/** How often sealings that failed, for example on a full disk, are tried again. */
const SEAL_RETRY_INTERVAL_MS = 10_000;

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
}

/** What has to be done again and again while the service runs. */
export function startChores(
  core: Core,
  log: Logger,
  { lookForRoom, collectMinutes, tokenSecretDays, timeoutMs, putsOffSealings }: Chores,
): { stop(): Promise<void> }[] {
  const every = (intervalMs: number, name: string, work: () => Promise<void>) =>
    repeat(core.clock, intervalMs, {
      work,
      onError: (error) => log(`${name} failed`, { error }),
    });
  return [
    every(DISK_INTERVAL_MS, "Looking for room on the disk", lookForRoom),
    every(CHORE_INTERVAL_MS, "Timing out pending snapshots", () =>
      expireSnapshots(core, timeoutMs),
    ),
    every(CHORE_INTERVAL_MS, "Forgetting settled writes", () => forgetSettledWrites(core)),
    every(CHORE_INTERVAL_MS, "Emptying the recycle bin", () => emptyRecycleBin(core)),
    every(CHORE_INTERVAL_MS, "Journaling", () => core.journaler.flush()),
    every(CHORE_INTERVAL_MS, "Destroying encryption keys", () => core.keys.destroyDue()),
    every(SEAL_RETRY_INTERVAL_MS, "Looking for sealings", () => core.sealer.resume()),
    every(SEAL_RETRY_INTERVAL_MS, "Looking for copies", () => core.copier.resume()),
    every(TOKEN_SECRETS_INTERVAL_MS, "Rotating the secrets of tokens", async () => {
      await core.tokenSecrets.dropExpired();
      if (tokenSecretDays > 0) await core.tokenSecrets.rotateDue(tokenSecretDays);
    }),
    ...(collectMinutes > 0
      ? [every(collectMinutes * 60_000, "Collecting", () => collect(core))]
      : []),
    ...(putsOffSealings
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
