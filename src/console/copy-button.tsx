import { useState } from "preact/hooks";

/** Puts a text into the clipboard, where the browser lets it. */
export function CopyButton(props: {
  readonly text: string;
  /** What is copied, for those who hear the button's name only. */
  readonly what: string;
}) {
  const [outcome, setOutcome] = useState("Copy");
  // Browsers give the clipboard only to pages over HTTPS or from this machine.
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(props.text);
      setOutcome("Copied");
    } catch {
      setOutcome("Select and copy by hand");
    }
  };
  return (
    <button type="button" aria-label={`${outcome}: ${props.what}`} onClick={() => void copy()}>
      {outcome}
    </button>
  );
}
