import { integrityError } from "../errors.ts";

/* Answers that come in parts; a service that stands still is told from one that goes on. */

interface Page {
  /** Undefined, null or empty on the last page. */
  readonly NextToken?: string | null | undefined;
}

/** The items of all pages, one after another. */
export async function* itemsOf<P extends Page, Item>(
  operation: string,
  fetchPage: (NextToken: string | undefined) => Promise<P>,
  items: (page: P) => Iterable<Item>,
): AsyncGenerator<Item> {
  for (let NextToken: string | undefined; ; ) {
    const page = await fetchPage(NextToken);
    yield* items(page);
    if (!page.NextToken) return;
    if (page.NextToken === NextToken) {
      throw integrityError(operation, "The service answers the same page again.");
    }
    NextToken = page.NextToken;
  }
}

interface Step {
  /** Null after the last step. */
  readonly NextBlockIndex: number | null;
}

/** The steps of an operation that goes over a volume, each from where the one before ended. */
export async function* stepsOf<S extends Step>(
  operation: string,
  fetchStep: (StartingBlockIndex: number | undefined) => Promise<S>,
): AsyncGenerator<S> {
  for (let from: number | undefined; ; ) {
    const step = await fetchStep(from);
    yield step;
    if (step.NextBlockIndex === null) return;
    if (from !== undefined && !(step.NextBlockIndex > from)) {
      throw integrityError(operation, "The service does not go on.");
    }
    from = step.NextBlockIndex;
  }
}
