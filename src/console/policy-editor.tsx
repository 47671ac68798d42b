import { useEffect, useId, useState } from "preact/hooks";
import { systemClock } from "../base/clock.ts";
import {
  type Client,
  ClientError,
  type SimulatePolicyResponse,
  simulatePolicy,
} from "../client/browser.ts";
import { useConsole } from "./console-context.ts";
import { type Circumstances, PolicyOutcome, type Resources } from "./policy-outcome.tsx";
import { POLICY_TEMPLATES } from "./policy-templates.ts";

/** Pause in typing after which the service is asked what it makes of a policy. */
const PAUSE_MS = 300;

/** What the service makes of a policy. */
interface Verdict {
  readonly answer?: SimulatePolicyResponse | undefined;
  /** What is wrong with it, and where. */
  readonly fault?: string | undefined;
}

/** A policy to write: the service reads it at every pause, and says what it would allow. */
export function PolicyEditor(props: {
  readonly text: string;
  readonly onText: (text: string) => void;
  readonly onValid?: (isValid: boolean) => void;
}) {
  const { text, onText, onValid } = props;
  const { client, report } = useConsole();
  const [verdict, setVerdict] = useState<Verdict>({});
  const [resources, setResources] = useState<Resources>("*");
  const [circumstances, setCircumstances] = useState<Circumstances>({ sourceIp: "" });
  const faultId = useId();
  useEffect(() => {
    const changed = new AbortController();
    const { signal } = changed;
    onValid?.(false);
    const ask = async () => {
      await systemClock.sleep(PAUSE_MS, signal);
      const found = await judge(client, { text, resources, circumstances }, signal);
      if (signal.aborted) return;
      setVerdict(found);
      onValid?.(found.fault === undefined);
    };
    ask().catch((error: unknown) => {
      if (!signal.aborted) setVerdict({ fault: report(error) });
    });
    return () => changed.abort(new Error("The policy has changed"));
  }, [text, resources, circumstances.sourceIp]);
  const { answer, fault } = verdict;
  return (
    <div class="policy">
      <div>
        <label>
          Policy, in the JSON of IAM
          <textarea
            class="code"
            rows={18}
            spellcheck={false}
            value={text}
            aria-invalid={fault !== undefined}
            aria-describedby={faultId}
            onInput={(event) => onText(event.currentTarget.value)}
          />
        </label>
        <p id={faultId} role="status" class={fault === undefined ? "good" : "failure"}>
          {fault ?? (answer ? "The service understands all of it." : "Reading …")}
        </p>
        <div class="bulk">
          <span class="quiet">Begin with</span>
          {POLICY_TEMPLATES.map(({ name, title, document }) => (
            <button key={name} type="button" onClick={() => onText(document)}>
              {title}
            </button>
          ))}
        </div>
      </div>
      <PolicyOutcome
        results={fault === undefined ? answer?.Results : undefined}
        {...{ resources, circumstances }}
        onResources={setResources}
        onCircumstances={setCircumstances}
      />
    </div>
  );
}

async function judge(
  client: Client,
  asked: {
    readonly text: string;
    readonly resources: Resources;
    readonly circumstances: Circumstances;
  },
  signal: AbortSignal,
): Promise<Verdict> {
  const { text, resources, circumstances } = asked;
  const syntax = syntaxFault(text);
  if (syntax !== undefined) return { fault: syntax };
  const sourceIp = circumstances.sourceIp.trim();
  const ContextEntries =
    sourceIp === "" ? undefined : [{ Name: "aws:SourceIp", Values: [sourceIp] }];
  const Resources = [resources.trim() || "*"];
  try {
    const input = { PolicyDocument: text, Resources, ContextEntries };
    return { answer: await simulatePolicy(client, input, { signal }) };
  } catch (error) {
    if (error instanceof ClientError && error.status === 400) return { fault: error.message };
    throw error;
  }
}

/** What the browser makes of it as JSON: it names the place, which the service does not. */
function syntaxFault(text: string): string | undefined {
  try {
    JSON.parse(text);
    return undefined;
  } catch (error) {
    return `This is not JSON: ${(error as Error).message}`;
  }
}
