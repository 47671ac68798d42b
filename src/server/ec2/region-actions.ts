import { escapableWildcardPattern } from "../../base/wildcard.ts";
import {
  readDescribeRegionsRequest,
  writeDescribeRegionsResponse,
} from "../../wire/ec2/describe-regions.ts";
import { queryFault } from "../../wire/ec2/query.ts";
import { filterFault, type QueryActions } from "./query-call.ts";

/** The actions that tell where things are. */
export const REGION_ACTIONS: QueryActions = {
  async DescribeRegions({ region }, { parameters, requestId }) {
    const { RegionNames, Filters } = readDescribeRegionsRequest(parameters);
    const unknown = RegionNames.filter((name) => name !== region);
    if (unknown.length > 0) {
      const names = unknown.map((name) => name.slice(0, 64)).join(", ");
      const message = `Invalid region names provided: '${names}'`;
      const known = `This service runs as '${region}'.`;
      throw queryFault(400, "InvalidParameterValue", `${message}. ${known}`);
    }
    const description = {
      RegionName: region,
      Endpoint: `ec2.${region}.amazonaws.com`,
      OptInStatus: "opt-in-not-required",
    };
    const fields: Readonly<Record<string, string>> = {
      endpoint: description.Endpoint,
      "opt-in-status": description.OptInStatus,
      "region-name": description.RegionName,
    };
    const unknownFilter = Filters.find(({ Name }) => !Object.hasOwn(fields, Name));
    if (unknownFilter) throw filterFault(unknownFilter.Name);
    const isWanted = Filters.every(({ Name, Values }) =>
      Values.some((value) => escapableWildcardPattern(value).test(fields[Name] ?? "")),
    );
    return writeDescribeRegionsResponse(requestId, isWanted ? [description] : []);
  },
};
