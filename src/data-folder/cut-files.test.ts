import assert from "node:assert/strict";
import { readFile, rename, rm, stat, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { startService } from "../../test/support/service.ts";
import { temporaryDirectory } from "../../test/support/temporary-directory.ts";
import { waitUntil } from "../../test/support/wait-until.ts";
import { systemRandom } from "../base/random.ts";
import { RESERVE_SIZE_BYTES } from "../model/limits.ts";
import { rebuildStore } from "../rebuild-store.ts";
import { keepCredentials } from "./credentials-file.ts";
import { ownKeyEncryptionKey } from "./key-file.ts";

/*
 * Files of a data folder that a crash of the machine, an editor or a half-done copy has cut off:
 * a service that starts on them either says which it is and what to do, or makes it whole.
 */

const CUT_OFF = /key-encryption-key does not hold 32 bytes .* cut off or changed\. .*put back/;
const LOST = /There is no \S+key-encryption-key\. .*put back the copy that was kept of it/;

test("a key-encryption key that is cut off anywhere is refused, and left as it is", async (t) => {
  const folder = await temporaryDirectory(t);
  const path = join(folder, "key-encryption-key");
  const secret = await ownKeyEncryptionKey(folder, systemRandom);
  const whole = await readFile(path, "utf8");
  // All but the end of the line, which it does without.
  for (let length = 0; length < whole.length - 1; length++) {
    await writeFile(path, whole.slice(0, length));
    await assert.rejects(ownKeyEncryptionKey(folder, systemRandom), CUT_OFF, `${length} bytes`);
    assert.equal(await readFile(path, "utf8"), whole.slice(0, length));
  }
  await writeFile(path, whole.slice(0, -1));
  assert.deepEqual(await ownKeyEncryptionKey(folder, systemRandom), secret);
});

test("a store without its whole key-encryption key says so, and makes no other", async (t) => {
  const { dataDirectory, account } = await usedFolder(t);
  const path = join(dataDirectory, "key-encryption-key");
  const start = () => startService(t, { dataDirectory, collectMinutes: 0 });
  await rename(path, `${path}.kept`);
  for (const work of [start, () => rebuildStore({ dataDirectory, force: true })]) {
    await writeFile(path, "c2hvcnQ=\n");
    await assert.rejects(work, CUT_OFF);
    await rm(path);
    await assert.rejects(work, LOST);
    await assert.rejects(stat(path), { code: "ENOENT" }, "no other key is made");
  }
  await rename(`${path}.kept`, path);
  assert.equal((await start()).firstKey.key.account, account);
});

test("a store whose key was given goes over to its own, and only when told to", async (t) => {
  const dataDirectory = await temporaryDirectory(t);
  const given = { secret: systemRandom.bytes(32) };
  const first = await startService(t, { dataDirectory, keyEncryptionKey: given });
  await first.close();
  await assert.rejects(startService(t, { dataDirectory }), LOST);
  const second = await startService(t, { dataDirectory, previousKeyEncryptionKey: given });
  await second.close();
  const third = await startService(t, { dataDirectory });
  assert.equal(third.firstKey.key.account, first.firstKey.key.account);
});

test("a credentials file that is cut off is made whole again", async (t) => {
  const folder = await temporaryDirectory(t);
  const key = { accessKeyId: "AKIDEXAMPLE", secretAccessKey: "the+secret/of=it" };
  const path = join(folder, "credentials");
  assert.equal(await keepCredentials(folder, key), path);
  const whole = await readFile(path, "utf8");
  // Each is written anew, and synced.
  for (let length = 0; length < whole.length; length += 3) {
    await writeFile(path, whole.slice(0, length));
    await keepCredentials(folder, key);
    const text = await readFile(path, "utf8");
    // Only the end of its last line is no loss.
    assert.equal(text.trimEnd(), whole.trimEnd(), `${length} bytes`);
  }
  const added = `[mine]\naws_access_key_id = AKIDMINE\n${whole}`;
  await writeFile(path, added);
  await keepCredentials(folder, key);
  assert.equal(await readFile(path, "utf8"), added, "what people add to a whole one stays");
});

test("a credentials file without the key or its secret is people's own, and stays", async (t) => {
  const folder = await temporaryDirectory(t);
  const key = { accessKeyId: "AKIDEXAMPLE", secretAccessKey: "the+secret/of=it" };
  const path = join(folder, "credentials");
  const mine = "[mine]\naws_access_key_id = AKIDMINE\naws_secret_access_key = mine\n";
  const begun = `[default]\naws_access_key_id = ${key.accessKeyId}\n`;
  for (const kept of [mine, `${begun}${mine}`, `${begun}credential_process = vault\n${mine}`]) {
    await writeFile(path, kept);
    assert.equal(await keepCredentials(folder, key), undefined, "it does not hold the pair");
    assert.equal(await readFile(path, "utf8"), kept);
  }
});

test("a service starts where credentials and reserve are cut off, and mends both", async (t) => {
  const { dataDirectory, credentials } = await usedFolder(t);
  const paths = ["credentials", "reserve"].map((name) => join(dataDirectory, name));
  const [credentialsPath, reserve] = paths as [string, string];
  await truncate(credentialsPath, credentials.length - 7);
  await writeFile(reserve, "cut off");
  await startService(t, { dataDirectory, collectMinutes: 0 });
  assert.equal(await readFile(credentialsPath, "utf8"), credentials);
  await waitUntil(
    () => stat(reserve).catch(() => undefined),
    (found) => found?.size === RESERVE_SIZE_BYTES,
  );
});

/** A data folder in which a service has stored something. */
async function usedFolder(t: TestContext) {
  const dataDirectory = await temporaryDirectory(t);
  const service = await startService(t, { dataDirectory, collectMinutes: 0 });
  await service.core.journaler.flush();
  await service.close();
  const credentials = await readFile(join(dataDirectory, "credentials"), "utf8");
  return { dataDirectory, credentials, account: service.firstKey.key.account };
}
