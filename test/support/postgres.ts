import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { chownSync, existsSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Client } from "pg";
import { freePort } from "./free-port.ts";
import type { Cleanup } from "./temporary-directory.ts";

/** A PostgreSQL that is there already, as a URL of a role that may create databases. */
const GIVEN = process.env["VARVE_TEST_POSTGRES"];
const ROLE = "varve";
const START_MS_MAX = 60_000;

/** Where PostgreSQL's programs are: in PATH, or where Debian puts those of each version. */
function findPrograms(): string | undefined {
  const debian = "/usr/lib/postgresql";
  const versions = existsSync(debian)
    ? readdirSync(debian).sort((a, b) => Number(b) - Number(a))
    : [];
  const folders = [
    ...(process.env["PATH"] ?? "").split(delimiter),
    ...versions.map((version) => join(debian, version, "bin")),
  ];
  return folders.find((folder) => existsSync(join(folder, "initdb")));
}

const PROGRAMS = findPrograms();

/**
 * Why tests on PostgreSQL are skipped, for `{ skip }`; false where they are not. In continuous
 * integration they never are: there they fail where it is missing.
 */
export const POSTGRES_MISSING: string | false =
  GIVEN || PROGRAMS || process.env["CI"]
    ? false
    : "PostgreSQL is not installed: apt-get install postgresql, or set VARVE_TEST_POSTGRES";

/** A server of one's own, to be stopped and killed at will. */
export interface PostgresServer {
  /** Of its database `postgres`, in a role that may do everything. */
  readonly url: string;
  readonly port: number;
  /** Ends it: `SIGINT` cuts all connections and leaves all in order, `SIGQUIT` is like a crash. */
  stop(signal: "SIGINT" | "SIGQUIT"): Promise<void>;
  /** Starts it again where it was stopped. */
  start(): Promise<void>;
  /** Stops it and removes what it stored. */
  remove(): Promise<void>;
}

/** Starts a server on the loopback address, with a data folder of its own and all syncs on. */
export async function startPostgres(settings: readonly string[] = []): Promise<PostgresServer> {
  if (!PROGRAMS) throw new Error("PostgreSQL is not installed: apt-get install postgresql");
  const user = unprivilegedUser();
  const directory = await mkdtemp(join(tmpdir(), "varve-postgres-"));
  if (user) chownSync(directory, user.uid, user.gid);
  const data = join(directory, "data");
  const made = spawnSync(
    join(PROGRAMS, "initdb"),
    ["-D", data, "-U", ROLE, "--auth=trust", "-E", "UTF8", "--locale=C", "--no-sync"],
    { ...user, cwd: directory },
  );
  if (made.status !== 0) throw new Error(`initdb failed: ${made.stderr}`);
  const port = await freePort();
  const url = `postgres://${ROLE}@127.0.0.1:${port}/postgres`;
  let running: ChildProcess | undefined;
  const server: PostgresServer = {
    url,
    port,
    async start() {
      running = spawnServer({ data, port, settings, user, directory });
      await reachable(url);
    },
    async stop(signal) {
      const child = running;
      running = undefined;
      if (!child || child.exitCode !== null) return;
      child.ref();
      child.stdin?.write(`${signal.slice(3)}\n`);
      await once(child, "exit");
    },
    async remove() {
      await server.stop("SIGQUIT");
      rmSync(directory, { recursive: true, force: true });
    },
  };
  await server.start();
  return server;
}

interface Spawned {
  readonly data: string;
  readonly port: number;
  readonly settings: readonly string[];
  readonly user: { readonly uid: number; readonly gid: number } | undefined;
  readonly directory: string;
}

/**
 * A shell waits for the name of a signal and sends that. When this process ends, however that is,
 * the server ends, too, and what it stored is removed.
 */
function spawnServer({ data, port, settings, user, directory }: Spawned): ChildProcess {
  const options = [
    ...["-D", data, "-p", String(port), "-c", "listen_addresses=127.0.0.1"],
    ...["-c", "unix_socket_directories=", "-c", "max_connections=200"],
    ...["-c", "log_min_messages=fatal", "-c", "max_wal_size=1GB", "-c", "checkpoint_timeout=1h"],
    ...settings.flatMap((setting) => ["-c", setting]),
  ];
  const script = [
    '"$0" "$@" </dev/null & server=$!',
    'read -r signal || { signal=QUIT; left="$PWD"; }',
    'kill -s "$signal" $server; wait $server; cd /; rm -rf "$left"',
  ].join("; ");
  const command = ["-c", script, join(PROGRAMS as string, "postgres"), ...options];
  const child = spawn("/bin/sh", command, {
    ...user,
    cwd: directory,
    stdio: ["pipe", "ignore", "ignore"],
  });
  child.unref();
  (child.stdin as unknown as { unref(): void }).unref();
  return child;
}

async function reachable(url: string): Promise<void> {
  const endMs = performance.now() + START_MS_MAX;
  for (;;) {
    const client = new Client({ connectionString: url, connectionTimeoutMillis: 5_000 });
    try {
      await client.connect();
      await client.end();
      return;
    } catch (error) {
      await client.end().catch(() => undefined);
      if (performance.now() > endMs) throw error;
      await sleep(50);
    }
  }
}

/** PostgreSQL refuses to run as root. */
function unprivilegedUser(): { readonly uid: number; readonly gid: number } | undefined {
  if (process.getuid?.() !== 0) return undefined;
  const users = readFileSync("/etc/passwd", "utf8")
    .split("\n")
    .map((line) => line.split(":"));
  const user = users.find(([name]) => name === "postgres") ?? users.find(([n]) => n === "nobody");
  if (!user) throw new Error("There is no user postgres or nobody to run PostgreSQL as");
  return { uid: Number(user[2]), gid: Number(user[3]) };
}

const shared: { server?: Promise<PostgresServer>; databaseCount: number } = { databaseCount: 0 };

async function sharedUrl(): Promise<string> {
  if (GIVEN) return GIVEN;
  shared.server ??= startPostgres();
  return (await shared.server).url;
}

/**
 * The URL of an empty schema of the test's own: as good as a database, without the checkpoint that
 * dropping one takes. All of a test process's are on one server, which it starts when the first is
 * asked for.
 */
export async function postgresDatabase(t: Cleanup): Promise<string> {
  const url = await sharedUrl();
  const name = `varve_${process.pid}_${++shared.databaseCount}`;
  await query(url, `CREATE SCHEMA ${name}`);
  if (GIVEN) t.after(() => query(url, `DROP SCHEMA ${name} CASCADE`));
  const own = new URL(url);
  own.searchParams.set("options", `-c search_path=${name}`);
  return own.href;
}

/** Runs statements on a connection of their own. */
export async function query(url: string, sql: string): Promise<Record<string, unknown>[]> {
  const client = new Client({ connectionString: url });
  // A connection that the server cuts says so here, too.
  client.on("error", () => undefined);
  await client.connect();
  try {
    return (await client.query(sql)).rows;
  } finally {
    await client.end();
  }
}
