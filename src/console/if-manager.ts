import { isForbidden } from "./failures.ts";

/** Undefined for those who do not manage the store, or the account. */
export async function ifManager<T>(work: Promise<T>): Promise<T | undefined> {
  try {
    return await work;
  } catch (error) {
    if (isForbidden(error)) return undefined;
    throw error;
  }
}
