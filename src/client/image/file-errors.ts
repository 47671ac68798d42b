import { FileError } from "../errors.ts";

/** The system's codes in words; others are told in the system's own. */
const WORDS: Readonly<Record<string, string>> = {
  EACCES: "permission denied",
  EBUSY: "it is in use",
  EEXIST: "it exists already",
  EFBIG: "the file system does not take files of that size",
  EIO: "the disk reports an input/output error",
  EISDIR: "it is a directory",
  ELOOP: "too many symbolic links",
  EMFILE: "too many files are open",
  ENAMETOOLONG: "the name is too long",
  ENOENT: "no such file or directory",
  ENOSPC: "no space is left on the disk",
  ENOTDIR: "a part of the path is not a directory",
  EDQUOT: "the disk quota is used up",
  EPERM: "the operation is not permitted",
  EROFS: "the file system is read-only",
};

/** Runs work on a file; a failure of the system becomes "Cannot <action> <path>: <why>." */
export async function onFile<T>(action: string, path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    throw fileErrorFrom(cause, action, path);
  }
}

/** A system error as a `FileError`; every other error as it is. */
function fileErrorFrom(cause: unknown, action: string, path: string): unknown {
  if (!(cause instanceof Error) || !("code" in cause) || !("syscall" in cause)) return cause;
  const code = String(cause.code);
  return new FileError(`Cannot ${action} ${path}: ${WORDS[code] ?? cause.message}.`, {
    path,
    code,
    cause,
  });
}
