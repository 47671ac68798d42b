import { syncBuiltinESMExports } from "node:module";
import zlib from "node:zlib";

/*
 * Imported before anything of src, this has zstd run on the main thread: then nothing of the core
 * depends on threads, and one seed means one order of events.
 */

type Done = (error: Error | null, bytes?: Buffer) => void;
type Options = Parameters<typeof zlib.zstdCompressSync>[1];

const { zstdCompressSync, zstdDecompressSync } = zlib;

function synchronously(work: (bytes: Uint8Array, options: Options) => Buffer) {
  return (bytes: Uint8Array, options: Options, done: Done) => {
    try {
      done(null, work(bytes, options));
    } catch (error) {
      done(error as Error);
    }
  };
}

Object.assign(zlib, {
  zstdCompress: synchronously(zstdCompressSync),
  zstdDecompress: synchronously(zstdDecompressSync),
});
syncBuiltinESMExports();
