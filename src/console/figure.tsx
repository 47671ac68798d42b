import type { ComponentChildren } from "preact";

/** One figure with its name, and a few words below. */
export function Figure(props: {
  readonly name: string;
  readonly value: string;
  readonly isBad?: boolean;
  readonly children?: ComponentChildren;
}) {
  return (
    <dl class="figure">
      <dt>{props.name}</dt>
      <dd class={props.isBad ? "value failure" : "value"}>{props.value}</dd>
      {props.children ? <dd class="quiet">{props.children}</dd> : null}
    </dl>
  );
}
