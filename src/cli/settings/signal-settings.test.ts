import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { temporaryDirectory } from "../../../test/support/temporary-directory.ts";
import { UsageError } from "../errors.ts";
import { type SignalOptions, signalSettings } from "./signal-settings.ts";

const SECRET = "0123456789abcdef";
const tls = { certificate: "C", key: "K" };

function settings(options: SignalOptions, env: Record<string, string> = {}) {
  return signalSettings(options, {}, { env, tls });
}

test("metrics on the loopback address need no token, and speak no TLS", async () => {
  const { metrics } = await settings({ metricsListen: "127.0.0.1:9464" });
  assert.deepEqual(metrics, { host: "127.0.0.1", port: 9464, token: undefined });
});

test("metrics that others can reach need a token, and speak TLS if the service does", async (t) => {
  const listen = { metricsListen: "0.0.0.0:9464" };
  await assert.rejects(
    settings(listen),
    /Refusing to tell metrics on 0\.0\.0\.0:9464 to everybody/,
  );
  const expected = { host: "0.0.0.0", port: 9464, token: SECRET, tls };
  const fromVariable = await settings(listen, { VARVE_METRICS_TOKEN: SECRET });
  assert.deepEqual(fromVariable.metrics, expected);
  const metricsTokenFile = join(await temporaryDirectory(t), "token");
  await writeFile(metricsTokenFile, `${SECRET}\n`);
  assert.deepEqual((await settings({ ...listen, metricsTokenFile })).metrics, expected);
});

test("a webhook is posted to over TLS or within this machine, with its secret", async () => {
  const url = "https://hooks.example/varve";
  const { webhook } = await settings({ webhook: url }, { VARVE_WEBHOOK_SECRET: SECRET });
  assert.deepEqual(webhook, { url, secret: SECRET });
  const local = await settings({ webhook: "http://127.0.0.1:1/x" });
  assert.deepEqual(local.webhook, { url: "http://127.0.0.1:1/x", secret: undefined });
});

test("what makes no sense is refused with the reason, and no secret is repeated", async (t) => {
  const short = join(await temporaryDirectory(t), "short");
  await writeFile(short, "hunter2");
  const wrong: [options: SignalOptions, message: RegExp][] = [
    [{ logLevel: "debug" }, /no log level 'debug': give error, info or silent/],
    [{ auditData: true }, /--audit-data needs --audit FILE/],
    [{ metricsTokenFile: short }, /--metrics-token-file needs --metrics-listen/],
    [{ metricsListen: "9464" }, /give HOST:PORT/],
    [{ metricsListen: "127.0.0.1:1", metricsTokenFile: short }, /16 characters or more/],
    [{ webhookSecretFile: short }, /--webhook-secret-file needs --webhook URL/],
    [{ webhook: "hooks.example" }, /is no address: give one that begins with https:/],
    [{ webhook: "ftp://hooks.example" }, /is no address/],
    [{ webhook: "http://hooks.example/" }, /Refusing to post to http:\/\/hooks\.example in plain/],
    [{ webhook: "https://me:hunter2@hooks.example" }, /a user name or a password in it/],
    [{ webhook: "https://hooks.example", webhookSecretFile: short }, /16 characters or more/],
  ];
  for (const [options, message] of wrong) {
    const error = await settings(options).catch((reason: unknown) => reason);
    assert.ok(error instanceof UsageError, JSON.stringify(options));
    assert.match(error.message, message);
    assert.doesNotMatch(error.message, /hunter2/);
  }
});

test("a configuration file says the same, its switches with 1 and 0", async () => {
  const file = { logLevel: "silent", accessLog: "1", audit: "/a", auditData: "1" };
  const { logLevel, accessLog, audit } = await signalSettings({}, file, { env: {}, tls });
  assert.deepEqual([logLevel, accessLog, audit], ["silent", true, { path: "/a", withData: true }]);
  const wrong = signalSettings({}, { accessLog: "yes" }, { env: {}, tls });
  await assert.rejects(wrong, /says 'yes' for 'accessLog': give "1" or "0"/);
});
