import { formatTimeMs } from "../../base/clock.ts";
import type { AccessKey, AccessKeyOutcome } from "../../catalog/catalog.ts";
import { mintAccessKey } from "../../identity/mint-access-key.ts";
import { isUnrestricted } from "../../identity/principal.ts";
import { type AccountId, newAccountId, parseAccountId } from "../../model/ids.ts";
import { ACCESS_KEYS_COUNT_MAX, ACCOUNTS_COUNT_MAX } from "../../model/limits.ts";
import { findCatalogFaults } from "../../snapshots/chores/check-catalog.ts";
import type { Core } from "../../snapshots/core.ts";
import {
  type AccessKeyDescription,
  readCreateAccessKeyRequest,
  readUpdateAccessKeyRequest,
  writeAccessKeyResponse,
} from "../../wire/admin/access-keys.ts";
import {
  readCreateAccountRequest,
  writeCreateAccountResponse,
  writeListAccountsResponse,
} from "../../wire/admin/accounts.ts";
import type { AdminOperationName } from "../../wire/admin/routes.ts";
import { readScrubStoreRequest, writeScrubStoreResponse } from "../../wire/admin/scrub.ts";
import { jsonResponse } from "../../wire/json.ts";
import type { WireResponse } from "../../wire/message.ts";
import { type AdminCall, type AdminOperation, denied, isOfFirstAccount } from "./admin-call.ts";
import { getCollection, startCollection, stopCollection } from "./collection-operations.ts";
import { locateBlock } from "./locate-block.ts";
import { checkPolicy, fault, findAccessKey, noSuchKey } from "./managed-keys.ts";
import { simulatePolicy } from "./simulate-policy.ts";
import { getStoreStatus, listAuditEntries, listStoreSamples } from "./status-operations.ts";
import { describeService, describeStore } from "./store-operations.ts";
import { rotateTokenSecrets } from "./token-operations.ts";

/**
 * Management of accounts, access keys and the store. Only keys without a policy get this far:
 * those of the first account manage everything, those of another account its own keys.
 */
const OPERATIONS: Readonly<Record<AdminOperationName, AdminOperation>> = {
  async CreateAccount(core, { principal, request }) {
    if (!(await isOfFirstAccount(core, principal))) throw denied(principal, "CreateAccount");
    const { AccountId } = readCreateAccountRequest(request);
    const { identity } = core.catalog;
    const known = await identity.accounts();
    const account = parseAccountId(AccountId ?? newAccountId(core.random));
    if (!account) throw fault(400, "ValidationException", "An account id has twelve digits");
    if (known.includes(account)) {
      throw fault(409, "EntityAlreadyExistsException", `There is an account ${account} already`);
    }
    checkCount(known.length, ACCOUNTS_COUNT_MAX, "accounts");
    await identity.addAccount(account);
    return writeCreateAccountResponse({ AccountId: account });
  },

  async ListAccounts(core, { principal }) {
    if (!(await isOfFirstAccount(core, principal))) throw denied(principal, "ListAccounts");
    const accounts = await core.catalog.identity.accounts();
    const Accounts = accounts.map((AccountId) => ({ AccountId }));
    return writeListAccountsResponse({ Accounts });
  },

  async CreateAccessKey(core, call) {
    const account = await findAccount(core, call, "CreateAccessKey");
    const { PolicyDocument: policy } = readCreateAccessKeyRequest(call.request);
    if (policy !== undefined) checkPolicy(policy);
    const { identity } = core.catalog;
    const known = await identity.accessKeys(account);
    checkCount(known.length, ACCESS_KEYS_COUNT_MAX, "access keys");
    const key = mintAccessKey({ account, policy }, core);
    await identity.putAccessKey(key);
    const { secretAccessKey: SecretAccessKey } = key;
    return writeAccessKeyResponse(201, { ...describe(key), SecretAccessKey });
  },

  async ListAccessKeys(core, call) {
    const account = await findAccount(core, call, "ListAccessKeys");
    const keys = await core.catalog.identity.accessKeys(account);
    return writeAccessKeyResponse(200, { AccessKeys: keys.map(describe) });
  },

  async GetAccessKey(core, call) {
    const key = await findAccessKey(core, call);
    return writeAccessKeyResponse(200, { ...describe(key), PolicyDocument: key.policy ?? null });
  },

  async UpdateAccessKey(core, call) {
    const { accessKeyId } = await findAccessKey(core, call);
    const { Status, PolicyDocument: policy } = readUpdateAccessKeyRequest(call.request);
    if (typeof policy === "string") checkPolicy(policy);
    const change = {
      ...(Status === undefined ? {} : { active: Status === "Active" }),
      ...(policy === undefined ? {} : { policy: policy ?? undefined }),
    };
    checkOutcome(await core.catalog.identity.changeAccessKey(accessKeyId, change), accessKeyId);
    return jsonResponse(200, "{}");
  },

  async DeleteAccessKey(core, call) {
    const { accessKeyId } = await findAccessKey(core, call);
    checkOutcome(await core.catalog.identity.changeAccessKey(accessKeyId, "delete"), accessKeyId);
    return jsonResponse(200, "{}");
  },

  SimulatePolicy: simulatePolicy,
  StartCollection: startCollection,
  GetCollection: getCollection,
  StopCollection: stopCollection,
  DescribeStore: describeStore,
  DescribeService: describeService,
  LocateBlock: locateBlock,
  GetStoreStatus: getStoreStatus,
  ListStoreSamples: listStoreSamples,
  ListAuditEntries: listAuditEntries,
  RotateTokenSecrets: rotateTokenSecrets,
  async ScrubStore(core, { principal, request }) {
    if (!(await isOfFirstAccount(core, principal))) throw denied(principal, "ScrubStore");
    const {
      NextToken,
      SamplePart: part = 1,
      SampleParts: parts = 1,
    } = readScrubStoreRequest(request);
    const [segment, offset] = NextToken?.split(".").map(Number) ?? [];
    const from = segment === undefined || offset === undefined ? undefined : { segment, offset };
    const step = await core.scrubber.step(from, { part, parts });
    return writeScrubStoreResponse({
      RecordsVerified: step.recordsVerified,
      BytesVerified: step.bytesVerified,
      DamagedRecords: step.damaged.map((record) => ({
        Domain: record.domain,
        Name: record.name,
        Segment: record.segment,
        Offset: record.offset,
        Length: record.length,
      })),
      LockedRecordCount: step.lockedCount,
      // Seconds of standing still in a large catalog: not for a sample.
      CatalogFaults: step.next || parts > 1 ? [] : await findCatalogFaults(core),
      BytesTotal: step.bytesTotal,
      BytesDone: step.bytesDone,
      NextToken: step.next ? `${step.next.segment}.${step.next.offset}` : null,
    });
  },
};

/**
 * Carries out an operation, unless the caller's key has a policy, or a session of it has: no policy
 * can allow these.
 */
export async function callAdminOperation(
  core: Core,
  operation: AdminOperationName,
  call: AdminCall,
): Promise<WireResponse> {
  if (!isUnrestricted(call.principal)) throw denied(call.principal, operation);
  return OPERATIONS[operation](core, call);
}

function describe(key: AccessKey): AccessKeyDescription {
  return {
    AccessKeyId: key.accessKeyId,
    AccountId: key.account,
    Status: key.active ? "Active" : "Inactive",
    CreateDate: formatTimeMs(key.createdAtMs),
    HasPolicy: key.policy !== undefined,
  };
}

/** The account of the path. To those who may not manage it, it may as well not be there. */
async function findAccount(
  core: Core,
  { principal, parameters }: AdminCall,
  operation: AdminOperationName,
): Promise<AccountId> {
  const text = parameters["accountId"] ?? "";
  if (text === "self" || text === principal.account) return principal.account;
  if (!(await isOfFirstAccount(core, principal))) throw denied(principal, operation);
  const account = parseAccountId(text);
  const isKnown = account && (await core.catalog.identity.accounts()).includes(account);
  if (isKnown) return account;
  throw fault(404, "NoSuchEntityException", `There is no account ${text.slice(0, 64)}`);
}

function checkCount(count: number, countMax: number, what: string): void {
  if (count < countMax) return;
  throw fault(409, "LimitExceededException", `There are ${count} ${what}, the most there may be`);
}

function checkOutcome(outcome: AccessKeyOutcome, accessKeyId: string): void {
  if (outcome === "changed") return;
  if (outcome === "unknown") throw noSuchKey(accessKeyId);
  const message =
    "This is the last active access key without a policy of the first account. Create another " +
    "one first.";
  throw fault(409, "DeleteConflictException", message);
}
