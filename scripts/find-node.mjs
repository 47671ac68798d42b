// Finds, and where needed installs, the Node this checkout runs on.
// Plain JavaScript without dependencies: it must run on Node 20, before anything is installed.

import { spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { constants } from "node:os";
import { delimiter, dirname, join, sep } from "node:path";

/** The lowest major version of Node that runs the TypeScript files of a checkout. */
export const NODE_MAJOR_MIN = 24;

/** Where a checkout keeps its compiled code; of each version of Node apart. */
export const COMPILE_CACHE = "node_modules/.cache/varve-compiled";

const INSTALL_MS_MAX = 15 * 60 * 1000;
const FORWARDED_SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"];

/** Installs what the checkout at `root` is missing and returns the path of a Node 24 or newer. */
export function prepare(root) {
  installPackages(root);
  const found = findNode(root);
  if (found !== undefined) return found;
  installNode(root);
  const installed = findNode(root);
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

/** Runs `npm ci` unless `node_modules` was installed from the very `package-lock.json` here. */
function installPackages(root) {
  const lock = readFileSync(join(root, "package-lock.json"));
  const wanted = createHash("sha256").update(lock).digest("hex");
  const stampPath = join(root, "node_modules", ".varve-lock-sha256");
  if (existsSync(stampPath) && readFileSync(stampPath, "utf8").trim() === wanted) return;
  console.error("varve: installing the packages in package-lock.json (npm ci) …");
  npm(root, ["ci", "--include=dev"]);
  writeFileSync(stampPath, `${wanted}\n`);
}

/**
 * The package `node` fetches its binary in an install script. Where install scripts are not
 * allowed to run, the same binary comes from the package that script would have fetched.
 */
function installNode(root) {
  const lock = JSON.parse(readFileSync(join(root, "package-lock.json"), "utf8"));
  const version = lock.packages["node_modules/node"].version;
  const wanted = `${nodePackageName()}@${version}`;
  console.error(`varve: installing Node ${version} for this checkout …`);
  const folder = ["--prefix", fallbackFolder(root)];
  npm(root, ["install", "--no-save", "--no-package-lock", "--ignore-scripts", ...folder, wanted]);
}

function npm(root, args) {
  const quiet = ["--no-audit", "--no-fund", "--no-update-notifier", "--loglevel=error"];
  const { status, error } = spawnSync("npm", [...args, ...quiet], {
    cwd: root,
    stdio: ["ignore", "ignore", "inherit"],
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
