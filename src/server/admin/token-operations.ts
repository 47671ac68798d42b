import { formatTimeMs } from "../../base/clock.ts";
import { TooManySecretsError } from "../../keys/token-secrets.ts";
import {
  readRotateTokenSecretsRequest,
  writeRotateTokenSecretsResponse,
} from "../../wire/admin/token-secrets.ts";
import { ServiceFault } from "../../wire/errors.ts";
import { type AdminOperation, checkManagesStore } from "./admin-call.ts";

/** Mints tokens with new secrets from now on, and refuses those minted so far where asked to. */
export const rotateTokenSecrets: AdminOperation = async (core, call) => {
  await checkManagesStore(core, call, "RotateTokenSecrets");
  const { Revoke: revokes = false } = readRotateTokenSecretsRequest(call.request);
  try {
    const rotatedMs = await core.tokenSecrets.rotate({ revokes });
    return writeRotateTokenSecretsResponse({
      CreateDate: formatTimeMs(rotatedMs),
      Revoked: revokes,
    });
  } catch (error) {
    if (!(error instanceof TooManySecretsError)) throw error;
    const { message } = error;
    throw new ServiceFault({ status: 409, code: "LimitExceededException", message });
  }
};
