import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import type { Service } from "../../src/service.ts";
import { awsEnvironment, startService } from "../support/service.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { startTlsService } from "../support/tls-service.ts";
import { runVarve } from "./_varve.ts";

/* Where the command finds endpoints, certificates and credentials, as AWS's own tools do. */

/** Milliseconds in which credentials are found or not, however busy the machine is. */
const PATIENCE_MS = 30_000;

/** Everything but keys that the command needs to reach the service. */
function keylessEnvironment(service: Service): Record<string, string> {
  return { ...awsEnvironment(service), AWS_ACCESS_KEY_ID: "", AWS_SECRET_ACCESS_KEY: "" };
}

async function writeConfig(t: TestContext, text: string): Promise<string> {
  const path = join(await temporaryDirectory(t), "config");
  await writeFile(path, text);
  return path;
}

async function listen(t: TestContext, listener: RequestListener): Promise<string> {
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

test("a private authority is given by option and by the usual variables", async (t) => {
  const { service, endpoint, caFile } = await startTlsService(t);
  const list = (args: readonly string[], more: Record<string, string> = {}) =>
    runVarve(["list", "--endpoint", endpoint, ...args], {
      env: { ...awsEnvironment(service), ...more },
    });
  const results = await Promise.all([
    list(["--ca-file", caFile]),
    list([], { AWS_CA_BUNDLE: caFile }),
    list([], { NODE_EXTRA_CA_CERTS: caFile }),
  ]);
  for (const { code, stderr } of results) assert.equal(code, 0, stderr);
  const distrustful = await list([]);
  assert.equal(distrustful.code, 5);
  assert.match(distrustful.stderr, /authority that is not known here.*--ca-file/);
  const missing = await list(["--ca-file", `${caFile}.none`]);
  assert.equal(missing.code, 6, missing.stderr);
  assert.match(missing.stderr, /Cannot read the certificates in/);
});

test("a profile gives the endpoint, the region and a role to assume", async (t) => {
  const service = await startService(t);
  const { accessKeyId, secretAccessKey } = service.firstKey.key;
  const config = await writeConfig(
    t,
    `[profile owner]
aws_access_key_id = ${accessKeyId}
aws_secret_access_key = ${secretAccessKey}

[profile operator]
role_arn = arn:aws:iam::${service.firstKey.key.account}:role/operator
source_profile = owner
region = ${service.region}
services = here

[services here]
ebs =
  endpoint_url = ${service.endpoint}
ec2 =
  endpoint_url = ${service.endpoint}
sts =
  endpoint_url = ${service.endpoint}
`,
  );
  const env = { AWS_CONFIG_FILE: config, AWS_EC2_METADATA_DISABLED: "true" };
  const byOption = await runVarve(["list", "--profile", "operator"], { env });
  assert.equal(byOption.code, 0, byOption.stderr);
  const byVariable = await runVarve(["list"], { env: { ...env, AWS_PROFILE: "operator" } });
  assert.equal(byVariable.code, 0, byVariable.stderr);
  const unknown = await runVarve(["list", "--profile", "nobody"], { env });
  assert.equal(unknown.code, 4);
  assert.match(unknown.stderr, /No access key found in the profile nobody\./);
});

test("a process, a container and a machine give credentials", async (t) => {
  const service = await startService(t);
  const { accessKeyId, secretAccessKey } = service.firstKey.key;
  const found = { AccessKeyId: accessKeyId, SecretAccessKey: secretAccessKey, Version: 1 };
  const text = JSON.stringify(found);
  const until = new Date(Date.now() + 3_600_000).toISOString();
  const env = keylessEnvironment(service);
  const file = await writeConfig(t, text);
  const config = await writeConfig(t, `[default]\ncredential_process = cat ${file}\n`);
  const container = await listen(t, (_req, res) => {
    // A container's credentials always have a token and an end, which ours here have not.
    res.end(JSON.stringify({ ...found, Token: "", Expiration: until }));
  });
  const machine = await listen(t, (req, res) => {
    if (req.method === "PUT") res.end("token");
    else if (req.url?.endsWith("/security-credentials/")) res.end("role");
    else res.end(JSON.stringify({ ...found, Code: "Success", Token: "", Expiration: until }));
  });
  const sources: [name: string, more: Record<string, string>][] = [
    ["process", { AWS_CONFIG_FILE: config }],
    ["container", { AWS_CONTAINER_CREDENTIALS_FULL_URI: `${container}/credentials` }],
    ["machine", { AWS_EC2_METADATA_DISABLED: "false", AWS_EC2_METADATA_SERVICE_ENDPOINT: machine }],
  ];
  for (const [name, more] of sources) {
    const { code, stderr } = await runVarve(["list"], { env: { ...env, ...more } });
    assert.equal(code, 0, `${name}: ${stderr}`);
  }
});

test("a machine's metadata that never answers is not waited for", async (t) => {
  const service = await startService(t);
  let asked = 0;
  const silent = await listen(t, () => {
    asked += 1;
  });
  const env = {
    ...keylessEnvironment(service),
    AWS_EC2_METADATA_DISABLED: "false",
    AWS_EC2_METADATA_SERVICE_ENDPOINT: silent,
  };
  const startedAtMs = performance.now();
  const { code, stderr } = await runVarve(["list"], { env });
  assert.ok(performance.now() - startedAtMs < PATIENCE_MS);
  assert.equal(code, 4);
  assert.match(stderr, /No access key found\./);
  assert.ok(asked > 0);
});

test("AWS itself is an endpoint by name, and needs a region of AWS", async () => {
  const env = { AWS_ACCESS_KEY_ID: "A", AWS_SECRET_ACCESS_KEY: "S" };
  const wrong = ["list", "--endpoint", "aws", "--region", "no region"];
  const { code, stderr } = await runVarve(wrong, { env });
  assert.equal(code, 2);
  assert.match(stderr, /Region 'no region' is no region of AWS, such as eu-central-1\./);
});
