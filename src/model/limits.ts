import { assert } from "../base/assert.ts";

/*
 * Every number of the system, with its unit and where it comes from. "AWS" means the published
 * service model or user guide of the EBS direct APIs; "ours" means chosen here, for the reason
 * given. Relations between the numbers are asserted at the end of the file.
 */

/** Bytes in a block: the unit of every read and write (AWS). */
export const BLOCK_SIZE_BYTES = 524_288;
/** Bytes of a buffer that holds a block with its record's header, and ends on a page (ours). */
export const BLOCK_BUFFER_BYTES = BLOCK_SIZE_BYTES + 4_096;
/** Bytes in a GiB. */
export const GIB_BYTES = 1_073_741_824;
/** Blocks in one GiB of volume. */
export const BLOCKS_PER_GIB = GIB_BYTES / BLOCK_SIZE_BYTES;
/** Smallest volume (AWS). */
export const VOLUME_SIZE_GIB_MIN = 1;
/** Largest volume, 64 TiB (AWS: io2 Block Express). */
export const VOLUME_SIZE_GIB_MAX = 65_536;

/** Minutes a pending snapshot may stay without a write (AWS). */
export const TIMEOUT_MINUTES_MIN = 10;
export const TIMEOUT_MINUTES_MAX = 4_320;
export const TIMEOUT_MINUTES_DEFAULT = 60;

/** Blocks on a page of a listing (AWS). */
export const MAX_RESULTS_MIN = 100;
export const MAX_RESULTS_MAX = 10_000;
/**
 * Leaves that are compared for one page of changed blocks (ours): what 32 GiB of a volume have at
 * most. AWS bounds the blocks that it examines, and so do we bound the work of a page.
 */
export const CHANGED_PAGE_LEAVES_MAX = 128;
/** AWS does not document its default; several clients never send one and read one page (ours). */
export const MAX_RESULTS_DEFAULT = 10_000;

/** Characters (AWS). */
export const SNAPSHOT_ID_CHARACTERS_MAX = 64;
export const DESCRIPTION_CHARACTERS_MAX = 255;
export const CLIENT_TOKEN_CHARACTERS_MAX = 255;
export const TOKEN_CHARACTERS_MAX = 256;
export const CHECKSUM_CHARACTERS_MAX = 64;
export const TAG_KEY_CHARACTERS_MAX = 127;
export const TAG_VALUE_CHARACTERS_MAX = 255;
/** Tags on one snapshot (AWS). */
export const TAGS_COUNT_MAX = 50;
/** Snapshots and images that one EC2 request may name (AWS: of CreateTags). */
export const NAMED_RESOURCES_COUNT_MAX = 1_000;
/** Values of all filters of one EC2 request (AWS). */
export const FILTER_VALUES_COUNT_MAX = 200;
/** Characters of one of them (AWS). */
export const FILTER_VALUE_CHARACTERS_MAX = 255;
/**
 * Characters of those that hold wildcards, in all (ours: some tens of milliseconds for a snapshot
 * with the most and longest tags, whatever the wildcards).
 */
export const FILTER_PATTERN_CHARACTERS_MAX = 8_192;

/** Milliseconds of a day, an hour and a minute. */
export const MS_PER_MINUTE = 60_000;
export const MS_PER_HOUR = 3_600_000;
export const MS_PER_DAY = 24 * MS_PER_HOUR;

/** Accounts and groups that one ModifySnapshotAttribute may name (AWS). */
export const PERMISSION_ENTRIES_COUNT_MAX = 500;
/** Days that a lock may last, 100 years (AWS). */
export const LOCK_DURATION_DAYS_MAX = 36_500;
/** Hours in which a compliance lock may still be taken off (AWS). */
export const LOCK_COOL_OFF_HOURS_MAX = 72;
/** Days from now to which an image's deprecation may be put, 10 years (AWS). */
export const IMAGE_DEPRECATION_DAYS_MAX = 3_653;
/** The same for a public image, counted from when it was made, 2 years (AWS). */
export const PUBLIC_IMAGE_DEPRECATION_DAYS_MAX = 731;
/** Days that a deleted snapshot may stay in the recycle bin, one year (AWS). */
export const RECYCLE_BIN_DAYS_MAX = 365;

/** Lifetime of a block token: 7 days (AWS). */
export const BLOCK_TOKEN_LIFETIME_SECONDS = 7 * 24 * 3_600;
/** Lifetime of a page token: 60 minutes (AWS). */
export const PAGE_TOKEN_LIFETIME_SECONDS = 3_600;
/** Days after which the secrets that mint tokens are replaced: quarterly, as is usual (ours). */
export const TOKEN_SECRET_DAYS_DEFAULT = 90;
/** The same at the most, where it is wished less often (ours). */
export const TOKEN_SECRET_DAYS_MAX = 3_650;
/**
 * Milliseconds after which a new secret mints, where several processes serve a store: each of them
 * looks for new ones every second (ours).
 */
export const TOKEN_SECRET_SPREAD_MS = 5_000;
/**
 * Milliseconds for which a process goes on using the secrets of an encryption key that another one
 * has destroyed or rotated meanwhile (ours: a look-up a second for each key in use).
 */
export const KEY_RECHECK_MS = 1_000;
/** Secrets that open tokens at once: what a forged one may cost is so many attempts (ours). */
export const TOKEN_SECRETS_COUNT_MAX = 16;

/** Entries of one node: 512 digests fill 16 KiB, and three levels cover 64 TiB (ours). */
export const NODE_FANOUT = 512;
/** Levels of the block map, leaves included. */
export const NODE_LEVELS = 3;
/** Days between asking for an encryption key's deletion and its end (AWS). */
export const KEY_DELETION_DAYS_MIN = 7;
export const KEY_DELETION_DAYS_MAX = 30;
/** Bytes of an encryption key's secret, and of a key-encryption key (AES-256). */
export const DOMAIN_SECRET_BYTES = 32;
/** Bytes in a digest (SHA-256). */
export const DIGEST_SIZE_BYTES = 32;

/**
 * Bytes of a JSON or form body that a caller may send: above the largest real one (ours). That is
 * CreateTags with the most and longest tags of characters that a form writes as nine bytes, 50 ×
 * (127 + 255) × 9 = 171,900, and 1,000 ids of 39 with their names: 212,300 in all.
 */
export const BODY_SIZE_BYTES_MAX = 256 * 1024;
/** The header section of a request; Node answers 431 above it (ours). */
export const HEADERS_SIZE_BYTES_MAX = 8_192;
/** Headers of a request: signed ones have about a dozen, and proxies add some (ours). */
export const HEADERS_COUNT_MAX = 64;
/**
 * Connections at once (ours: a bound on memory, some 30 MB, and far above real use; the fewer, the
 * more often hostile ones take each other's places, which costs more than keeping them).
 */
export const CONNECTIONS_COUNT_MAX = 2_048;
/** Connections that are kept open for their answer while they send what nobody wants (ours). */
export const LINGERING_COUNT_MAX = 64;
/** Connections that the system keeps for us while we are busy; it refuses more (ours). */
export const BACKLOG_COUNT_MAX = 4_096;
/**
 * Milliseconds that a request which reads for seconds waits for its turn (ours: with a step of such
 * work, half of the time that clients give an attempt).
 */
export const LONG_TURN_WAIT_MS_MAX = 15_000;
/** Requests of one connection that wait for their turn; hardly a client sends any ahead (ours). */
export const PIPELINED_COUNT_MAX = 16;
/**
 * Milliseconds for a body over a connection that has shown no valid signature yet: 5 s, and a block
 * at 64 KiB a second (ours).
 */
export const UNPROVEN_BODY_MS_MAX = 13_000;
/**
 * Blocks that are taken or sent at once; others wait until one of them has gone, or has taken so
 * many milliseconds (ours: 32 MiB, and at least 320 MiB a second, however slow the clients are).
 */
export const BLOCKS_UNDER_WAY_COUNT_MAX = 64;
export const BLOCK_UNDER_WAY_MS = 100;
/** Bytes of a body read before its signature can be verified, of however many at once (ours). */
export const UNPROVEN_BODY_BYTES_MAX = 64 * 1024;
/** Blocks, and larger bodies, read at once before that: a bound on memory (ours). */
export const UNPROVEN_BLOCKS_COUNT_MAX = 32;
/** Path and query of a request; the longest real one carries a 256-character token (ours). */
export const TARGET_CHARACTERS_MAX = 2_048;
/** Clock difference allowed between a signature's date and ours (AWS: 15 minutes). */
export const SIGNATURE_SKEW_SECONDS_MAX = 900;

/*
 * Quotas that are kept only where they are emulated (AWS: Service Quotas of the EBS direct APIs,
 * by code; where regions differ, the smallest).
 */
/**
 * Puts a second, of an account (L-AFAE1BE8) and on a snapshot (L-1774F84A); gets likewise
 * (L-C125AE42, L-028ACFB9).
 */
export const BLOCK_REQUESTS_PER_SECOND_MAX = 1_000;
/** Listings a second of an account, of each operation (L-18E976AB, L-DB2FBAA1). */
export const LIST_REQUESTS_PER_SECOND_MAX = 50;
/** Starts, and completions, a second of an account (L-AFEBDF7A, L-1D4D9345). */
export const STATE_REQUESTS_PER_SECOND_MAX = 10;
/** Snapshots of an account that are pending at once (L-94D7AB7D). */
export const PENDING_SNAPSHOTS_COUNT_MAX = 100;

/** Seconds that snapshots lag when nothing else is said (ours: AWS takes up to two minutes). */
export const EMULATED_LAG_SECONDS_DEFAULT = 2;
/** Longest emulated lag: far above AWS's (ours). */
export const EMULATED_LAG_SECONDS_MAX = 600;
/*
 * Delays where AWS itself is emulated, in seconds, each within what was seen of it (AWS: observed);
 * an emulated lag stands in for all but the first two.
 */
/** From CompleteSnapshot to the state `completed`, shortest and longest. */
export const AWS_COMPLETION_SECONDS_MIN = 1;
export const AWS_COMPLETION_SECONDS_MAX = 2;
/** From StartSnapshot to the first put that is taken. */
export const AWS_START_LAG_SECONDS = 4;
/** From the state `completed` to the first read, or child. */
export const AWS_READ_LAG_SECONDS = 8;
/** From CompleteSnapshot with a wrong checksum, or a wrong count, to the state `error`. */
export const AWS_WRONG_CHECKSUM_SECONDS = 30;
export const AWS_WRONG_COUNT_SECONDS = 90;
/** From a pending snapshot's timeout to the state `error`. */
export const AWS_TIMEOUT_LATE_SECONDS = 315;
/** How often sealings that are put off are looked at, in milliseconds (ours). */
export const PUT_OFF_SEALING_INTERVAL_MS = 200;
/**
 * What an emulated ExpiryTime lies ahead, in minutes, at least and at most: its instant is fixed
 * for as long as it is further ahead than the least.
 */
export const AWS_EXPIRY_MINUTES_MIN = 9_010;
export const AWS_EXPIRY_MINUTES_MAX = 10_330;
/** Longest that a block token lasts, emulated or not. */
export const BLOCK_TOKEN_LIFETIME_SECONDS_MAX = Math.max(
  BLOCK_TOKEN_LIFETIME_SECONDS,
  AWS_EXPIRY_MINUTES_MAX * 60,
);
/** Largest time to live of a signature in a query (AWS). */
export const PRESIGNED_SECONDS_MAX = 604_800;

/** Longest emulated latency: an answer must come before the connection's own deadline (ours). */
export const EMULATED_LATENCY_MS_MAX = 10_000;
/** How long an emulated stall withholds an answer: longer than clients should wait (ours). */
export const EMULATED_STALL_MS_MAX = 40_000;
/** Seeds of emulation are unsigned 32-bit numbers (ours). */
export const EMULATION_SEED_MAX = 2 ** 32 - 1;

/** Characters of a policy, white space not counted (AWS: of a managed policy). */
export const POLICY_CHARACTERS_MAX = 6_144;
/** Actions, resources, context entries, or values of all of these, of one simulation (ours). */
export const SIMULATED_COUNT_MAX = 100;
/** Actions times resources of one simulation: its answer has one entry for each (ours: 2 MiB). */
export const SIMULATED_PAIRS_COUNT_MAX = 1_000;
/**
 * Characters of all context values of one simulation (ours: with the longest policy there may be,
 * some 25 million comparisons for a resource, tens of milliseconds).
 */
export const SIMULATED_CONTEXT_CHARACTERS_MAX = 4_096;
/** Accounts of one store, and access keys of one account: each fits in one answer (ours). */
export const ACCOUNTS_COUNT_MAX = 10_000;
export const ACCESS_KEYS_COUNT_MAX = 1_000;

/** Seconds that temporary credentials last (AWS), by the action that gives them. */
export const SESSION_DURATION_SECONDS_MIN = 900;
export const SESSION_DURATION_SECONDS_MAX = 129_600;
export const SESSION_DURATION_SECONDS_DEFAULT = 43_200;
export const ROLE_SESSION_DURATION_SECONDS_MAX = 43_200;
export const ROLE_SESSION_DURATION_SECONDS_DEFAULT = 3_600;
/** The same where a role's session assumes another role (AWS). */
export const CHAINED_SESSION_DURATION_SECONDS_MAX = 3_600;
/** Characters of a session policy, and of all that one session carries (AWS: of one). */
export const SESSION_POLICY_CHARACTERS_MAX = 2_048;
/** Characters of a session token: the longest policy, encrypted, in base64 (ours). */
export const SESSION_TOKEN_CHARACTERS_MAX = 4_096;

/** Bytes of a record that a header may speak of; the largest real one is a manifest (ours). */
export const RECORD_SIZE_BYTES_MAX = 16 * 1024 * 1024;
/** A segment file is closed and a new one begun above this size (ours: few files, fast scans). */
export const SEGMENT_SIZE_BYTES_MAX = 256 * 1024 * 1024;
/** Bytes in one group commit: one sync's worth of work, and a bound on memory (ours). */
export const BATCH_SIZE_BYTES_MAX = 16 * 1024 * 1024;
/** Bytes kept for deletions on a full disk: several times the catalog's log (ours). */
export const RESERVE_SIZE_BYTES = 16 * 1024 * 1024;
/** Of those, what stays for the catalog when records are moved to make room (ours: half). */
export const CATALOG_ROOM_BYTES = RESERVE_SIZE_BYTES / 2;
/** Free bytes, beside those, at which a full disk takes new data again: one batch (ours). */
export const DISK_ROOM_BYTES_MIN = 16 * 1024 * 1024;
/** Rows changed after which the catalog's log is carried over: about 4 MiB of it (ours). */
export const CHECKPOINT_ROWS = 1_000;
/** Bytes of decoded nodes kept in memory (ours: the nodes of some 550 GiB of blocks). */
export const NODE_CACHE_BYTES_MAX = 40 * 1024 * 1024;
/** Pending snapshots that puts need not look up (ours: some MiB, and more than uploads at once). */
export const PENDING_SEEN_COUNT_MAX = 1_000;
/**
 * Times that a record is stored which was collected before anything named it (ours). It takes two
 * runs of the collector in between; more than a few say that the catalog contradicts itself.
 */
export const NAMING_ATTEMPTS_MAX = 5;
/** Candidates that one walk over what is reachable decides about: a bound on memory (ours). */
export const CANDIDATES_AT_ONCE = 100_000;
/** Names that one transaction of the collector changes, so that puts get in between (ours). */
export const COLLECT_PAGE_COUNT = 1_000;
/** Minutes between two collections (ours). */
export const COLLECT_MINUTES_DEFAULT = 60;
/** The same at the most, two weeks: longer, a timer would not hold it (ours). */
export const COLLECT_MINUTES_MAX = 20_160;
/** Seconds between the first and the second finding that a record is garbage (ours). */
export const COLLECT_GRACE_SECONDS_DEFAULT = 3_600;
/** Seconds that the clock may differ from what it should be before nothing is collected (ours). */
export const COLLECT_SKEW_SECONDS_MAX = 300;
/** How long a clock goes on straight until what it showed earlier is forgotten (ours: a day). */
export const CLOCK_BELIEVED_MS = MS_PER_DAY;
/** A segment of which less than this share is needed is rewritten (ours: half, as others do). */
export const COMPACT_LIVE_SHARE = 0.5;
/** Days in which everything stored is read again: monthly, as backup systems advise (ours). */
export const SCRUB_DAYS_DEFAULT = 30;
/** The same, where it is asked for less often; rot may double up in a longer time (ours). */
export const SCRUB_DAYS_MAX = 365;
/** Bytes a second read by a scrub at most: a few per cent of one processor (ours). */
export const SCRUB_BYTES_PER_SECOND_MAX = 64 * 1024 * 1024;
/** Equal samples a scrub may be divided into (ours). */
export const SCRUB_SAMPLES_COUNT_MAX = 10_000;
/** Extents of bad blocks told of a snapshot; their blocks are counted beyond that (ours). */
export const BAD_EXTENTS_COUNT_MAX = 1_000;
/** Pending writes read at once while a snapshot is sealed: some 15 ms of the processor (ours). */
export const SEAL_PAGE_COUNT = 2_000;
/** Entries on a page of the audit log at most (ours). */
export const AUDIT_PAGE_COUNT_MAX = 1_000;
/** The same, where nothing is said (ours). */
export const AUDIT_PAGE_COUNT_DEFAULT = 100;

assert(BLOCK_SIZE_BYTES * BLOCKS_PER_GIB === GIB_BYTES, "a GiB is a whole number of blocks");
assert(
  NODE_FANOUT ** NODE_LEVELS === VOLUME_SIZE_GIB_MAX * BLOCKS_PER_GIB,
  "the block map covers exactly the largest volume",
);
assert(MAX_RESULTS_DEFAULT <= MAX_RESULTS_MAX, "the default page is a legal page");
assert(
  SESSION_TOKEN_CHARACTERS_MAX <= HEADERS_SIZE_BYTES_MAX / 2,
  "a session token leaves half of the headers to everything else",
);
assert(BATCH_SIZE_BYTES_MAX > 2 * BLOCK_SIZE_BYTES, "a batch holds at least two blocks");
assert(SEGMENT_SIZE_BYTES_MAX > BATCH_SIZE_BYTES_MAX, "a segment holds at least one batch");
assert(
  TOKEN_SECRETS_COUNT_MAX > Math.ceil(AWS_EXPIRY_MINUTES_MAX / 60 / 24) + 1,
  "secrets replaced every day never are too many",
);
assert(DISK_ROOM_BYTES_MIN >= BATCH_SIZE_BYTES_MAX, "where there is room, a batch fits");
assert(SEGMENT_SIZE_BYTES_MAX + BATCH_SIZE_BYTES_MAX < 2 ** 32, "offsets fit in 32 bits");
