import type { ComponentChildren } from "preact";
import { useEffect, useId, useRef } from "preact/hooks";

/** A dialog over the page; Escape and its Cancel button close it. */
export function Dialog(props: {
  readonly title: string;
  /** On the button that goes ahead. */
  readonly action: string;
  readonly isDangerous?: boolean;
  readonly onCancel: () => void;
  readonly onConfirm: (form: FormData) => void;
  readonly children: ComponentChildren;
}) {
  const ref = useRef<HTMLDialogElement>(null);
  const titleId = useId();
  useEffect(() => ref.current?.showModal(), []);
  const confirm = (event: SubmitEvent) => {
    event.preventDefault();
    const data = new FormData(event.currentTarget as HTMLFormElement);
    // Closing it gives the focus back to where it was; that the page takes it away would not.
    ref.current?.close();
    props.onConfirm(data);
  };
  return (
    <dialog ref={ref} aria-labelledby={titleId} onClose={props.onCancel}>
      <form onSubmit={confirm}>
        <h2 id={titleId}>{props.title}</h2>
        {props.children}
        <div class="buttons">
          <button type="button" onClick={() => ref.current?.close()}>
            Cancel
          </button>
          <button type="submit" class={props.isDangerous ? "danger" : "primary"}>
            {props.action}
          </button>
        </div>
      </form>
    </dialog>
  );
}
