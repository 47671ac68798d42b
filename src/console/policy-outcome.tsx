import { useState } from "preact/hooks";
import type { SimulationResult } from "../client/browser.ts";
import { counted } from "./format.ts";

/** What the actions are done to: an id, an ARN, or `*`. */
export type Resources = string;

/** What a request would say of itself. */
export interface Circumstances {
  /** Address that it comes from; "" for none. */
  readonly sourceIp: string;
}

/** Services by their prefix, in the order shown. */
const SERVICES = [
  { prefix: "ebs:", title: "Blocks (EBS direct APIs)" },
  { prefix: "ec2:", title: "Snapshots and images (EC2)" },
  { prefix: "kms:", title: "Encryption keys (KMS)" },
  { prefix: "sts:", title: "Sessions (STS)" },
];

/** What a policy would allow, action by action. */
export function PolicyOutcome(props: {
  /** Undefined while it is not known. */
  readonly results: readonly SimulationResult[] | undefined;
  readonly resources: Resources;
  readonly circumstances: Circumstances;
  readonly onResources: (resources: Resources) => void;
  readonly onCircumstances: (circumstances: Circumstances) => void;
}) {
  const { results, resources, circumstances } = props;
  const [isAll, setIsAll] = useState(false);
  const allowed = (results ?? []).filter(({ Decision }) => Decision === "allowed").length;
  return (
    <section class="outcome" aria-labelledby="outcome-heading">
      <h3 id="outcome-heading">What it would allow</h3>
      <div class="fields">
        <label>
          On
          <input
            value={resources}
            placeholder="snap-…, ami-…, an ARN or *"
            spellcheck={false}
            onInput={(event) => props.onResources(event.currentTarget.value)}
          />
        </label>
        <label>
          From address
          <input
            value={circumstances.sourceIp}
            placeholder="any"
            size={14}
            onInput={(event) => props.onCircumstances({ sourceIp: event.currentTarget.value })}
          />
        </label>
        <label class="check">
          <input
            type="checkbox"
            checked={isAll}
            onChange={(event) => setIsAll(event.currentTarget.checked)}
          />
          Also what it does not
        </label>
      </div>
      <p class="quiet" role="status">
        {results ? `${counted(allowed, "action")} of ${results.length} allowed` : "–"}
      </p>
      {results
        ? SERVICES.map((service) => (
            <ServiceResults
              key={service.prefix}
              title={service.title}
              results={results.filter(
                ({ Action, Decision }) =>
                  Action.startsWith(service.prefix) && (isAll || Decision !== "implicitDeny"),
              )}
            />
          ))
        : null}
    </section>
  );
}

function ServiceResults(props: {
  readonly title: string;
  readonly results: readonly SimulationResult[];
}) {
  if (props.results.length === 0) return null;
  return (
    <>
      <h4>{props.title}</h4>
      <ul class="decisions">
        {props.results.map((result) => (
          <li key={result.Action} class={result.Decision} title={reasonOf(result)}>
            {result.Action.slice(4)}
            <span class="hidden">: {WORDS[result.Decision]}</span>
          </li>
        ))}
      </ul>
    </>
  );
}

const WORDS: Readonly<Record<SimulationResult["Decision"], string>> = {
  allowed: "allowed",
  explicitDeny: "denied",
  implicitDeny: "not allowed",
};

function reasonOf({ Decision, Statements }: SimulationResult): string {
  const places = Statements.map((at) => `Statement[${at}]`).join(", ");
  return `${WORDS[Decision]}: ${places || "no statement speaks of it"}`;
}
