import { chooseKey } from "../../snapshots/choose-domain.ts";
import type { Core } from "../../snapshots/core.ts";
import { DEFAULT_KEY_ALIAS, keyArn } from "../../snapshots/key-arns.ts";
import {
  readModifyEbsDefaultKmsKeyIdRequest,
  writeDefaultKmsKeyIdResponse,
  writeEncryptionByDefaultResponse,
} from "../../wire/ec2/encryption.ts";
import type { WireResponse } from "../../wire/message.ts";
import type { QueryActions, QueryCall } from "./query-call.ts";
import { rethrowForEc2 } from "./query-errors.ts";

/** The actions that say how an account encrypts when a request does not. */
export const ENCRYPTION_ACTIONS: QueryActions = {
  async GetEbsEncryptionByDefault(core, call) {
    const { byDefault } = await core.catalog.encryption.defaults(call.principal.account);
    return writeEncryptionByDefaultResponse(call.parameters.action, call.requestId, byDefault);
  },
  EnableEbsEncryptionByDefault: (core, call) => setByDefault(core, call, true),
  DisableEbsEncryptionByDefault: (core, call) => setByDefault(core, call, false),

  async GetEbsDefaultKmsKeyId(core, call) {
    const { account } = call.principal;
    const { keyId } = await core.catalog.encryption.defaults(account);
    const name = keyId === undefined ? DEFAULT_KEY_ALIAS : keyArn(core, { account, id: keyId });
    return writeDefaultKmsKeyIdResponse(call.parameters.action, call.requestId, name);
  },

  async ModifyEbsDefaultKmsKeyId(core, call) {
    const { account } = call.principal;
    const name = readModifyEbsDefaultKmsKeyIdRequest(call.parameters);
    const key = await chooseKey(core, account, { name }).catch(rethrowForEc2);
    await core.catalog.encryption.setDefaults(account, { keyId: key.id });
    const { action } = call.parameters;
    return writeDefaultKmsKeyIdResponse(action, call.requestId, keyArn(core, key));
  },

  async ResetEbsDefaultKmsKeyId(core, call) {
    await core.catalog.encryption.setDefaults(call.principal.account, { keyId: undefined });
    const { action } = call.parameters;
    return writeDefaultKmsKeyIdResponse(action, call.requestId, DEFAULT_KEY_ALIAS);
  },
};

async function setByDefault(
  core: Core,
  { principal, parameters, requestId }: QueryCall,
  byDefault: boolean,
): Promise<WireResponse> {
  await core.catalog.encryption.setDefaults(principal.account, { byDefault });
  return writeEncryptionByDefaultResponse(parameters.action, requestId, byDefault);
}
