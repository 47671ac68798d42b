import type { ComponentType } from "preact";
import { useEffect, useState } from "preact/hooks";

const FAILURE =
  "This part of the console could not be loaded. If the service was updated, load the page anew.";

/** Loads a part of the console when it is first wanted, so that the first page stays light. */
function useLazy<P>(load: () => Promise<ComponentType<P>>) {
  const [part, setPart] = useState<{ readonly Part?: ComponentType<P>; readonly failure?: string }>(
    {},
  );
  const [attempt, setAttempt] = useState(0);
  useEffect(() => {
    let isLeft = false;
    load().then(
      (Part) => isLeft || setPart({ Part }),
      () => isLeft || setPart({ failure: FAILURE }),
    );
    return () => {
      isLeft = true;
    };
  }, [attempt]);
  return { ...part, retry: () => setAttempt((before) => before + 1) };
}

/** A part of the console that comes when it is first wanted. */
export function Lazy<P extends object>(props: {
  readonly load: () => Promise<ComponentType<P>>;
  readonly with: P;
}) {
  const { Part, failure, retry } = useLazy(props.load);
  if (Part) return <Part {...props.with} />;
  if (failure === undefined) return <p class="quiet">Loading …</p>;
  return (
    <p class="failure" role="alert">
      {failure}{" "}
      <button type="button" onClick={retry}>
        Try again
      </button>
    </p>
  );
}
