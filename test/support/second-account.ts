import type { AccountId } from "../../src/model/ids.ts";
import type { Service } from "../../src/service.ts";

/** The account that shares a service with the first one in tests of keeping people apart. */
export const SECOND_ACCOUNT = "444455556666" as AccountId;

/** The service as a second account sees it: another key, everything else the same. */
export async function asSecondAccount(service: Service): Promise<Service> {
  const { key } = service.firstKey;
  const second = {
    ...key,
    accessKeyId: "AKIASECONDACCOUNT234",
    secretAccessKey: "secret of the second account",
    account: SECOND_ACCOUNT,
  };
  await service.core.catalog.identity.addAccount(SECOND_ACCOUNT);
  await service.core.catalog.identity.putAccessKey(second);
  return { ...service, firstKey: { ...service.firstKey, key: second } };
}
