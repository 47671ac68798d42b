import { type Command, InvalidArgumentError } from "commander";
import { type ContextEntry, type SimulationResult, simulatePolicy } from "../client/index.ts";
import { UsageError } from "./errors.ts";
import { formatTable } from "./output/format.ts";
import { type Session, withSession } from "./session.ts";

interface SimulateOptions {
  readonly policy?: string;
  readonly action?: readonly string[];
  readonly resource?: readonly string[];
  readonly context?: readonly ContextEntry[];
}

/** What the command is given by the one that it belongs to. */
interface KeyArguments {
  readonly accessKeyId: (text: string) => string;
  readonly readPolicy: (path: string) => Promise<string>;
}

/** Adds `varve key simulate`. */
export function addSimulateCommand(key: Command, { accessKeyId, readPolicy }: KeyArguments): void {
  key
    .command("simulate")
    .description("Say what a policy would allow: that of an access key, or one in a file.")
    .argument("[key]", "id of an access key", accessKeyId)
    .option("--policy <file>", "IAM policy as JSON, instead of a key's")
    .option("--action <name>", "an action, as ebs:GetSnapshotBlock (default: all)", several)
    .option("--resource <name>", "snapshot id, image id or ARN (default: *)", several)
    .option("--context <key=value>", "what the request has, as aws:SourceIp=10.0.0.1", contexts)
    .action((id: string | undefined, options: SimulateOptions, command: Command) =>
      withSession(command, async (session) => {
        if ((id === undefined) === (options.policy === undefined)) {
          throw new UsageError("Give either the id of an access key, or --policy FILE.");
        }
        const { policy } = options;
        const document = policy === undefined ? undefined : await readPolicy(policy);
        await simulate(session, { id, document, options });
      }),
    );
}

async function simulate(
  { client, output, signal }: Session,
  given: {
    readonly id: string | undefined;
    readonly document: string | undefined;
    readonly options: SimulateOptions;
  },
): Promise<void> {
  const { id, document, options } = given;
  const { HasPolicy, Results } = await simulatePolicy(
    client,
    {
      AccessKeyId: id,
      PolicyDocument: document,
      Actions: options.action,
      Resources: options.resource,
      ContextEntries: options.context,
    },
    { signal },
  );
  if (!HasPolicy) output.note(`${id} has no policy: every right of its account is its own.`, {});
  const columns = ["DECISION", "ACTION", "RESOURCE", "BECAUSE OF"].map((title) => ({ title }));
  const rows = Results.map((result) => [
    WORDS[result.Decision],
    result.Action,
    result.Resource,
    reasonOf(result, HasPolicy),
  ]);
  output.result({ hasPolicy: HasPolicy, results: Results.map(toJson) }, formatTable(columns, rows));
}

const WORDS: Readonly<Record<SimulationResult["Decision"], string>> = {
  allowed: "allowed",
  explicitDeny: "denied",
  implicitDeny: "not allowed",
};

function reasonOf({ Statements }: SimulationResult, hasPolicy: boolean): string {
  if (!hasPolicy) return "no policy";
  if (Statements.length === 0) return "no statement";
  return Statements.map((at) => `Statement[${at}]`).join(", ");
}

function toJson({ Action, Resource, Decision, Statements }: SimulationResult): object {
  return { action: Action, resource: Resource, decision: Decision, statements: Statements };
}

function several(text: string, earlier: readonly string[] = []): string[] {
  return [...earlier, text];
}

function contexts(text: string, earlier: readonly ContextEntry[] = []): ContextEntry[] {
  const equals = text.indexOf("=");
  if (equals < 1) throw new InvalidArgumentError("It is given as KEY=VALUE.");
  const [Name, value] = [text.slice(0, equals), text.slice(equals + 1)];
  const before = earlier.find((each) => each.Name === Name);
  const others = earlier.filter((each) => each.Name !== Name);
  return [...others, { Name, Values: [...(before?.Values ?? []), value] }];
}
