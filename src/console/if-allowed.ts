import { isForbidden } from "./failures.ts";

/** What is loaded; `otherwise` where the caller may not ask for it, as those who do not manage. */
export async function ifAllowed<T, R>(work: Promise<T>, otherwise: R): Promise<T | R> {
  try {
    return await work;
  } catch (error) {
    if (isForbidden(error)) return otherwise;
    throw error;
  }
}
