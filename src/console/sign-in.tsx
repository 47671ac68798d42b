import { useState } from "preact/hooks";
import { failureText } from "./failures.ts";
import { type Session, signIn } from "./session.ts";

/** Asks for an access key, and tries it. */
export function SignIn(props: {
  /** Why one has to sign in again. */
  readonly notice: string;
  readonly onSignedIn: (session: Session) => void;
}) {
  const [failure, setFailure] = useState("");
  const [isTrying, setIsTrying] = useState(false);
  const submit = async (event: SubmitEvent) => {
    event.preventDefault();
    const data = new FormData(event.currentTarget as HTMLFormElement);
    const text = (name: string) => String(data.get(name) ?? "").trim();
    setIsTrying(true);
    setFailure("");
    try {
      const session = await signIn({
        accessKeyId: text("accessKeyId"),
        secretAccessKey: text("secretAccessKey"),
        sessionToken: text("sessionToken") || undefined,
      });
      props.onSignedIn(session);
    } catch (error) {
      setFailure(failureText(error));
      setIsTrying(false);
    }
  };
  return (
    <main class="sign-in">
      <h1>Varve</h1>
      <p>Sign in with an access key of this service.</p>
      {props.notice && failure === "" ? (
        <p class="notice" role="status">
          {props.notice}
        </p>
      ) : null}
      <form onSubmit={submit}>
        <label>
          Access key id
          <input name="accessKeyId" required autocomplete="username" spellcheck={false} />
        </label>
        <label>
          Secret access key
          <input name="secretAccessKey" type="password" required autocomplete="current-password" />
        </label>
        <details>
          <summary>Temporary credentials</summary>
          <label>
            Session token
            <input name="sessionToken" autocomplete="off" spellcheck={false} />
          </label>
        </details>
        {failure === "" ? null : (
          <p class="failure" role="alert">
            {failure}
          </p>
        )}
        <button type="submit" class="primary" disabled={isTrying}>
          {isTrying ? "Signing in …" : "Sign in"}
        </button>
      </form>
      <p class="quiet">
        The first start of the service wrote a key to the file <code>credentials</code> in its data
        folder. The secret stays in the memory of this tab: it signs requests here and is never
        sent. Loading the page again means signing in again.
      </p>
    </main>
  );
}
