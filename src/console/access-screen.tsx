import { useState } from "preact/hooks";
import { createAccount, listAccounts } from "../client/browser.ts";
import { AccessKeys } from "./access-keys.tsx";
import { AuditLog } from "./audit-log.tsx";
import { useConsole, useLoad } from "./console-context.ts";
import { Dialog } from "./dialog.tsx";
import { Failure } from "./failure.tsx";
import { ifAllowed } from "./if-allowed.ts";
import { PolicyTest } from "./policy-test.tsx";
import { ScreenParts } from "./screen-parts.tsx";

const PARTS = [
  { name: "", href: "#/access", title: "Access keys" },
  { name: "policies", href: "#/access/policies", title: "Policy test" },
  { name: "audit", href: "#/access/audit", title: "Audit log" },
];

/** Who may do what, and who did. */
export function AccessScreen({ subject }: { readonly subject: string }) {
  return (
    <>
      <ScreenParts title="Access" parts={PARTS} shown={subject} />
      {subject === "audit" ? <AuditLog /> : null}
      {subject === "policies" ? <PolicyTest /> : null}
      {subject === "" ? <Accounts /> : null}
    </>
  );
}

/** The accounts, one of them chosen, and its keys. */
function Accounts() {
  const { client, session, report } = useConsole();
  const loaded = useLoad("accounts", (signal) =>
    ifAllowed(listAccounts(client, { signal }), undefined),
  );
  const [account, setAccount] = useState(session.account);
  const [isAsked, setIsAsked] = useState(false);
  const [failure, setFailure] = useState("");
  const accounts = loaded.value;
  const create = async (form: FormData) => {
    setIsAsked(false);
    setFailure("");
    const id = String(form.get("account") ?? "").trim();
    try {
      const { AccountId } = await createAccount(client, id === "" ? undefined : id);
      setAccount(AccountId);
      loaded.reload();
    } catch (error) {
      setFailure(report(error));
    }
  };
  return (
    <>
      <Failure text={loaded.error} />
      {accounts ? (
        <div class="fields">
          <label>
            Account
            <select value={account} onChange={(event) => setAccount(event.currentTarget.value)}>
              {accounts.map(({ AccountId: id }, at) => (
                <option key={id} value={id}>
                  {id}
                  {at === 0 ? " (manages the store)" : ""}
                  {id === session.account ? " (yours)" : ""}
                </option>
              ))}
            </select>
          </label>
          <button type="button" onClick={() => setIsAsked(true)}>
            New account …
          </button>
        </div>
      ) : null}
      <Failure text={failure} />
      <AccessKeys key={account} account={account} />
      {isAsked ? (
        <Dialog
          title="New account"
          action="Create account"
          onCancel={() => setIsAsked(false)}
          onConfirm={(form) => void create(form)}
        >
          <p>
            What belongs to one account does not exist for another. An account is there for good; it
            can do nothing until it has an access key.
          </p>
          <label>
            Account id, twelve digits; empty for a new one
            <input name="account" pattern="[0-9]{12}" inputMode="numeric" autocomplete="off" />
          </label>
        </Dialog>
      ) : null}
    </>
  );
}
