import { useState } from "preact/hooks";
import {
  type EncryptionDefaults,
  getEncryptionDefaults,
  setDefaultKey,
  setEncryptionByDefault,
} from "../client/browser.ts";
import { useConsole, useLoad } from "./console-context.ts";
import { Dialog } from "./dialog.tsx";
import { Fact } from "./fact.tsx";
import { Failure } from "./failure.tsx";
import { ifAllowed } from "./if-allowed.ts";
import { useAttempt } from "./use-attempt.ts";

/** How the account encrypts when a request does not say. */
export function EncryptionSettings() {
  const { client } = useConsole();
  const loaded = useLoad("encryption", (signal) => {
    return ifAllowed(getEncryptionDefaults(client, { signal }), "denied" as const);
  });
  const [isAsked, setIsAsked] = useState(false);
  const { failure, attempt } = useAttempt();
  const defaults = loaded.value;
  const change = (work: Promise<void>) => void attempt(work, loaded.reload);
  return (
    <section aria-labelledby="encryption-heading">
      <h2 id="encryption-heading">Encryption by default</h2>
      <Failure text={loaded.error} />
      {defaults === "denied" ? <p class="empty">Your policy does not let you see it.</p> : null}
      {defaults !== undefined && defaults !== "denied" ? (
        <Defaults
          defaults={defaults}
          onByDefault={(isByDefault) => change(setEncryptionByDefault(client, isByDefault))}
          onKey={() => setIsAsked(true)}
        />
      ) : null}
      <Failure text={failure} />
      {isAsked ? (
        <KeyDialog
          onCancel={() => setIsAsked(false)}
          onKey={(keyId) => {
            setIsAsked(false);
            change(setDefaultKey(client, keyId));
          }}
        />
      ) : null}
    </section>
  );
}

function Defaults(props: {
  readonly defaults: EncryptionDefaults;
  readonly onByDefault: (isByDefault: boolean) => void;
  readonly onKey: () => void;
}) {
  const { isByDefault, keyId } = props.defaults;
  return (
    <>
      <dl class="facts">
        <Fact name="New snapshots">
          {isByDefault
            ? "are encrypted, also where a request does not say so"
            : "are encrypted where a request says so"}
        </Fact>
        <Fact name="Default key">
          <code>{keyId}</code>
        </Fact>
      </dl>
      <div class="bulk">
        <button type="button" onClick={() => props.onByDefault(!isByDefault)}>
          {isByDefault ? "Do not encrypt by default" : "Encrypt by default"}
        </button>
        <button type="button" onClick={props.onKey}>
          Default key …
        </button>
      </div>
      <p class="quiet">
        It is for snapshots that start from nothing, and refuses unencrypted ones; a child is
        encrypted as its parent is. What is there stays as it is.
      </p>
    </>
  );
}

function KeyDialog(props: {
  readonly onCancel: () => void;
  /** Undefined for the key that the service makes. */
  readonly onKey: (keyId: string | undefined) => void;
}) {
  return (
    <Dialog
      title="Default key"
      action="Set default key"
      onCancel={props.onCancel}
      onConfirm={(form) => {
        const keyId = String(form.get("key") ?? "").trim();
        props.onKey(keyId === "" ? undefined : keyId);
      }}
    >
      <label>
        Id or ARN of an encryption key; empty for the one that the service makes
        <input name="key" autocomplete="off" spellcheck={false} maxLength={2048} />
      </label>
      <p class="quiet">
        Keys are made with <code>aws kms create-key</code>.
      </p>
    </Dialog>
  );
}
