import type { WireResponse } from "../message.ts";
import { type Filter, readFilters } from "./members.ts";
import { type QueryParameters, writeEc2Response } from "./query.ts";

/** Reads a DescribeRegions request. */
export function readDescribeRegionsRequest(parameters: QueryParameters): {
  readonly RegionNames: readonly string[];
  readonly Filters: readonly Filter[];
} {
  return { RegionNames: parameters.list("RegionName"), Filters: readFilters(parameters) };
}

/** A region as EC2 describes it. */
export interface RegionDescription {
  readonly RegionName: string;
  /** Host name at AWS; tools show it, and reach this service by the endpoint they were given. */
  readonly Endpoint: string;
  readonly OptInStatus: string;
}

/** Writes a DescribeRegions response. */
export function writeDescribeRegionsResponse(
  requestId: string,
  regions: readonly RegionDescription[],
): WireResponse {
  const item = regions.map(({ RegionName, Endpoint, OptInStatus }) => ({
    optInStatus: OptInStatus,
    regionName: RegionName,
    regionEndpoint: Endpoint,
  }));
  return writeEc2Response("DescribeRegions", requestId, { regionInfo: { item } });
}
