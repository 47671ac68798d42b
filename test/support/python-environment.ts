import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";

const CACHE = join(import.meta.dirname, "../../node_modules/.cache");
/** Long enough for a slow network, and for another that installs the same; else 5 to 30 s. */
const INSTALL_MS_MAX = 600_000;

/**
 * Python holds the lock, so that it ends with its process, however that ends. Whoever waited finds
 * the stamp, which says that an installation was finished.
 */
const INSTALL = `
import fcntl, os, shutil, subprocess, sys, venv
folder, stamp, *packages = sys.argv[1:]
os.makedirs(os.path.dirname(folder), exist_ok=True)
with open(folder + ".lock", "w") as lock:
    fcntl.flock(lock, fcntl.LOCK_EX)
    if not os.path.exists(stamp):
        shutil.rmtree(folder, ignore_errors=True)
        venv.create(folder, with_pip=True)
        pip = [folder + "/bin/python", "-m", "pip", "install", "--disable-pip-version-check"]
        subprocess.run([*pip, "--quiet", *packages], check=True)
        open(stamp, "w").close()
`;

/** Packages of PyPI, pinned, in a virtual environment of their own below node_modules. */
export interface PythonEnvironment {
  /** True where it was installed before, so that no network is needed. */
  isInstalled(): boolean;
  /** Installs what is missing, once, however many test processes ask for it at once. */
  install(): Promise<void>;
  /** Path of one of its programs. */
  program(name: string): string;
}

/** The environment of that name, with those packages and no others. */
export function pythonEnvironment(name: string, packages: readonly string[]): PythonEnvironment {
  const folder = join(CACHE, name);
  const stamp = join(folder, `${packages.join("+")}.stamp`);
  const isInstalled = () => existsSync(stamp);
  return {
    isInstalled,
    async install() {
      if (isInstalled()) return;
      const args = ["-c", INSTALL, folder, stamp, ...packages];
      await promisify(execFile)("python3", args, { timeout: INSTALL_MS_MAX });
    },
    program: (name) => join(folder, "bin", name),
  };
}
