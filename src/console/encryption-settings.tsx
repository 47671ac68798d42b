import { useState } from "preact/hooks";
import {
  getEncryptionDefaults,
  isAccessDenied,
  setDefaultKey,
  setEncryptionByDefault,
} from "../client/browser.ts";
import { useConsole, useLoad } from "./console-context.ts";
import { Dialog } from "./dialog.tsx";
import { Fact } from "./fact.tsx";
import { Failure } from "./failure.tsx";

/** How the account encrypts when a request does not say. */
export function EncryptionSettings() {
  const { client, report } = useConsole();
  const loaded = useLoad("encryption", async (signal) => {
    try {
      return await getEncryptionDefaults(client, { signal });
    } catch (error) {
      if (isAccessDenied(error)) return "denied";
      throw error;
    }
  });
  const [isAsked, setIsAsked] = useState(false);
  const [failure, setFailure] = useState("");
  const attempt = async (work: Promise<void>) => {
    setFailure("");
    try {
      await work;
      loaded.reload();
    } catch (error) {
      setFailure(report(error));
    }
  };
  const defaults = loaded.value;
  return (
    <section aria-labelledby="encryption-heading">
      <h2 id="encryption-heading">Encryption by default</h2>
      <Failure text={loaded.error} />
      {defaults === "denied" ? <p class="empty">Your policy does not let you see it.</p> : null}
      {defaults !== undefined && defaults !== "denied" ? (
        <>
          <dl class="facts">
            <Fact name="New snapshots">
              {defaults.isByDefault
                ? "are encrypted, also where a request does not say so"
                : "are encrypted where a request says so"}
            </Fact>
            <Fact name="Default key">
              <code>{defaults.keyId}</code>
            </Fact>
          </dl>
          <div class="bulk">
            <button
              type="button"
              onClick={() => void attempt(setEncryptionByDefault(client, !defaults.isByDefault))}
            >
              {defaults.isByDefault ? "Do not encrypt by default" : "Encrypt by default"}
            </button>
            <button type="button" onClick={() => setIsAsked(true)}>
              Default key …
            </button>
          </div>
          <p class="quiet">
            It is for snapshots that start from nothing, and refuses unencrypted ones; a child is
            encrypted as its parent is. What is there stays as it is.
          </p>
        </>
      ) : null}
      <Failure text={failure} />
      {isAsked ? (
        <Dialog
          title="Default key"
          action="Set default key"
          onCancel={() => setIsAsked(false)}
          onConfirm={(form) => {
            setIsAsked(false);
            const keyId = String(form.get("key") ?? "").trim();
            void attempt(setDefaultKey(client, keyId === "" ? undefined : keyId));
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
      ) : null}
    </section>
  );
}
