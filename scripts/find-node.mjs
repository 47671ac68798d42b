// Finds, and where needed installs, the Node this checkout runs on.
// Plain JavaScript without dependencies: it must run on Node 20, before anything is installed.

import { spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { closeSync, existsSync, openSync, readFileSync, writeFileSync } from "node:fs";
import { constants } from "node:os";
import { delimiter, dirname, join, sep } from "node:path";

/** The lowest major version of Node that runs the TypeScript files of a checkout. */
export const NODE_MAJOR_MIN = 24;

/** Where a checkout keeps its compiled code; of each version of Node apart. */
export const COMPILE_CACHE = "node_modules/.cache/varve-compiled";

const INSTALL_MS_MAX = 15 * 60 * 1000;
/** LOCK_EX of flock, and LOCK_NB: at once or not at all. */
const [LOCK, AT_ONCE] = [2, 4];
/** Where a helper and npm find the file that is locked. */
const LOCK_FD = 3;
const FORWARDED_SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"];

/**
 * Installs what the checkout at `root` is missing and returns the path of a Node 24 or newer. Of
 * several that start at once one installs, and the others wait for it.
 */
export function prepare(root) {
  const found = isInstalled(root) ? findNode(root) : undefined;
  if (found !== undefined) return found;
  const installed = alone(root, (lock) => install(root, lock));
  if (installed !== undefined) return installed;
  throw new Error(
    `No Node ${NODE_MAJOR_MIN} for ${process.platform} ${process.arch} could be installed. ` +
      `Install Node ${NODE_MAJOR_MIN} or newer yourself and run the command with it.`,
  );
}

/** The path of a Node that is new enough, or undefined. Installs nothing. */
export function findNode(root) {
  if (isNewEnough(process.versions.node) && existsSync(process.execPath)) return process.execPath;
  const candidates = [
    join(root, "node_modules", "node", "bin", "node"),
    join(fallbackFolder(root), "node_modules", nodePackageName(), "bin", "node"),
  ];
  return candidates.find((path) => existsSync(path) && isNewEnough(versionOf(path)));
}

/**
 * Runs `node` with `args`, hands signals on, and resolves to its exit code
 * (128 + the signal's number when a signal ended it). Its children find the same Node first.
 */
export function runNode(node, args, { cwd, env = process.env } = {}) {
  const path = [dirname(node), env.PATH ?? ""].join(delimiter);
  const options = { stdio: "inherit", cwd, env: { ...env, PATH: path } };
  const child = spawn(node, args, options);
  const forward = (signal) => {
    // At a terminal, Ctrl-C reaches the child without our help; twice would mean "at once".
    if (signal === "SIGINT" && process.stdin.isTTY) return;
    child.kill(signal);
  };
  for (const signal of FORWARDED_SIGNALS) process.on(signal, forward);
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code, signal) => {
      for (const name of FORWARDED_SIGNALS) process.off(name, forward);
      resolve(code ?? 128 + (constants.signals[signal] ?? 0));
    });
  });
}

/** Installs what is missing still, and answers the Node that is there then. */
function install(root, lock) {
  if (!isInstalled(root)) installPackages(root, lock);
  const found = findNode(root);
  if (found !== undefined) return found;
  installNode(root, lock);
  return findNode(root);
}

/** True when `node_modules` was installed from the very `package-lock.json` here. */
function isInstalled(root) {
  const path = stampPath(root);
  return existsSync(path) && readFileSync(path, "utf8").trim() === wantedStamp(root);
}

function installPackages(root, lock) {
  console.error("varve: installing the packages in package-lock.json (npm ci) …");
  npm(root, lock, ["ci", "--include=dev"]);
  writeFileSync(stampPath(root), `${wantedStamp(root)}\n`);
}

function stampPath(root) {
  return join(root, "node_modules", ".varve-lock-sha256");
}

function wantedStamp(root) {
  return createHash("sha256")
    .update(readFileSync(join(root, "package-lock.json")))
    .digest("hex");
}

/**
 * Does the work while no other process does it for this checkout. The lock is the system's, on
 * `package-lock.json`, which no installation touches. It goes with whoever has the file open, and
 * npm has: when this process is killed and npm lives on, nobody runs another one on top of it.
 */
function alone(root, work) {
  const lock = openSync(join(root, "package-lock.json"), "r");
  try {
    if (!tryLock(lock, LOCK | AT_ONCE)) {
      console.error("varve: another start is installing what is missing; waiting for it …");
      if (!tryLock(lock, LOCK)) {
        const minutes = INSTALL_MS_MAX / 60_000;
        throw new Error(
          `Another start has been installing for ${minutes} minutes. See what "npm ci" waits ` +
            "for, end it, and start again.",
        );
      }
    }
    return work(lock);
  } finally {
    closeSync(lock);
  }
}

/**
 * Node has no flock: Perl or the `flock` of util-linux calls it on the file that they inherit, and
 * the lock stays with us when they end. Where there is neither, nobody is held up.
 */
function tryLock(lock, how) {
  const perl =
    `open(my $file, "<&=", ${LOCK_FD}) or exit 9; ` +
    `exit(flock($file, ${how}) ? 0 : $!{EWOULDBLOCK} ? 1 : 9)`;
  const helpers = [
    ["perl", "-e", perl],
    ["flock", ...(how & AT_ONCE ? ["-n"] : []), String(LOCK_FD)],
  ];
  for (const [command, ...args] of helpers) {
    const stdio = ["ignore", "ignore", "ignore", lock];
    const { status, signal } = spawnSync(command, args, { stdio, timeout: INSTALL_MS_MAX });
    if (status === 0) return true;
    if (status === 1 || signal !== null) return false;
  }
  return true;
}

/**
 * The package `node` fetches its binary in an install script. Where install scripts are not
 * allowed to run, the same binary comes from the package that script would have fetched.
 */
function installNode(root, lock) {
  const { packages } = JSON.parse(readFileSync(join(root, "package-lock.json"), "utf8"));
  const version = packages["node_modules/node"].version;
  const wanted = `${nodePackageName()}@${version}`;
  console.error(`varve: installing Node ${version} for this checkout …`);
  const folder = ["--prefix", fallbackFolder(root)];
  npm(root, lock, [
    "install",
    "--no-save",
    "--no-package-lock",
    "--ignore-scripts",
    ...folder,
    wanted,
  ]);
}

function npm(root, lock, args) {
  const quiet = ["--no-audit", "--no-fund", "--no-update-notifier", "--loglevel=error"];
  const { status, error } = spawnSync("npm", [...args, ...quiet], {
    cwd: root,
    stdio: ["ignore", "ignore", "inherit", lock],
    env: { ...process.env, PATH: pathOutside(root) },
    timeout: INSTALL_MS_MAX,
  });
  if (status === 0) return;
  const reason = error === undefined ? `npm exited with ${status}` : error.message;
  throw new Error(`npm ${args[0]} failed: ${reason}`);
}

/** PATH without this checkout's own `node_modules`, which npm is about to replace. */
function pathOutside(root) {
  const own = join(root, "node_modules") + sep;
  const folders = (process.env.PATH ?? "").split(delimiter);
  return folders.filter((folder) => !folder.startsWith(own)).join(delimiter);
}

function fallbackFolder(root) {
  return join(root, "node_modules", ".node24");
}

function nodePackageName() {
  const { platform, arch } = process;
  const prefix = platform === "darwin" && arch === "arm64" ? "node-bin" : "node";
  return `${prefix}-${platform}-${arch}`;
}

function versionOf(node) {
  const { stdout } = spawnSync(node, ["--version"], { encoding: "utf8", timeout: 10_000 });
  return (stdout ?? "").trim().replace(/^v/, "");
}

function isNewEnough(version) {
  return Number.parseInt(version, 10) >= NODE_MAJOR_MIN;
}
