// How Node is started where it is to be the service: with less memory, and as fast (see "Memory" in
// docs/operating.md). deploy/ says the same. Plain JavaScript, for scripts/run.mjs.

/** Node's own flags, and what goes into the environment unless something else is there. */
export const SERVICE_NODE = {
  // What is young is collected more often, and takes 50 MiB less.
  flags: ["--max-semi-space-size=8"],
  // The C library does not keep more and more of what is freed; a block's memory is used again.
  env: { MALLOC_MMAP_THRESHOLD_: "1048576" },
};
