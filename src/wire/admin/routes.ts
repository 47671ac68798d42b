import { fillRoute, type Route, routeFinder } from "../operations.ts";

/** Names of the operations on accounts, access keys and the store. All are ours; AWS has none. */
export type AdminOperationName =
  | "CreateAccount"
  | "ListAccounts"
  | "CreateAccessKey"
  | "ListAccessKeys"
  | "GetAccessKey"
  | "UpdateAccessKey"
  | "DeleteAccessKey"
  | "SimulatePolicy"
  | "StartCollection"
  | "GetCollection"
  | "StopCollection"
  | "DescribeStore"
  | "DescribeService"
  | "LocateBlock"
  | "GetStoreStatus"
  | "ListStoreSamples"
  | "ListAuditEntries"
  | "ScrubStore"
  | "RotateTokenSecrets";

/** Where each is reached; `self` stands for the caller's own account. */
export const ADMIN_ROUTES: Readonly<Record<AdminOperationName, Route>> = {
  CreateAccount: { method: "POST", path: "/varve/accounts" },
  ListAccounts: { method: "GET", path: "/varve/accounts" },
  CreateAccessKey: { method: "POST", path: "/varve/accounts/{accountId}/keys" },
  ListAccessKeys: { method: "GET", path: "/varve/accounts/{accountId}/keys" },
  GetAccessKey: { method: "GET", path: "/varve/keys/{accessKeyId}" },
  UpdateAccessKey: { method: "POST", path: "/varve/keys/{accessKeyId}" },
  DeleteAccessKey: { method: "DELETE", path: "/varve/keys/{accessKeyId}" },
  SimulatePolicy: { method: "POST", path: "/varve/policy-simulations" },
  StartCollection: { method: "POST", path: "/varve/collections" },
  GetCollection: { method: "GET", path: "/varve/collections/{collectionId}" },
  StopCollection: { method: "DELETE", path: "/varve/collections/{collectionId}" },
  DescribeStore: { method: "GET", path: "/varve/store" },
  LocateBlock: {
    method: "GET",
    path: "/varve/snapshots/{snapshotId}/blocks/{blockIndex}/location",
  },
  DescribeService: { method: "GET", path: "/varve/service" },
  GetStoreStatus: { method: "GET", path: "/varve/status" },
  ListStoreSamples: { method: "GET", path: "/varve/samples" },
  ListAuditEntries: { method: "GET", path: "/varve/audit" },
  ScrubStore: { method: "POST", path: "/varve/scrub" },
  RotateTokenSecrets: { method: "POST", path: "/varve/token-secrets" },
};

/** True for the name of one of these operations. */
export function isAdminOperation(name: string | undefined): name is AdminOperationName {
  return name !== undefined && Object.hasOwn(ADMIN_ROUTES, name);
}

/** The operation at that method and path, or undefined. */
export function matchAdminRoute(method: string, path: string) {
  return findOperation(method, path);
}

const findOperation = routeFinder(ADMIN_ROUTES);

/** The path of an operation with its parameters filled in. */
export function formatAdminRoute(
  operation: AdminOperationName,
  parameters: Readonly<Record<string, string>> = {},
): Route {
  return fillRoute(ADMIN_ROUTES[operation], parameters);
}
