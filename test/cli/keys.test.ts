import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { awsEnvironment, startService } from "../support/service.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { runVarve } from "./_varve.ts";

test("accounts and keys are made, used, limited and revoked by commands", async (t) => {
  const service = await startService(t);
  const folder = await temporaryDirectory(t);
  const env = awsEnvironment(service);
  const run = async (...args: string[]) => {
    const { code, stdout, stderr } = await runVarve([...args, "--json"], { env });
    assert.equal(code, 0, stderr);
    return JSON.parse(stdout) as Record<string, unknown>;
  };
  const { accountId } = (await run("account", "create")) as { accountId: string };
  const { account } = service.firstKey.key;
  assert.deepEqual(await run("account", "list"), { accounts: [account, accountId] });

  const created = await run("key", "create", "--account", accountId);
  const { accessKeyId, secretAccessKey } = created as Record<string, string>;
  const owner = {
    ...env,
    AWS_ACCESS_KEY_ID: accessKeyId ?? "",
    AWS_SECRET_ACCESS_KEY: secretAccessKey ?? "",
  };
  const list = () => runVarve(["list", "--json"], { env: owner });
  assert.equal((await list()).stdout, '{"snapshots":[]}\n');

  const policy = join(folder, "policy.json");
  await writeFile(policy, '{"Statement": {"Effect": "Deny", "Action": "*", "Resource": "*"}}\n');
  await run("key", "policy", "set", accessKeyId ?? "", policy);
  const refused = await list();
  assert.equal(refused.code, 4);
  assert.match(refused.stderr, /does not permit this to your access key.*explicit deny/);
  const shown = await runVarve(["key", "policy", "get", accessKeyId ?? ""], { env });
  assert.equal(shown.stdout, '{"Statement": {"Effect": "Deny", "Action": "*", "Resource": "*"}}\n');
  await run("key", "policy", "remove", accessKeyId ?? "");
  assert.equal((await list()).code, 0);
  const none = await runVarve(["key", "policy", "get", accessKeyId ?? ""], { env });
  assert.deepEqual([none.code, none.stdout], [0, ""]);
  assert.match(none.stderr, /has no policy/);

  await run("key", "deactivate", accessKeyId ?? "");
  assert.equal((await list()).code, 4);
  const { accessKeys } = await run("key", "list", "--account", accountId);
  assert.deepEqual(
    (accessKeys as { status: string }[]).map(({ status }) => status),
    ["Inactive"],
  );
  await run("key", "activate", accessKeyId ?? "");
  assert.equal((await list()).code, 0);
  await run("key", "delete", accessKeyId ?? "");
  assert.equal((await list()).code, 4);
});

test("a key's secret is shown once, in words that say so; a list shows none", async (t) => {
  const service = await startService(t);
  const env = awsEnvironment(service);
  const { code, stdout } = await runVarve(["key", "create"], { env });
  assert.equal(code, 0);
  const secret = /\nSecret access key +(\S{40})\n +shown this once/.exec(stdout)?.[1] ?? "";
  assert.notEqual(secret, "");
  const listed = await runVarve(["key", "list"], { env });
  assert.match(
    listed.stdout,
    /^ACCESS KEY +STATUS +RIGHTS +CREATED\n(AKIA\S+ +Active +all +.*Z\n){2}$/,
  );
  assert.ok(!listed.stdout.includes(secret));
});

test("temporary credentials are printed for a shell, and for the AWS tools", async (t) => {
  const service = await startService(t);
  const env = awsEnvironment(service);
  const { stdout } = await runVarve(["key", "session"], { env });
  const exported = Object.fromEntries(
    [...stdout.matchAll(/^export (\w+)=(\S+)$/gm)].map(([, name, value]) => [name, value]),
  ) as Record<string, string>;
  assert.match(stdout, /\n# until \S+Z\n$/);
  const list = await runVarve(["list", "--json"], { env: { ...env, ...exported } });
  assert.equal(list.stdout, '{"snapshots":[]}\n', list.stderr);

  const folder = await temporaryDirectory(t);
  const policy = join(folder, "policy.json");
  await writeFile(policy, '{"Statement": {"Effect": "Allow", "Action": "ebs:*", "Resource": "*"}}');
  const args = ["key", "session", "--policy", policy, "--duration", "15m", "--json"];
  const json = JSON.parse((await runVarve(args, { env })).stdout) as Record<string, string>;
  const names = ["Version", "AccessKeyId", "SecretAccessKey", "SessionToken", "Expiration"];
  assert.deepEqual(Object.keys(json), names);
  const left = Date.parse(json["Expiration"] ?? "") - Date.now();
  assert.ok(left > 880_000 && left <= 900_000, String(left));
  const narrowed = {
    AWS_ACCESS_KEY_ID: json["AccessKeyId"] ?? "",
    AWS_SECRET_ACCESS_KEY: json["SecretAccessKey"] ?? "",
    AWS_SESSION_TOKEN: json["SessionToken"] ?? "",
  };
  const denied = await runVarve(["list"], { env: { ...env, ...narrowed } });
  assert.equal(denied.code, 4);
  assert.match(denied.stderr, /no session policy allows the ec2:DescribeSnapshots action/);
});

test("a client finds temporary credentials by credential_process, as AWS tools do", async (t) => {
  const service = await startService(t);
  const { AWS_ACCESS_KEY_ID: id, AWS_SECRET_ACCESS_KEY: secret, ...env } = awsEnvironment(service);
  const config = join(await temporaryDirectory(t), "config");
  const program = `${process.execPath} ${join(import.meta.dirname, "../../bin/varve.mjs")}`;
  const lines = [
    "[profile own]",
    `aws_access_key_id = ${id}`,
    `aws_secret_access_key = ${secret}`,
    "[profile session]",
    `credential_process = ${program} --profile own key session --json`,
  ];
  await writeFile(config, lines.join("\n"));
  const options = { env: { ...env, AWS_CONFIG_FILE: config } };
  const { stdout, stderr } = await runVarve(["list", "--json", "--profile", "session"], options);
  assert.equal(stdout, '{"snapshots":[]}\n', stderr);
});

test("what cannot be done is said in one line", async (t) => {
  const service = await startService(t);
  const folder = await temporaryDirectory(t);
  const env = awsEnvironment(service);
  const own = service.firstKey.key.accessKeyId;
  const broken = join(folder, "broken.json");
  await writeFile(broken, '{"Statement": {"Effect": "Allow", "Action": "*"}}');
  const cases: [args: string[], code: number, message: RegExp][] = [
    [["key", "delete", own], 1, /last active access key.*Create another/],
    [["key", "delete", "AKIAUNKNOWN"], 1, /There is no access key AKIAUNKNOWN/],
    [["key", "policy", "set", own, broken], 1, /Statement: needs either Resource or NotResource/],
    [["key", "policy", "set", own, join(folder, "none")], 6, /Cannot read the policy file/],
    [["account", "create", "42"], 2, /twelve digits/],
    [["key", "session", "--duration", "14m"], 2, /15m to 36h/],
    [["key", "session", "--policy", join(folder, "none")], 6, /Cannot read the policy file/],
    [["key", "create", "--account", "999999999999"], 1, /There is no account 999999999999/],
  ];
  for (const [args, code, message] of cases) {
    const outcome = await runVarve(args, { env });
    assert.equal(outcome.code, code, outcome.stderr);
    assert.match(outcome.stderr, /^varve: [^\n]+\n$/);
    assert.match(outcome.stderr, message);
    assert.equal(outcome.stdout, "");
  }
});

test("varve key rotate-tokens lets sessions live, and ends them with --revoke", async (t) => {
  const service = await startService(t);
  const env = awsEnvironment(service);
  const made = await runVarve(["key", "session", "--json"], { env });
  const { AccessKeyId, SecretAccessKey, SessionToken } = JSON.parse(made.stdout);
  const session = {
    ...{ ...env, AWS_ACCESS_KEY_ID: AccessKeyId, AWS_SECRET_ACCESS_KEY: SecretAccessKey },
    AWS_SESSION_TOKEN: SessionToken,
  };
  const list = () => runVarve(["list"], { env: session });
  const rotated = await runVarve(["key", "rotate-tokens"], { env });
  assert.equal(rotated.code, 0, rotated.stderr);
  const told = rotated.stdout.replace(/\d{4}-\S+Z/, "TIME");
  assert.equal(
    told,
    "Tokens are minted with new secrets. Those minted before TIME stay good until they expire.\n",
  );
  assert.equal((await list()).code, 0);
  const revoked = await runVarve(["key", "rotate-tokens", "--revoke", "--json"], { env });
  const json = JSON.parse(revoked.stdout) as Record<string, unknown>;
  assert.deepEqual([Object.keys(json), json["revoked"]], [["createDate", "revoked"], true]);
  assert.equal((await list()).code, 4);
});

test("varve key simulate says what a policy would allow, and because of what", async (t) => {
  const service = await startService(t);
  const env = awsEnvironment(service);
  const policy = join(await temporaryDirectory(t), "policy.json");
  const statement = { Effect: "Allow", Action: "ebs:Get*", Resource: "*" };
  await writeFile(policy, JSON.stringify({ Statement: [statement] }));
  const actions = ["--action", "ebs:GetSnapshotBlock", "--action", "ec2:DeleteSnapshot"];
  const run = (...args: string[]) => runVarve(["key", "simulate", ...args], { env });
  const { code, stdout, stderr } = await run("--policy", policy, ...actions);
  assert.equal(code, 0, stderr);
  assert.match(
    stdout,
    new RegExp(
      "^DECISION +ACTION +RESOURCE +BECAUSE OF\\n" +
        "allowed +ebs:GetSnapshotBlock +\\* +Statement\\[0\\]\\n" +
        "not allowed +ec2:DeleteSnapshot +\\* +no statement\\n$",
    ),
  );
  const { AWS_ACCESS_KEY_ID: own = "" } = env;
  const ofKey = await run(own, "--json", "--context", "aws:SourceIp=10.0.0.1", ...actions);
  const json = JSON.parse(ofKey.stdout) as { hasPolicy: boolean; results: { decision: string }[] };
  assert.equal(json.hasPolicy, false);
  assert.deepEqual(
    json.results.map(({ decision }) => decision),
    ["allowed", "allowed"],
  );
  for (const args of [[], [own, "--policy", policy]]) {
    const refused = await run(...args);
    assert.equal(refused.code, 2);
    assert.match(refused.stderr, /Give either the id of an access key, or --policy FILE/);
  }
});
