import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { temporaryDirectory } from "../../../test/support/temporary-directory.ts";
import { settingsFromAws } from "./aws-settings.ts";

const NO_FILES = { AWS_CONFIG_FILE: "/dev/null", AWS_SHARED_CREDENTIALS_FILE: "/dev/null" };

/** An environment in which the configuration file holds that text. */
async function envWith(t: TestContext, config: string): Promise<Record<string, string>> {
  const path = join(await temporaryDirectory(t), "config");
  await writeFile(path, config);
  return { ...NO_FILES, AWS_CONFIG_FILE: path };
}

test("without anything, it is the service on this machine", async () => {
  const { endpoint, endpoints, region, caFile, useFipsEndpoint } = await settingsFromAws(
    {},
    NO_FILES,
  );
  assert.equal(endpoint, "http://127.0.0.1:7788");
  assert.deepEqual(endpoints, {});
  assert.equal(region, "us-east-1");
  assert.equal(caFile, undefined);
  assert.equal(useFipsEndpoint, false);
});

test("the region comes from the option, then the variables", async () => {
  const env = { ...NO_FILES, AWS_REGION: "eu-west-1", AWS_DEFAULT_REGION: "eu-west-2" };
  const regionFrom = async (given: { region?: string }, from: Record<string, string>) =>
    (await settingsFromAws(given, { ...NO_FILES, ...from })).region;
  assert.equal(await regionFrom({ region: "eu-north-1" }, env), "eu-north-1");
  assert.equal(await regionFrom({}, env), "eu-west-1");
  assert.equal(await regionFrom({}, { AWS_DEFAULT_REGION: "eu-west-2" }), "eu-west-2");
  assert.equal(await regionFrom({}, {}), "us-east-1");
});

test("keys come from the environment unless a profile is asked for", async () => {
  const env = { AWS_ACCESS_KEY_ID: "A", AWS_SECRET_ACCESS_KEY: "S", AWS_SESSION_TOKEN: "T" };
  const keys = { accessKeyId: "A", secretAccessKey: "S", sessionToken: "T" };
  const credentialsFrom = async (given: { profile?: string }, from: Record<string, string>) =>
    (await settingsFromAws(given, { ...NO_FILES, ...from })).credentials;
  assert.deepEqual(await credentialsFrom({}, env), keys);
  assert.deepEqual(await credentialsFrom({}, { ...env, AWS_PROFILE: "p" }), keys);
  assert.equal(typeof (await credentialsFrom({ profile: "p" }, env)), "function");
  assert.equal(typeof (await credentialsFrom({}, { AWS_ACCESS_KEY_ID: "A" })), "function");
});

const CONFIG = `
[default]
region = eu-west-1
endpoint_url = http://default

[profile lab]
region = eu-west-3
services = lab-services
endpoint_url = http://lab
ca_bundle = /lab.pem
use_fips_endpoint = true

[services lab-services]
ebs =
  endpoint_url = http://lab-ebs
ec2 =
  endpoint_url = http://lab-ec2

[profile quiet]
region = eu-west-2
services = lab-services
ignore_configured_endpoint_urls = true
`;

test("a profile gives region, endpoints, certificates and FIPS", async (t) => {
  const env = await envWith(t, CONFIG);
  const told = async (given: object, more: Record<string, string> = {}) => {
    const { credentials: _, ...settings } = await settingsFromAws(given, { ...env, ...more });
    return settings;
  };
  const lab = {
    endpoint: "http://lab-ebs",
    endpoints: { ec2: "http://lab-ec2", sts: "http://lab" },
    region: "eu-west-3",
    caFile: "/lab.pem",
    useFipsEndpoint: true,
  };
  assert.deepEqual(await told({ profile: "lab" }), lab);
  assert.deepEqual(await told({}, { AWS_PROFILE: "lab" }), lab);
  const given = { profile: "lab", region: "us-west-2", endpoint: "aws", caFile: "/own.pem" };
  assert.deepEqual(await told(given), {
    endpoint: "aws",
    region: "us-west-2",
    caFile: "/own.pem",
    useFipsEndpoint: true,
  });
  const { endpoint, endpoints, region } = await told({});
  const all = "http://default";
  assert.deepEqual([endpoint, endpoints, region], [all, { ec2: all, sts: all }, "eu-west-1"]);
  const quiet = await told({ profile: "quiet" });
  assert.deepEqual([quiet.endpoint, quiet.endpoints], ["http://127.0.0.1:7788", {}]);
  assert.equal(quiet.region, "eu-west-2");
});

test("variables go before the files, a service's own before the one of all", async (t) => {
  const env = await envWith(t, CONFIG);
  const told = async (more: Record<string, string>) => {
    const { endpoint, endpoints } = await settingsFromAws({ profile: "lab" }, { ...env, ...more });
    return [endpoint, endpoints?.ec2, endpoints?.sts];
  };
  const both = { AWS_ENDPOINT_URL: "http://all", AWS_ENDPOINT_URL_EC2: "http://ec2" };
  assert.deepEqual(await told(both), ["http://all", "http://ec2", "http://all"]);
  assert.deepEqual(await told({ AWS_ENDPOINT_URL_EBS: "http://e" }), [
    "http://e",
    "http://lab-ec2",
    "http://lab",
  ]);
  const own = { ...both, VARVE_ENDPOINT: "http://varve" };
  assert.deepEqual(await told(own), ["http://varve", undefined, undefined]);
  const ignoring = { ...both, AWS_IGNORE_CONFIGURED_ENDPOINT_URLS: "true" };
  assert.deepEqual(await told(ignoring), ["http://127.0.0.1:7788", undefined, undefined]);
});

test("a region of a profile that nobody named is not for this machine's service", async (t) => {
  const env = await envWith(t, "[default]\nregion = eu-west-1\n");
  assert.equal((await settingsFromAws({}, env)).region, "us-east-1");
  const named = { ...env, AWS_ENDPOINT_URL: "http://other" };
  assert.equal((await settingsFromAws({}, named)).region, "eu-west-1");
  assert.equal((await settingsFromAws({ profile: "default" }, env)).region, "eu-west-1");
});

test("a bundle of certificates comes from AWS's variable", async () => {
  const env = { ...NO_FILES, AWS_CA_BUNDLE: "/bundle.pem", AWS_USE_FIPS_ENDPOINT: "true" };
  const { caFile, useFipsEndpoint } = await settingsFromAws({}, env);
  assert.deepEqual([caFile, useFipsEndpoint], ["/bundle.pem", true]);
});

test("the machine's metadata is waited for where it has given credentials before", async (t) => {
  let [found, delayMs, failures] = [0, 0, 0];
  await actAsMachine(t, (request, response) => {
    if (request.method === "PUT") response.end("token");
    else if (request.url?.endsWith("/security-credentials/")) response.end("role");
    else if (failures-- > 0) response.writeHead(503).end();
    else {
      found += 1;
      // Soon at their end, so that they are looked for again.
      const Expiration = new Date(Date.now() + 60_000).toISOString();
      const keys = { AccessKeyId: `A${found}`, SecretAccessKey: "S", Token: "T" };
      setTimeout(() => response.end(JSON.stringify({ ...keys, Expiration })), delayMs);
    }
  });
  const { credentials } = await settingsFromAws({}, NO_FILES);
  assert.ok(typeof credentials === "function");
  const find = async () => (await credentials()).accessKeyId;
  failures = 1;
  await assert.rejects(find(), /No access key found/, "at first there is one attempt");
  assert.equal(await find(), "A1");
  [failures, delayMs] = [2, 1_500];
  assert.equal(await find(), "A2", "late, and at the third attempt");
});

/** Has AWS's code find a machine's metadata, and nothing else, for the rest of a test. */
async function actAsMachine(t: TestContext, listener: RequestListener): Promise<void> {
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const before = { ...process.env };
  t.after(() => {
    process.env = before;
    server.closeAllConnections();
    server.close();
  });
  const names = Object.keys(before).filter((name) => name.startsWith("AWS_"));
  process.env = {
    ...Object.fromEntries(Object.entries(before).filter(([name]) => !names.includes(name))),
    ...NO_FILES,
    AWS_EC2_METADATA_SERVICE_ENDPOINT: `http://127.0.0.1:${port}`,
  };
}
