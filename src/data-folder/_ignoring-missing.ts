/** Takes the error of a file that is not there for "no file"; throws every other. */
export function ignoringMissing(error: NodeJS.ErrnoException): undefined {
  if (error.code !== "ENOENT") throw error;
}
