import { type Faults, shim } from "./shim.ts";

/**
 * The environment of any command of ours that is to meet faults below a folder. One thread does
 * its files, so that calls have an order.
 */
export function faultsEnvironment(folder: string, faults: Faults): Record<string, string> {
  return {
    NODE_COMPILE_CACHE: process.env["NODE_COMPILE_CACHE"] ?? "",
    LD_PRELOAD: shim() ?? "",
    UV_THREADPOOL_SIZE: "1",
    FAULTS_FOLDER: folder,
    FAULTS_LOG: faults.log ?? "",
    FAULTS_CALLS: faults.calls ?? "",
    FAULTS_AT: String(faults.at ?? 0),
    FAULTS_DO: faults.do ?? "",
    FAULTS_ERROR: String(faults.error ?? 0),
    FAULTS_STICKY: faults.isSticky ? "1" : "0",
  };
}
