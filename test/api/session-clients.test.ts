import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { test } from "node:test";
import { promisify } from "node:util";
import { EBSClient, ListSnapshotBlocksCommand, StartSnapshotCommand } from "@aws-sdk/client-ebs";
import { GetCallerIdentityCommand, STSClient } from "@aws-sdk/client-sts";
import { fromTemporaryCredentials } from "@aws-sdk/credential-providers";
import { policyOf } from "../support/keys.ts";
import { snapshotOf } from "../support/operations.ts";
import { blockContents } from "../support/property.ts";
import { findPythonTools } from "../support/python.ts";
import { awsEnvironment, sdkOptions, startService } from "../support/service.ts";

/* Temporary credentials as AWS's own tools ask for them and use them. */

const tools = await findPythonTools();
const skip = typeof tools === "string" ? tools : false;
const run = promisify(execFile);
const READ = policyOf({ Action: ["ebs:List*", "ebs:Get*"] });

test("The AWS CLI works with a session token, and with a role", { skip }, async (t) => {
  if (typeof tools === "string") return;
  const service = await startService(t);
  const { account } = service.firstKey.key;
  const snapshot = await snapshotOf(service, new Map([[0, blockContents(1)]]));
  const base = { ...process.env, ...awsEnvironment(service) };
  const aws = async (env: NodeJS.ProcessEnv, ...args: string[]) => {
    const { stdout } = await run(tools.aws, [...args, "--output", "json"], { env });
    return JSON.parse(stdout) as Record<string, Record<string, string>>;
  };
  const role = `arn:aws:iam::${account}:role/backup`;
  const assume = ["--role-arn", role, "--role-session-name", "nightly", "--policy"];
  for (const [action, ...args] of [
    ["get-session-token", "--duration-seconds", "900"],
    ["assume-role", ...assume, JSON.stringify(READ)],
    ["get-federation-token", "--name", "reader", "--policy", JSON.stringify(READ)],
  ] as [string, ...string[]][]) {
    const { Credentials } = await aws(base, "sts", action, ...args);
    const env = {
      ...base,
      AWS_ACCESS_KEY_ID: Credentials?.["AccessKeyId"],
      AWS_SECRET_ACCESS_KEY: Credentials?.["SecretAccessKey"],
      AWS_SESSION_TOKEN: Credentials?.["SessionToken"],
    };
    const who = await aws(env, "sts", "get-caller-identity");
    assert.equal(String(who["Account"]), account);
    const page = await aws(env, "ebs", "list-snapshot-blocks", "--snapshot-id", snapshot);
    assert.equal((page["Blocks"] as unknown as object[]).length, 1);
    const starting = aws(env, "ebs", "start-snapshot", "--volume-size", "1");
    if (action === "get-session-token") await starting;
    else await assert.rejects(starting, /AccessDeniedException.*no session policy allows/s);
    const without = { ...env, AWS_SESSION_TOKEN: "" };
    await assert.rejects(aws(without, "sts", "get-caller-identity"), /InvalidClientTokenId/);
  }
});

test("The SDK for JavaScript assumes a role by its own credential provider", async (t) => {
  const service = await startService(t);
  const { account } = service.firstKey.key;
  const snapshot = await snapshotOf(service, new Map([[0, blockContents(1)]]));
  const { endpoint, region, credentials: masterCredentials } = sdkOptions(service);
  const credentials = fromTemporaryCredentials({
    masterCredentials,
    params: {
      RoleArn: `arn:aws:iam::${account}:role/backup`,
      RoleSessionName: "nightly",
      Policy: JSON.stringify(READ),
      DurationSeconds: 900,
    },
    clientConfig: { endpoint, region },
  });
  const [ebs, sts] = [EBSClient, STSClient].map((Client) => {
    return new Client({ endpoint, region, credentials });
  }) as [EBSClient, STSClient];
  t.after(() => {
    ebs.destroy();
    sts.destroy();
  });
  const { Blocks } = await ebs.send(new ListSnapshotBlocksCommand({ SnapshotId: snapshot }));
  assert.equal(Blocks?.length, 1);
  const { Arn } = await sts.send(new GetCallerIdentityCommand({}));
  assert.equal(Arn, `arn:aws:sts::${account}:assumed-role/backup/nightly`);
  const starting = ebs.send(new StartSnapshotCommand({ VolumeSize: 1 }));
  await assert.rejects(starting, { name: "AccessDeniedException", message: /no session policy/ });
  const { expiration } = await credentials();
  const left = (expiration?.getTime() ?? 0) - Date.now();
  assert.ok(left > 880_000 && left <= 900_000, String(left));
});
