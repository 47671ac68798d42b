import { Constraints, type TextBounds } from "../constraints.ts";
import { jsonResponse, parseJsonObject, readJson } from "../json.ts";
import { type ReceivedResponse, request, type WireRequest, type WireResponse } from "../message.ts";
import { formatAdminRoute } from "./routes.ts";

/** An account. */
export interface AccountDescription {
  /** Twelve digits. */
  readonly AccountId: string;
}

/** Input of CreateAccount; without an id one is minted. */
export interface CreateAccountRequest {
  readonly AccountId?: string | undefined;
}

/** Output of ListAccounts: the first of them manages the others. */
export interface ListAccountsResponse {
  readonly Accounts: readonly AccountDescription[];
}

const ACCOUNT_ID: TextBounds = { maxLength: 12, pattern: /^[0-9]{12}$/ };

/** Reads and checks a CreateAccount request. */
export function readCreateAccountRequest({
  body,
}: Pick<WireRequest, "body">): CreateAccountRequest {
  const json = parseJsonObject(body);
  const c = new Constraints();
  const input = { AccountId: c.text("accountId", json["AccountId"], ACCOUNT_ID) };
  c.check();
  return input;
}

/** Writes a CreateAccount request. */
export function writeCreateAccountRequest(input: CreateAccountRequest): WireRequest {
  return request({
    ...formatAdminRoute("CreateAccount"),
    headers: { "content-type": "application/json" },
    body: new TextEncoder().encode(JSON.stringify(input)),
  });
}

/** Writes a CreateAccount response. */
export function writeCreateAccountResponse(account: AccountDescription): WireResponse {
  return jsonResponse(201, JSON.stringify(account));
}

/** Reads a CreateAccount response. */
export function readCreateAccountResponse(response: ReceivedResponse): AccountDescription {
  return readJson(response) as unknown as AccountDescription;
}

/** Writes a ListAccounts request. */
export function writeListAccountsRequest(): WireRequest {
  return request(formatAdminRoute("ListAccounts"));
}

/** Writes a ListAccounts response. */
export function writeListAccountsResponse(response: ListAccountsResponse): WireResponse {
  return jsonResponse(200, JSON.stringify(response));
}

/** Reads a ListAccounts response. */
export function readListAccountsResponse(response: ReceivedResponse): ListAccountsResponse {
  return readJson(response) as unknown as ListAccountsResponse;
}
