import { useEffect, useState } from "preact/hooks";
import { getAccessKey, updateAccessKey } from "../client/browser.ts";
import { useConsole, useLoad } from "./console-context.ts";
import { Dialog } from "./dialog.tsx";
import { Failure } from "./failure.tsx";
import { PolicyEditor } from "./policy-editor.tsx";
import { POLICY_TEMPLATES } from "./policy-templates.ts";
import { useAttempt } from "./use-attempt.ts";

/** The policy of one key: to write, to try, and to set. */
export function KeyPolicy(props: { readonly accessKeyId: string; readonly onChanged: () => void }) {
  const { client } = useConsole();
  const { accessKeyId } = props;
  const loaded = useLoad(accessKeyId, (signal) => getAccessKey(client, accessKeyId, { signal }));
  const [text, setText] = useState("");
  const [isValid, setIsValid] = useState(false);
  const [isAsked, setIsAsked] = useState(false);
  const [outcome, setOutcome] = useState("");
  const { failure, attempt } = useAttempt();
  const stored = loaded.value?.PolicyDocument;
  useEffect(() => {
    if (stored !== undefined) setText(stored ?? POLICY_TEMPLATES[0]?.document ?? "");
  }, [stored]);
  const change = (PolicyDocument: string | null, done: string) => {
    setIsAsked(false);
    setOutcome("");
    void attempt(updateAccessKey(client, { AccessKeyId: accessKeyId, PolicyDocument }), () => {
      setOutcome(done);
      loaded.reload();
      props.onChanged();
    });
  };
  return (
    <section aria-labelledby="policy-heading">
      <h2 id="policy-heading">Policy of {accessKeyId}</h2>
      <Failure text={loaded.error} />
      {stored === null ? (
        <p class="notice">
          It has none, and so every right of its account. What stands below is a proposal.
        </p>
      ) : null}
      {loaded.value ? (
        <PolicyEditor text={text} onText={setText} onValid={setIsValid} />
      ) : (
        <p class="quiet">Loading …</p>
      )}
      <div class="bulk">
        <button
          type="button"
          class="primary"
          disabled={!isValid || text === stored}
          onClick={() => change(text, "The policy is set, and counts from the next request.")}
        >
          Set policy
        </button>
        <button
          type="button"
          class="danger"
          disabled={stored === null || stored === undefined}
          onClick={() => setIsAsked(true)}
        >
          Remove policy …
        </button>
        <span role="status">{outcome}</span>
      </div>
      <Failure text={failure} />
      {isAsked ? (
        <Dialog
          title={`Remove the policy of ${accessKeyId}?`}
          action="Remove policy"
          isDangerous
          onCancel={() => setIsAsked(false)}
          onConfirm={() => change(null, "The policy is gone: every right is its own.")}
        >
          <p>The key then has every right of its account, management of its keys included.</p>
        </Dialog>
      ) : null}
    </section>
  );
}
