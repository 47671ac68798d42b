import type { SnapshotDescription, Tag, VerificationDescription } from "../client/browser.ts";
import { formatTime } from "./format.ts";

/** A snapshot's state: a mark and the word, for colour alone tells not everybody. */
export function State({ snapshot }: { readonly snapshot: SnapshotDescription }) {
  const { State: state, StateMessage, Encrypted } = snapshot;
  return (
    <>
      <span class={`state ${state}`} title={StateMessage}>
        {state}
      </span>
      {Encrypted ? " " : ""}
      {Encrypted ? <span class="tag">encrypted</span> : null}
    </>
  );
}

/** Tags one after another. */
export function Tags({ tags }: { readonly tags: readonly Tag[] }) {
  return (
    <span class="tags">
      {tags.map(({ Key, Value }) => (
        <span key={Key} class="tag">
          {Value === "" ? Key : `${Key}=${Value}`}
        </span>
      ))}
    </span>
  );
}

/** When a snapshot was last verified, and how it was found. */
export function Verified(props: { readonly verification: VerificationDescription | undefined }) {
  const { verification } = props;
  if (verification === undefined) return <span class="quiet">never</span>;
  const { Outcome, VerificationTime } = verification;
  return (
    <span class={Outcome === "whole" ? "" : "failure"}>
      {Outcome}, {formatTime(VerificationTime)}
    </span>
  );
}
