import { readFile } from "node:fs/promises";
import { type Command, InvalidArgumentError } from "commander";
import {
  type AccessKeyDescription,
  createAccessKey,
  deleteAccessKey,
  FileError,
  getAccessKey,
  getFederationToken,
  getSessionToken,
  listAccessKeys,
  rotateTokenSecrets,
  updateAccessKey,
} from "../../client/index.ts";
import { durationArgument } from "../arguments.ts";
import { addSimulateCommand } from "../key-simulate.ts";
import { formatTable } from "../output/format.ts";
import { type Session, withSession } from "../session.ts";
import { accountIdArgument } from "./account.ts";

interface KeyOptions {
  readonly account?: string;
  readonly policy?: string;
}

interface SessionOptions {
  readonly duration: number;
  readonly policy?: string;
}

/** Name of the federated user that `varve key session --policy` makes credentials for. */
const SESSION_NAME = "varve";

/** Adds `varve key create|list|session|activate|…` and all else on access keys. */
export function addKeyCommand(program: Command): void {
  const key = program.command("key").summary("create, list, rotate and revoke access keys");
  key
    .command("create")
    .description("Create an access key and show its secret, this once.")
    .option("--account <id>", "account it belongs to (default: your own)", accountIdArgument)
    .option("--policy <file>", "IAM policy as JSON (default: every right of the account)")
    .action((options: KeyOptions, command: Command) =>
      withSession(command, (session) => create(session, options)),
    );
  key
    .command("list")
    .description("List an account's access keys, the oldest first.")
    .option("--account <id>", "account they belong to (default: your own)", accountIdArgument)
    .action(({ account }: KeyOptions, command: Command) =>
      withSession(command, (session) => list(session, account)),
    );
  key
    .command("session")
    .description("Print temporary credentials for the environment, or for credential_process.")
    .option("--duration <time>", "how long: 15m to 36h", durationArgument, durationArgument("1h"))
    .option("--policy <file>", "IAM policy as JSON that narrows what they may do")
    .action((options: SessionOptions, command: Command) =>
      withSession(command, (session) => printCredentials(session, options)),
    );
  addChange(key, ["activate", "Let an access key be used again."], (session, accessKeyId) =>
    update(session, { AccessKeyId: accessKeyId, Status: "Active" }),
  );
  addChange(key, ["deactivate", "Refuse an access key from now on."], (session, accessKeyId) =>
    update(session, { AccessKeyId: accessKeyId, Status: "Inactive" }),
  );
  addChange(key, ["delete", "Delete an access key for good."], async (session, accessKeyId) => {
    await deleteAccessKey(session.client, accessKeyId, { signal: session.signal });
    session.output.result({ accessKeyId }, accessKeyId);
  });
  addPolicyCommands(key);
  addSimulateCommand(key, { accessKeyId: accessKeyIdArgument, readPolicy });
  key
    .command("rotate-tokens")
    .description(
      "Mint block, page and session tokens with new secrets from now on. The service also does " +
        "it by itself, every 90 days; tokens that are there stay good until they expire.",
    )
    .option("--revoke", "refuse all tokens and temporary credentials given out so far")
    .action(({ revoke = false }: { readonly revoke?: boolean }, command: Command) =>
      withSession(command, (session) => rotateTokens(session, revoke)),
    );
}

async function rotateTokens({ client, output, signal }: Session, Revoke: boolean): Promise<void> {
  const { CreateDate, Revoked } = await rotateTokenSecrets(client, { Revoke }, { signal });
  const fate = Revoked ? "are refused." : "stay good until they expire.";
  output.result(
    { createDate: CreateDate, revoked: Revoked },
    `Tokens are minted with new secrets. Those minted before ${CreateDate} ${fate}`,
  );
}

function addPolicyCommands(key: Command): void {
  const policy = key.command("policy").summary("show, set or remove a key's policy");
  addChange(policy, ["get", "Show the policy of an access key."], async (session, accessKeyId) => {
    const { client, output, signal } = session;
    const { PolicyDocument: text } = await getAccessKey(client, accessKeyId, { signal });
    if (text === null) output.note(`${accessKeyId} has no policy: every right is its own.`, {});
    output.result(
      { accessKeyId, policy: text && (JSON.parse(text) as object) },
      text?.trimEnd() ?? "",
    );
  });
  policy
    .command("set")
    .description("Give an access key a policy, which replaces the one it has.")
    .argument("<key>", "id of an access key", accessKeyIdArgument)
    .argument("<file>", "IAM policy as JSON")
    .action((accessKeyId: string, path: string, _options: object, command: Command) =>
      withSession(command, async (session) => {
        const PolicyDocument = await readPolicy(path);
        await update(session, { AccessKeyId: accessKeyId, PolicyDocument });
      }),
    );
  const description = "Take the policy of an access key away, and so give it every right.";
  addChange(policy, ["remove", description], (session, accessKeyId) =>
    update(session, { AccessKeyId: accessKeyId, PolicyDocument: null }),
  );
}

/** Adds a command that does something to one access key. */
function addChange(
  parent: Command,
  [name, description]: readonly [name: string, description: string],
  work: (session: Session, accessKeyId: string) => Promise<void>,
): void {
  parent
    .command(name)
    .description(description)
    .argument("<key>", "id of an access key", accessKeyIdArgument)
    .action((accessKeyId: string, _options: object, command: Command) =>
      withSession(command, (session) => work(session, accessKeyId)),
    );
}

async function create({ client, output, signal }: Session, options: KeyOptions): Promise<void> {
  const { account: accountId, policy: path } = options;
  const policy = path === undefined ? undefined : await readPolicy(path);
  const key = await createAccessKey(client, { accountId, policy }, { signal });
  const { SecretAccessKey: secretAccessKey } = key;
  const lines = [
    `Account            ${key.AccountId}`,
    `Access key id      ${key.AccessKeyId}`,
    `Secret access key  ${secretAccessKey}`,
    "                   shown this once: keep it where its user finds it",
  ];
  output.result({ ...toJson(key), secretAccessKey }, lines.join("\n"));
}

/** Without a policy, credentials as the key itself; with one, those of a federated user. */
async function printCredentials(
  { client, output, signal }: Session,
  { duration: DurationSeconds, policy: path }: SessionOptions,
): Promise<void> {
  const credentials =
    path === undefined
      ? await getSessionToken(client, { DurationSeconds }, { signal })
      : await getFederationToken(
          client,
          { Name: SESSION_NAME, Policy: await readPolicy(path), DurationSeconds },
          { signal },
        );
  const { AccessKeyId, SecretAccessKey, SessionToken, Expiration } = credentials;
  const lines = [
    `export AWS_ACCESS_KEY_ID=${AccessKeyId}`,
    `export AWS_SECRET_ACCESS_KEY=${SecretAccessKey}`,
    `export AWS_SESSION_TOKEN=${SessionToken}`,
    `# until ${Expiration}`,
  ];
  // The member names are those that the AWS tools read from a credential_process.
  const { AccessKeyId: id, ...rest } = credentials;
  output.result({ Version: 1, AccessKeyId: id, ...rest }, lines.join("\n"));
}

async function list({ client, output, signal }: Session, account?: string): Promise<void> {
  const keys = await listAccessKeys(client, account, { signal });
  const columns = ["ACCESS KEY", "STATUS", "RIGHTS", "CREATED"].map((title) => ({ title }));
  const rows = keys.map((key) => [
    key.AccessKeyId,
    key.Status,
    key.HasPolicy ? "policy" : "all",
    key.CreateDate.replace("T", " ").replace(/\.\d+Z$/, "Z"),
  ]);
  output.result(
    { accessKeys: keys.map(toJson) },
    rows.length > 0 ? formatTable(columns, rows) : "",
  );
}

async function update(
  { client, output, signal }: Session,
  change: Parameters<typeof updateAccessKey>[1],
): Promise<void> {
  await updateAccessKey(client, change, { signal });
  output.result({ accessKeyId: change.AccessKeyId }, change.AccessKeyId);
}

function toJson(key: AccessKeyDescription): object {
  return {
    accessKeyId: key.AccessKeyId,
    accountId: key.AccountId,
    status: key.Status,
    createDate: key.CreateDate,
    hasPolicy: key.HasPolicy,
  };
}

async function readPolicy(path: string): Promise<string> {
  return readFile(path, "utf8").catch((cause: Error & { code?: string }) => {
    const message = `Cannot read the policy file ${path}: ${cause.message}.`;
    throw new FileError(message, { path, code: cause.code ?? "EIO", cause });
  });
}

function accessKeyIdArgument(text: string): string {
  if (/^[\w-]{1,128}$/.test(text)) return text;
  throw new InvalidArgumentError("An access key id looks like AKIAIOSFODNN7EXAMPLE.");
}
