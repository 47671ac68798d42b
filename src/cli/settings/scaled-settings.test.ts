import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { temporaryDirectory } from "../../../test/support/temporary-directory.ts";
import { ownKeyPair, type ScaledOptions, scaledSettings } from "./scaled-settings.ts";
import { serveSettings } from "./serve-settings.ts";
import type { Environment } from "./settings.ts";

const GIVEN = { store: "s3://backups/varve", catalog: "postgres://varve@db:5433/varve" };
const SECRET = "a password with a / and a %";

test("a bucket and a database make a store, and nothing else does", async () => {
  assert.equal(await scaledSettings({}, {}), undefined);
  assert.deepEqual(await scaledSettings(GIVEN, {}), {
    bucket: {
      ...{ bucket: "backups", prefix: "varve/", region: "us-east-1" },
      endpoint: "https://s3.us-east-1.amazonaws.com",
      ...{ credentials: undefined, authorities: undefined },
    },
    catalog: { connectionString: "postgres://varve@db:5433/varve", password: undefined },
  });
  await refused({ store: GIVEN.store }, /--store needs --catalog postgres:/);
  await refused({ catalog: GIVEN.catalog }, /--catalog needs --store s3:/);
  await refused({ storeEndpoint: "https://s3" }, /--store-endpoint says .* give --store, too/);
});

test("what reaches S3 comes from options before the environment", async () => {
  const env = {
    AWS_REGION: "eu-1",
    AWS_ENDPOINT_URL: "http://this-very-service",
    AWS_ENDPOINT_URL_S3: "https://s3.env:9000",
    VARVE_STORE_ACCESS_KEY_ID: "ID",
    VARVE_STORE_SECRET_ACCESS_KEY: "SECRET",
  };
  const fromEnv = await scaledSettings(GIVEN, env);
  assert.equal(fromEnv?.bucket.endpoint, "https://s3.env:9000");
  assert.equal(fromEnv?.bucket.region, "eu-1");
  assert.deepEqual(fromEnv?.bucket.credentials, { accessKeyId: "ID", secretAccessKey: "SECRET" });
  const options = {
    ...{ storeEndpoint: "http://own:1/", storeRegion: "r", storeEncryption: "aws:kms:KEY" },
    store: "s3://backups",
  };
  const given = await scaledSettings({ ...GIVEN, ...options }, env);
  const { bucket, prefix, endpoint, region, encryption, encryptionKeyId } = given?.bucket ?? {};
  assert.deepEqual([bucket, prefix, endpoint, region], ["backups", "", "http://own:1", "r"]);
  assert.deepEqual([encryption, encryptionKeyId], ["aws:kms", "KEY"]);
  await refused(GIVEN, /Only one of VARVE_STORE_ACCESS_KEY_ID/, { VARVE_STORE_ACCESS_KEY_ID: "x" });
});

test("the password is kept apart from what is shown, and can come from a file", async (t) => {
  const path = join(await temporaryDirectory(t), "catalog");
  const url = `postgres://varve:${encodeURIComponent(SECRET)}@db/varve?sslmode=verify-full`;
  await writeFile(path, `${url}\n`);
  for (const catalog of [url, `file:${path}`]) {
    const given = await scaledSettings({ ...GIVEN, catalog }, {});
    assert.deepEqual(given?.catalog, {
      connectionString: "postgres://varve@db/varve?sslmode=verify-full",
      password: SECRET,
    });
  }
});

test("what is not understood is refused with what to give, and no secret repeated", async () => {
  for (const store of [
    "backups",
    "s3://",
    "s3://UPPER/x",
    "s3://ok/a//b",
    "s3://ok/ä",
    "s3://a/../b",
  ]) {
    await refused({ ...GIVEN, store }, /give s3:\/\/BUCKET\/PREFIX/);
  }
  const endpoints = ["s3.example", "ftp://s3", "http://s3/path", `http://u:${SECRET}@s3`];
  for (const storeEndpoint of endpoints) {
    await refused({ ...GIVEN, storeEndpoint }, /--store-endpoint takes http/);
  }
  for (const catalog of ["mysql://db/x", "db", `varve:${SECRET}@db`]) {
    await refused({ ...GIVEN, catalog }, /give postgres:/);
  }
  for (const storeEncryption of ["AES256:x", "yes"]) {
    await refused({ ...GIVEN, storeEncryption }, /give AES256, aws:kms or aws:kms:KEYID/);
  }
  await refused({ ...GIVEN, catalog: "file:/nowhere" }, /Cannot read \/nowhere/);
});

test("with a bucket, AWS's variables are for it, and a key-encryption key is needed", async () => {
  const env = { AWS_ACCESS_KEY_ID: "S3", AWS_SECRET_ACCESS_KEY: "s3", KEY: "", OWN: "" };
  await assert.rejects(serveSettings(GIVEN, env), /openssl rand -base64 32.*--key-encryption-key/s);
  const KEY = Buffer.alloc(32, 2).toString("base64");
  const given = { ...GIVEN, keyEncryptionKey: "env:KEY" };
  assert.equal((await serveSettings(given, { ...env, KEY })).keyPair, undefined);
  const own = { VARVE_ACCESS_KEY_ID: "OWN", VARVE_SECRET_ACCESS_KEY: "own" };
  const settings = await serveSettings(given, { ...env, KEY, ...own });
  assert.deepEqual(settings.keyPair, { accessKeyId: "OWN", secretAccessKey: "own" });
  assert.throws(() => ownKeyPair({ VARVE_ACCESS_KEY_ID: "x" }), /Only one of/);
});

async function refused(
  given: ScaledOptions,
  message: RegExp,
  env: Environment = {},
): Promise<void> {
  await assert.rejects(scaledSettings(given, env), (error: Error) => {
    assert.match(error.message, message);
    assert.ok(!error.message.includes(SECRET), "no secret is repeated");
    return true;
  });
}
