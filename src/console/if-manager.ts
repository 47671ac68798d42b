import { isAccessDenied } from "../client/browser.ts";

/** Undefined for those who do not manage the store, or the account. */
export async function ifManager<T>(work: Promise<T>): Promise<T | undefined> {
  try {
    return await work;
  } catch (error) {
    if (isAccessDenied(error)) return undefined;
    throw error;
  }
}
