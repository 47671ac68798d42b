import { useState } from "preact/hooks";
import {
  type AccessKeyDescription,
  createAccessKey,
  deleteAccessKey,
  listAccessKeys,
  updateAccessKey,
} from "../client/browser.ts";
import { useConsole, useLoad } from "./console-context.ts";
import { CopyButton } from "./copy-button.tsx";
import { Dialog } from "./dialog.tsx";
import { Failure } from "./failure.tsx";
import { formatTime } from "./format.ts";
import { ifAllowed } from "./if-allowed.ts";
import { KeyPolicy } from "./key-policy.tsx";
import { POLICY_TEMPLATES } from "./policy-templates.ts";

/** A new key with its secret, which is here until it is put away, and nowhere else. */
interface NewKey {
  readonly id: string;
  readonly secret: string;
}

/** The keys of one account. */
export function AccessKeys({ account }: { readonly account: string }) {
  const { client, report } = useConsole();
  const loaded = useLoad(account, (signal) => {
    return ifAllowed(listAccessKeys(client, account, { signal }), "denied" as const);
  });
  const [isAsked, setIsAsked] = useState(false);
  const [made, setMade] = useState<NewKey>();
  const [failure, setFailure] = useState("");
  const [edited, setEdited] = useState("");
  const attempt = async (work: Promise<unknown>) => {
    setFailure("");
    try {
      await work;
      loaded.reload();
    } catch (error) {
      setFailure(report(error));
    }
  };
  const create = async (form: FormData) => {
    setIsAsked(false);
    const policy = POLICY_TEMPLATES.find(({ name }) => name === form.get("rights"))?.document;
    const key = await createAccessKey(client, { accountId: account, policy });
    setMade({ id: key.AccessKeyId, secret: key.SecretAccessKey });
    if (policy !== undefined) setEdited(key.AccessKeyId);
  };
  const keys = loaded.value;
  if (keys === "denied") {
    return (
      <p class="empty">
        Access keys are managed with one that has no policy, of the account itself or of the first.
      </p>
    );
  }
  return (
    <>
      <section aria-labelledby="keys-heading">
        <div class="heading">
          <h2 id="keys-heading">Access keys of {account}</h2>
          <button type="button" class="primary" onClick={() => setIsAsked(true)}>
            Create access key …
          </button>
        </div>
        <Failure text={loaded.error} />
        <Failure text={failure} />
        {made ? <Secret made={made} onDone={() => setMade(undefined)} /> : null}
        {keys ? <KeyTable {...{ keys, attempt, edited, onEdit: setEdited }} /> : null}
      </section>
      {keys?.some(({ AccessKeyId }) => AccessKeyId === edited) ? (
        <KeyPolicy key={edited} accessKeyId={edited} onChanged={loaded.reload} />
      ) : null}
      {isAsked ? (
        <CreateDialog
          account={account}
          onCancel={() => setIsAsked(false)}
          onConfirm={(form) => void attempt(create(form))}
        />
      ) : null}
    </>
  );
}

function CreateDialog(props: {
  readonly account: string;
  readonly onCancel: () => void;
  readonly onConfirm: (form: FormData) => void;
}) {
  return (
    <Dialog
      title={`New access key for ${props.account}`}
      action="Create access key"
      onCancel={props.onCancel}
      onConfirm={props.onConfirm}
    >
      <fieldset class="choices">
        <legend>What it may do</legend>
        {POLICY_TEMPLATES.map(({ name, title, explanation }, at) => (
          <label key={name} class="check">
            <input type="radio" name="rights" value={name} defaultChecked={at === 0} />
            <span>
              {title}
              <span class="description">{explanation}</span>
            </span>
          </label>
        ))}
        <label class="check">
          <input type="radio" name="rights" value="all" />
          <span>
            Everything its account may
            <span class="description">without a policy, management of keys included</span>
          </span>
        </label>
      </fieldset>
      <p class="quiet">A policy can be written, tried and changed afterwards.</p>
    </Dialog>
  );
}

/** Shows a new key's secret, this once. */
function Secret({ made, onDone }: { readonly made: NewKey; readonly onDone: () => void }) {
  return (
    <div class="secret" role="status">
      <p>
        <strong>The secret is shown this once.</strong> Keep it where its user finds it; the service
        does not tell it again.
      </p>
      <dl class="facts">
        <dt>Access key id</dt>
        <dd>
          <code>{made.id}</code> <CopyButton text={made.id} what="the access key id" />
        </dd>
        <dt>Secret access key</dt>
        <dd>
          <code>{made.secret}</code> <CopyButton text={made.secret} what="the secret" />
        </dd>
      </dl>
      <button type="button" class="primary" onClick={onDone}>
        I have kept it
      </button>
    </div>
  );
}

/** What is to be done with a key, once it is confirmed. */
interface Question {
  readonly action: "deactivate" | "delete";
  readonly id: string;
}

function KeyTable(props: {
  readonly keys: readonly AccessKeyDescription[];
  readonly attempt: (work: Promise<unknown>) => Promise<void>;
  readonly edited: string;
  readonly onEdit: (accessKeyId: string) => void;
}) {
  const { client } = useConsole();
  const [question, setQuestion] = useState<Question>();
  const { keys, attempt, edited, onEdit } = props;
  const confirm = () => {
    if (question === undefined) return;
    const { action, id } = question;
    setQuestion(undefined);
    void attempt(
      action === "delete"
        ? deleteAccessKey(client, id)
        : updateAccessKey(client, { AccessKeyId: id, Status: "Inactive" }),
    );
  };
  if (keys.length === 0) return <p class="empty">None. Create one to let somebody in.</p>;
  return (
    <>
      <table class="stacked">
        <thead>
          <tr>
            <th scope="col">Access key</th>
            <th scope="col">Status</th>
            <th scope="col">Rights</th>
            <th scope="col">Created</th>
            <th scope="col">Change</th>
          </tr>
        </thead>
        <tbody>
          {keys.map((key) => (
            <KeyRow
              key={key.AccessKeyId}
              accessKey={key}
              isEdited={edited === key.AccessKeyId}
              onEdit={() => onEdit(edited === key.AccessKeyId ? "" : key.AccessKeyId)}
              onActivate={() =>
                void attempt(
                  updateAccessKey(client, { AccessKeyId: key.AccessKeyId, Status: "Active" }),
                )
              }
              onAsk={(action) => setQuestion({ action, id: key.AccessKeyId })}
            />
          ))}
        </tbody>
      </table>
      {question ? (
        <Dialog
          title={`${question.action === "delete" ? "Delete" : "Deactivate"} ${question.id}?`}
          action={question.action === "delete" ? "Delete access key" : "Deactivate access key"}
          isDangerous
          onCancel={() => setQuestion(undefined)}
          onConfirm={confirm}
        >
          <p>
            Whoever uses it is refused from the next request on, temporary credentials made with it
            included.{" "}
            {question.action === "delete"
              ? "It cannot be brought back."
              : "It can be activated again."}
          </p>
        </Dialog>
      ) : null}
    </>
  );
}

function KeyRow(props: {
  readonly accessKey: AccessKeyDescription;
  readonly isEdited: boolean;
  readonly onEdit: () => void;
  readonly onActivate: () => void;
  readonly onAsk: (action: Question["action"]) => void;
}) {
  const { session } = useConsole();
  const { AccessKeyId: id, Status, HasPolicy, CreateDate } = props.accessKey;
  const isActive = Status === "Active";
  return (
    <tr>
      <th scope="row">
        <code class="id">{id}</code>
        {session.accessKeyId === id ? (
          <span class="description">you have signed in with it</span>
        ) : null}
      </th>
      <td data-label="Status">
        <span class={`state ${isActive ? "completed" : ""}`}>
          {isActive ? "active" : "inactive"}
        </span>
      </td>
      <td data-label="Rights">{HasPolicy ? "a policy" : "all of the account"}</td>
      <td data-label="Created">{formatTime(CreateDate)}</td>
      <td>
        <div class="bulk">
          <button
            type="button"
            aria-expanded={props.isEdited}
            aria-label={`Policy of ${id}`}
            onClick={props.onEdit}
          >
            Policy
          </button>
          {isActive ? (
            <button
              type="button"
              aria-label={`Deactivate ${id}`}
              onClick={() => props.onAsk("deactivate")}
            >
              Deactivate …
            </button>
          ) : (
            <button type="button" aria-label={`Activate ${id}`} onClick={props.onActivate}>
              Activate
            </button>
          )}
          <button
            type="button"
            class="danger"
            aria-label={`Delete ${id}`}
            onClick={() => props.onAsk("delete")}
          >
            Delete …
          </button>
        </div>
      </td>
    </tr>
  );
}
