import type { Clock } from "./base/clock.ts";
import type { Random } from "./base/random.ts";
import type { KeyPair } from "./identity/first-account.ts";
import type { KeyEncryptionKeySource } from "./keys/open-key-encryption-key.ts";
import type { LogEntry, LogLevel } from "./model/log.ts";
import type { BucketAddress } from "./segments/bucket.ts";
import type { ConsoleFiles } from "./server/console.ts";
import type { EmulationConfig } from "./server/emulation/emulation.ts";
import type { TlsIdentity } from "./server/http-server.ts";
import type { MetricsAddress } from "./server/metrics-server.ts";

/** What a service is made from. Read once; changing it later changes nothing. */
export interface ServiceConfig {
  /** Folder of the embedded store; made if missing. Not looked at where `scaled` is given. */
  readonly dataDirectory?: string | undefined;
  /** The engines that hold the store, and that other processes may use at the same time. */
  readonly scaled?: ScaledStore | undefined;
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
  /** Where metrics are scraped; nowhere unless given. */
  readonly metrics?: MetricsAddress | undefined;
  /** Who is told what happens in the store; nobody unless given. */
  readonly webhook?: WebhookConfig | undefined;
  readonly clock?: Clock;
  readonly random?: Random;
  /** Takes each line of the log; the default writes JSON lines to standard error. */
  readonly log?: (entry: LogEntry) => void;
  /** What of it the default writes: errors, all (`info`, the default), or nothing. */
  readonly logLevel?: LogLevel | undefined;
  /** True to have a line in the log for each request that was answered. Default false. */
  readonly accessLog?: boolean | undefined;
}

/**
 * A store in two engines: segments in a bucket, the catalog in a database. Any number of processes
 * may serve it at once, each with the same of these.
 */
export interface ScaledStore {
  readonly bucket: BucketAddress;
  readonly catalog: PostgresAddress;
}

/** Where a catalog is. */
export interface PostgresAddress {
  /** `postgres://user@host:port/database`; what it leaves out comes from PGHOST and the like. */
  readonly connectionString: string;
  /** Kept out of the connection string, where it would be seen. */
  readonly password?: string | undefined;
}

/** How it is noted who did what. */
export interface AuditConfig {
  /** A file that JSON lines are appended to; made if missing. */
  readonly path: string;
  /** True to note calls that read, write or list blocks, too. Default false. */
  readonly withData?: boolean | undefined;
}

/** Who is told when snapshots are completed or fail, and when a damaged record is found. */
export interface WebhookConfig {
  /** Where notices are posted to; one with a user name or password in it is refused. */
  readonly url: string;
  /** What deliveries are signed with; without it they are not. */
  readonly secret?: string | undefined;
}

/** A configuration together with the time and the chance it goes by, and where its log goes. */
export type ClockedConfig = ServiceConfig & {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: (entry: LogEntry) => void;
};
