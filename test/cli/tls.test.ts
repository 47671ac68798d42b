import assert from "node:assert/strict";
import { once } from "node:events";
import { rename, writeFile } from "node:fs/promises";
import { Agent } from "node:https";
import { join } from "node:path";
import { test } from "node:test";
import { connect, type PeerCertificate } from "node:tls";
import { EBSClient, StartSnapshotCommand } from "@aws-sdk/client-ebs";
import { type Certificate, makeCertificates } from "../support/certificates.ts";
import { type Cleanup, temporaryDirectory } from "../support/temporary-directory.ts";
import { runVarve } from "./_varve.ts";

interface Greeting {
  readonly endpoint: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

test("serve speaks TLS, and sees a renewed certificate without a restart", async (t) => {
  const { folder, certificates } = await setUp(t, makeCertificates());
  let told = 0;
  let work: Promise<void> | undefined;
  const { code, stderr } = await runVarve(["serve", ...argsFor(folder), "--json"], {
    onStdout(text, child) {
      if (work || !text.includes("\n")) return;
      work = use(JSON.parse(text) as Greeting, () => child.kill("SIGHUP")).finally(() =>
        child.kill("SIGTERM"),
      );
    },
    onStderr: (text) => {
      told = text.split("\n").length - 1;
    },
  });
  await work;
  assert.equal(code, 0, stderr);
  assert.match(stderr, /^varve: New connections see the certificate as it is now\.\n/);
  assert.match(
    stderr,
    /\nvarve: The certificate stays as it was: .*is not that of the certif.*\n$/,
  );

  async function use(greeting: Greeting, hangUp: () => void): Promise<void> {
    const endpoint = greeting.endpoint.replace("127.0.0.1", "localhost");
    assert.match(endpoint, /^https:/);
    const { authority } = certificates;
    await roundTrip({ ...greeting, endpoint }, authority.cert);
    const first = await seenAt(endpoint, authority);
    // Another authority's, and so another certificate.
    const renewed = makeCertificates();
    await write(folder, renewed.server);
    hangUp();
    await until(() => told === 1);
    assert.notEqual((await seenAt(endpoint, renewed.authority)).fingerprint, first.fingerprint);
    await assert.rejects(seenAt(endpoint, authority), "the old authority knows it no more");
    await write(folder, { cert: renewed.server.cert, key: authority.key });
    hangUp();
    await until(() => told === 2);
    await seenAt(endpoint, renewed.authority);
    await assert.rejects(fetch(endpoint.replace("https:", "http:")), "no plain HTTP beside it");
  }
});

test("serve refuses certificates and keys that are no good, and says why", async (t) => {
  const made = makeCertificates();
  const { folder } = await setUp(t, made);
  const refused = async (args: readonly string[], words: RegExp) => {
    const { code, stderr } = await runVarve(["serve", "--data", join(folder, "data"), ...args]);
    assert.notEqual(code, 0);
    assert.match(stderr, words);
    assert.doesNotMatch(stderr, /PRIVATE KEY|BEGIN/);
  };
  const [certificate, key] = [join(folder, "certificate.pem"), join(folder, "key.pem")];
  await refused(["--tls-certificate", certificate], /--tls-certificate needs --tls-key with it/);
  const both = ["--tls-certificate", certificate, "--tls-key"];
  await refused([...both, join(folder, "none")], /Cannot read .*none: ENOENT/);
  await refused([...both, certificate], /holds no private key without a passphrase in PEM/);
  await refused(["--tls-certificate", key, "--tls-key", key], /key\.pem holds no certificate/);
  await write(folder, { cert: made.server.cert, key: made.authority.key });
  await refused([...both, key], /is not that of the certificate in/);
  await refused(["--listen", "0.0.0.0:0"], /Give --tls-certificate and --tls-key, or/);
});

async function setUp(t: Cleanup, certificates: ReturnType<typeof makeCertificates>) {
  const folder = await temporaryDirectory(t);
  await write(folder, certificates.server);
  return { folder, certificates };
}

function argsFor(folder: string): string[] {
  const files = ["--tls-certificate", "certificate.pem", "--tls-key", "key.pem"];
  const paths = files.map((each) => (each.startsWith("--") ? each : join(folder, each)));
  return ["--data", join(folder, "data"), "--listen", "127.0.0.1:0", ...paths];
}

async function write(folder: string, { cert, key }: Certificate): Promise<void> {
  for (const [name, pem] of [["certificate.pem", cert] as const, ["key.pem", key] as const]) {
    await writeFile(join(folder, `${name}.new`), pem);
    await rename(join(folder, `${name}.new`), join(folder, name));
  }
}

/** The official SDK, which knows the authority, starts a snapshot. */
async function roundTrip({ endpoint, ...key }: Greeting, ca: string): Promise<void> {
  const client = new EBSClient({
    endpoint,
    region: "us-east-1",
    credentials: key,
    requestHandler: { httpsAgent: new Agent({ ca }) },
  });
  const { SnapshotId } = await client.send(new StartSnapshotCommand({ VolumeSize: 1 }));
  assert.match(SnapshotId ?? "", /^snap-/);
  client.destroy();
}

/** The certificate that a new connection sees; rejects where the authority did not sign it. */
async function seenAt(endpoint: string, authority: Certificate): Promise<PeerCertificate> {
  const { hostname: host, port } = new URL(endpoint);
  const socket = connect({ host, port: Number(port), ca: authority.cert, servername: host });
  await once(socket, "secureConnect");
  const certificate = socket.getPeerCertificate();
  socket.destroy();
  return certificate;
}

/** Waits at most half a minute. */
async function until(isSo: () => boolean): Promise<void> {
  for (let i = 0; i < 1_500 && !isSo(); i++) await new Promise((done) => setTimeout(done, 20));
  assert.ok(isSo());
}
