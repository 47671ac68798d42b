import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import type { Command } from "commander";
import { makeCertificates } from "../../../test/support/certificates.ts";
import { temporaryDirectory } from "../../../test/support/temporary-directory.ts";
import { UsageError } from "../errors.ts";
import { createProgram } from "../main.ts";
import { isLoopback, parseListen } from "./listen-address.ts";
import { serveSettings } from "./serve-settings.ts";
import { endpointFrom } from "./settings.ts";

const ARN = "arn:aws:kms:eu-central-1:111122223333:key/01234567-89ab-cdef-0123-456789abcdef";

/** What a service tells of itself when nothing is said. */
const QUIET = {
  ...{ logLevel: "info", accessLog: false },
  ...{ audit: undefined, metrics: undefined, webhook: undefined },
};

/** The settings of `varve serve` with these arguments and variables. */
async function settingsOf(args: readonly string[], variables: Record<string, string>) {
  const before = { ...process.env };
  Object.assign(process.env, variables);
  try {
    const program = await createProgram();
    let options = {};
    program.commands
      .find((each) => each.name() === "serve")
      ?.action((_: object, command: Command) => {
        options = command.optsWithGlobals();
      });
    await program.parseAsync(["serve", ...args], { from: "user" });
    return await serveSettings(options, variables);
  } finally {
    for (const name of Object.keys(variables)) delete process.env[name];
    Object.assign(process.env, before);
  }
}

test("the endpoint comes from the option, then the variables in order", () => {
  const env = {
    VARVE_ENDPOINT: "http://a",
    AWS_ENDPOINT_URL_EBS: "http://b",
    AWS_ENDPOINT_URL: "http://c",
  };
  assert.equal(endpointFrom({ endpoint: "http://o" }, env), "http://o");
  assert.equal(endpointFrom({}, env), "http://a");
  assert.equal(endpointFrom({}, { ...env, VARVE_ENDPOINT: "" }), "http://b");
  assert.equal(endpointFrom({}, { AWS_ENDPOINT_URL: "http://c" }), "http://c");
  assert.equal(endpointFrom({}, {}), "http://127.0.0.1:7788");
});

test("an address to listen on is a host and a port", () => {
  assert.deepEqual(parseListen("127.0.0.1:0"), { host: "127.0.0.1", port: 0 });
  assert.deepEqual(parseListen("[::1]:7788"), { host: "::1", port: 7788 });
  assert.deepEqual(parseListen("localhost:65535"), { host: "localhost", port: 65_535 });
  for (const text of ["", "7788", ":7788", "host", "host:", "host:65536", "::1:7788", "a b:1"]) {
    assert.throws(() => parseListen(text), UsageError, text);
  }
});

test("only addresses that never leave this machine are loopback", () => {
  for (const host of ["localhost", "127.0.0.1", "127.8.9.10", "::1"]) assert.ok(isLoopback(host));
  for (const host of ["0.0.0.0", "::", "127.0.0.1.nip.io", "10.0.0.1", "127.evil.example"]) {
    assert.ok(!isLoopback(host), host);
  }
});

test("the command line goes before the environment before the file", async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "varve-settings-"));
  t.after(() => rm(folder, { recursive: true }));
  const config = join(folder, "varve.json");
  const previous = join(folder, "previous");
  await writeFile(previous, `${Buffer.alloc(32, 1).toString("base64")}\n`);
  const file = {
    data: "/file",
    listen: "127.0.0.1:1",
    region: "file-1",
    recycleBinDays: "7",
    scrubDays: "14",
    tokenSecretDays: "30",
    emulate: "quotas",
    keyEncryptionKey: `aws-kms:${ARN}`,
    previousKeyEncryptionKey: `file:${previous}`,
    accessKeyId: "FILE",
    secretAccessKey: "file",
  };
  await writeFile(config, JSON.stringify(file));
  assert.deepEqual(await serveSettings({ config }, {}), {
    dataDirectory: "/file",
    host: "127.0.0.1",
    port: 1,
    region: "file-1",
    tlsFiles: undefined,
    tls: undefined,
    recycleBinDays: 7,
    collectMinutes: 60,
    scrubDays: 14,
    tokenSecretDays: 30,
    emulation: { quotas: true },
    keyPair: { accessKeyId: "FILE", secretAccessKey: "file" },
    keyEncryptionKey: { awsKmsKeyArn: ARN },
    previousKeyEncryptionKey: { secret: new Uint8Array(32).fill(1) },
    ...QUIET,
  });
  const env = {
    VARVE_CONFIG: config,
    VARVE_DATA: "/env",
    VARVE_LISTEN: "127.0.0.1:2",
    AWS_REGION: "env-1",
    AWS_ACCESS_KEY_ID: "ENV",
    AWS_SECRET_ACCESS_KEY: "env",
    KEY: Buffer.alloc(32, 2).toString("base64"),
  };
  const fromEnv = await settingsOf([], env);
  assert.deepEqual(fromEnv, {
    dataDirectory: "/env",
    host: "127.0.0.1",
    port: 2,
    region: "env-1",
    tlsFiles: undefined,
    tls: undefined,
    recycleBinDays: 7,
    collectMinutes: 60,
    scrubDays: 14,
    tokenSecretDays: 30,
    emulation: { quotas: true },
    keyPair: { accessKeyId: "ENV", secretAccessKey: "env" },
    keyEncryptionKey: { awsKmsKeyArn: ARN },
    previousKeyEncryptionKey: { secret: new Uint8Array(32).fill(1) },
    ...QUIET,
  });
  const keys = ["--key-encryption-key", "env:KEY", "--previous-key-encryption-key"];
  const places = ["--data", "/option", "--listen", "127.0.0.1:3", "--region", "option-1"];
  const fromOptions = await settingsOf([...places, ...keys, `file:${previous}`], env);
  assert.deepEqual(fromOptions, {
    ...fromEnv,
    dataDirectory: "/option",
    port: 3,
    region: "option-1",
    keyEncryptionKey: { secret: new Uint8Array(32).fill(2) },
  });
});

test("a key-encryption key is refused with the reason, and never repeated", async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "varve-settings-"));
  t.after(() => rm(folder, { recursive: true }));
  const secret = Buffer.alloc(32, "secret").toString("base64");
  const short = secret.slice(0, 40);
  await writeFile(join(folder, "short"), short);
  const env = { KEY: secret, SHORT: short, EMPTY: "" };
  const wrong: [text: string, message: RegExp][] = [
    [secret, /never given itself.* file:PATH, env:NAME or aws-kms:ARN/],
    [`env:${secret}`, /never given itself/],
    [`file:${secret}`, /never given itself/],
    [`aws-kms:${secret}`, /never given itself/],
    [short, /give file:PATH, env:NAME or aws-kms:ARN/],
    ["env:", /give file:PATH/],
    ["vault:x", /give file:PATH/],
    ["env:SHORT", /The variable SHORT does not hold .* 32 bytes in base64/],
    ["env:EMPTY", /The variable EMPTY does not hold/],
    ["env:NONE", /The variable NONE does not hold/],
    [`file:${join(folder, "short")}`, /The file .*short does not hold/],
    ["aws-kms:alias/mine", /not the ARN of a key/],
    [`aws-kms:${ARN}/x`, /not the ARN of a key/],
  ];
  for (const [text, message] of wrong) {
    for (const name of ["keyEncryptionKey", "previousKeyEncryptionKey"]) {
      const error: Error = await serveSettings({ [name]: text }, env).then(
        () => assert.fail(`${text} was taken`),
        (thrown: Error) => thrown,
      );
      assert.equal(error.name, "UsageError", text);
      assert.match(error.message, message, text);
      assert.ok(!error.message.includes(short.slice(0, 12)), `${text} is repeated`);
    }
  }
  const missing = serveSettings({ keyEncryptionKey: `file:${join(folder, "none")}` }, {});
  await assert.rejects(missing, { name: "FileError", code: "ENOENT" });
});

test("a configuration file that makes no sense is refused with the reason", async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "varve-settings-"));
  t.after(() => rm(folder, { recursive: true }));
  const config = join(folder, "varve.json");
  const wrong: [text: string, message: RegExp][] = [
    ["{", /is not a JSON object/],
    ["[]", /is not a JSON object/],
    ['{"dta":"x"}', /says 'dta'; known are: data, listen/],
    ['{"data":1}', /needs a text in quotes for 'data'/],
    ['{"accessKeyId":"A"}', /gives only one of/],
    ['{"recycleBinDays":"366"}', /'366' days: give 0 to 365/],
    ['{"recycleBinDays":"x"}', /'x' days/],
    ['{"tokenSecretDays":"3651"}', /'3651' days: give 1 to 3650/],
    ['{"scrubDays":"366"}', /'366' days: give 1 to 365/],
  ];
  for (const [text, message] of wrong) {
    await writeFile(config, text);
    await assert.rejects(serveSettings({ config }, {}), { name: "UsageError", message }, text);
  }
  const missing = serveSettings({ config: join(folder, "none") }, {});
  await assert.rejects(missing, { name: "FileError", code: "ENOENT" });
});

test("plain HTTP beyond this machine has to be asked for", async () => {
  const listen = "0.0.0.0:7788";
  await assert.rejects(serveSettings({ listen }, {}), /Refusing .* --allow-plain-http/);
  const settings = await serveSettings({ listen, allowPlainHttp: true }, {});
  assert.equal(settings.host, "0.0.0.0");
});

test("the files for TLS come from the command line, the environment or the file", async (t) => {
  const folder = await temporaryDirectory(t);
  const { server } = makeCertificates();
  const files = { certificate: join(folder, "certificate"), key: join(folder, "key") };
  await writeFile(files.certificate, server.cert);
  await writeFile(files.key, server.key);
  const config = join(folder, "config");
  const named = { tlsCertificate: files.certificate, tlsKey: files.key };
  await writeFile(config, JSON.stringify(named));
  const env = { VARVE_TLS_CERTIFICATE: files.certificate, VARVE_TLS_KEY: files.key };
  const tls = { certificate: Buffer.from(server.cert), key: Buffer.from(server.key) };
  const options = ["--tls-certificate", files.certificate, "--tls-key", files.key];
  for (const [args, variables] of [
    [options, {}],
    [[], env],
    [["--config", config], {}],
  ] as const) {
    const settings = await settingsOf(["--listen", "0.0.0.0:1", ...args], variables);
    assert.deepEqual([settings.tlsFiles, settings.tls], [files, tls]);
  }
});
