import { jsonResponse, readJson } from "../json.ts";
import { type ReceivedResponse, request, type WireRequest, type WireResponse } from "../message.ts";
import { formatAdminRoute } from "./routes.ts";

/** Output of DescribeService: how the service was started. Changing it takes another start. */
export interface ServiceDescription {
  readonly Region: string;
  /** Days that deleted snapshots stay in the recycle bin; 0 for no bin. */
  readonly RecycleBinDays: number;
  /** Minutes between two collections of garbage; 0 for none but those asked for. */
  readonly CollectMinutes: number;
  /** Days in which all that is stored is read again; 0 for never by itself. */
  readonly ScrubDays: number;
  /** Days after which tokens are minted with new secrets; 0 for never by itself. */
  readonly TokenSecretDays: number;
  /** What wraps the secrets of encryption keys: what the store keeps, or what was given. */
  readonly KeyEncryptionKey: "kept with the store" | "given at the start";
  /** What is emulated for tests of clients; null for nothing. */
  readonly Emulation: Readonly<Record<string, string | number | boolean>> | null;
}

/** Writes a DescribeService request. */
export function writeDescribeServiceRequest(): WireRequest {
  return request(formatAdminRoute("DescribeService"));
}

/** Writes a DescribeService response. */
export function writeDescribeServiceResponse(service: ServiceDescription): WireResponse {
  return jsonResponse(200, JSON.stringify(service));
}

/** Reads a DescribeService response. */
export function readDescribeServiceResponse(response: ReceivedResponse): ServiceDescription {
  return readJson(response) as unknown as ServiceDescription;
}
