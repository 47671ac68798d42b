import { useState } from "preact/hooks";
import { createTags, deleteTags, type Tag } from "../client/browser.ts";
import { useConsole } from "./console-context.ts";

/** A snapshot's tags, to add to and to take from. */
export function TagEditor(props: {
  readonly snapshotId: string;
  readonly tags: readonly Tag[];
  readonly onChanged: () => void;
}) {
  const { client, report } = useConsole();
  const [failure, setFailure] = useState("");
  const Resources = [props.snapshotId];
  const change = async (work: Promise<void>, form?: HTMLFormElement) => {
    setFailure("");
    try {
      await work;
      form?.reset();
      props.onChanged();
    } catch (error) {
      setFailure(report(error));
    }
  };
  const add = (event: SubmitEvent) => {
    event.preventDefault();
    const form = event.currentTarget as HTMLFormElement;
    const data = new FormData(form);
    const tag = { Key: String(data.get("key")), Value: String(data.get("value") ?? "") };
    void change(createTags(client, { Resources, Tags: [tag] }), form);
  };
  return (
    <section aria-labelledby="tags-heading">
      <h2 id="tags-heading">Tags</h2>
      {props.tags.length === 0 ? <p class="quiet">None.</p> : null}
      <ul class="tags">
        {props.tags.map(({ Key, Value }) => (
          <li key={Key} class="tag">
            {Value === "" ? Key : `${Key}=${Value}`}
            <button
              type="button"
              class="remove"
              aria-label={`Remove tag ${Key}`}
              onClick={() => void change(deleteTags(client, { Resources, Tags: [{ Key }] }))}
            >
              ×
            </button>
          </li>
        ))}
      </ul>
      <form class="fields" onSubmit={add}>
        <label>
          Key
          <input name="key" required maxLength={128} size={14} />
        </label>
        <label>
          Value
          <input name="value" maxLength={256} size={14} />
        </label>
        <button type="submit">Add tag</button>
      </form>
      {failure === "" ? null : (
        <p class="failure" role="alert">
          {failure}
        </p>
      )}
    </section>
  );
}
