import { useState } from "preact/hooks";
import { PolicyEditor } from "./policy-editor.tsx";
import { POLICY_TEMPLATES } from "./policy-templates.ts";

/** A policy that nobody has yet: to write, and to see what it would allow. */
export function PolicyTest() {
  const [text, setText] = useState(POLICY_TEMPLATES[0]?.document ?? "");
  return (
    <>
      <p class="quiet">
        Nothing is changed here. A key is given a policy under Access keys, or by{" "}
        <code>varve key policy set</code>.
      </p>
      <PolicyEditor text={text} onText={setText} />
    </>
  );
}
