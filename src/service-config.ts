import type { Clock } from "./base/clock.ts";
import type { Random } from "./base/random.ts";
import type { KeyPair } from "./identity/first-account.ts";
import type { KeyEncryptionKeySource } from "./keys/open-key-encryption-key.ts";
import type { LogEntry } from "./model/log.ts";
import type { ConsoleFiles } from "./server/console.ts";
import type { EmulationConfig } from "./server/emulation/emulation.ts";
import type { TlsIdentity } from "./server/http-server.ts";

/** What a service is made from. Read once; changing it later changes nothing. */
export interface ServiceConfig {
  /** Folder of the embedded store; made if missing. */
  readonly dataDirectory: string;
  readonly host: string;
  /** 0 takes any free port. */
  readonly port: number;
  /** The region this service runs as. */
  readonly region: string;
  /** What it proves with who it is; without, it speaks plain HTTP. */
  readonly tls?: TlsIdentity | undefined;
  /** A key pair to accept instead of minting one. */
  readonly keyPair?: KeyPair | undefined;
  /** What wraps the secrets of encryption keys; the default is kept in the data folder. */
  readonly keyEncryptionKey?: KeyEncryptionKeySource | undefined;
  /** What wrapped them so far, where that changes with this start. */
  readonly previousKeyEncryptionKey?: KeyEncryptionKeySource | undefined;
  /** Days that deleted snapshots stay in the recycle bin, at most 365; 0, the default, for none. */
  readonly recycleBinDays?: number | undefined;
  /** Minutes between two collections of garbage; 0 for none but those asked for. Default 60. */
  readonly collectMinutes?: number | undefined;
  /** Days in which all that is stored is read again, at most 365; default 30, 0 for never. */
  readonly scrubDays?: number | undefined;
  /** Days after which tokens are minted with new secrets, at most 3650; default 90, 0 for never. */
  readonly tokenSecretDays?: number | undefined;
  /** The built web console, by path; without it, /console says how it is built. */
  readonly consoleFiles?: ConsoleFiles | undefined;
  /** Quotas, delays and faults for testing clients; none unless given. */
  readonly emulation?: EmulationConfig | undefined;
  /** Where it is noted who did what; it is not unless given. */
  readonly audit?: AuditConfig | undefined;
  readonly clock?: Clock;
  readonly random?: Random;
  /** Takes each line of the log; the default writes JSON lines to standard error. */
  readonly log?: (entry: LogEntry) => void;
}

/** How it is noted who did what. */
export interface AuditConfig {
  /** A file that JSON lines are appended to; made if missing. */
  readonly path: string;
  /** True to note calls that read, write or list blocks, too. Default false. */
  readonly withData?: boolean | undefined;
}

/** A configuration together with the time and the chance it goes by. */
export type ClockedConfig = ServiceConfig & { readonly clock: Clock; readonly random: Random };
