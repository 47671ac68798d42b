import type { AccessKey } from "../../src/catalog/catalog.ts";
import type { AccountId } from "../../src/model/ids.ts";

/** An active access key with no policy, for tests of who signed what. */
export const KEY: AccessKey = {
  accessKeyId: "AKIAEXAMPLE",
  secretAccessKey: "secret",
  account: "111122223333" as AccountId,
  active: true,
  policy: undefined,
  createdAtMs: 0,
};
