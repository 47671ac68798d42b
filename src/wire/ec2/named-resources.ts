import { NAMED_RESOURCES_COUNT_MAX, SNAPSHOT_ID_CHARACTERS_MAX } from "../../model/limits.ts";
import type { Tag } from "../../model/snapshot.ts";
import { readAllTagSpecifications, readTagPatterns } from "./members.ts";
import { isRead } from "./parameters.ts";
import { type QueryParameters, queryFault } from "./query.ts";

/*
 * What of an EC2 request policies go by. It is read from the very parameters that the action reads:
 * what a policy is asked about is what will be done.
 */

/** Names of parameters that hold the id of a snapshot or an image. */
const IDS = [
  /^(Source)?(Snapshot|Image)Id$/,
  /^(Snapshot|Image|Resource)Id\.\d+$/,
  /^BlockDeviceMapping\.\d+\.Ebs\.SnapshotId$/,
];

/** The ids of snapshots and images that the action reads, under whatever parameter, each once. */
export function readNamedResources(parameters: QueryParameters): string[] {
  const ids = new Set<string>();
  for (const name of parameters.names()) {
    if (!IDS.some((id) => id.test(name)) || !isRead(parameters.action, name)) continue;
    // A longer text is no id; policies need not be asked about more of it than tells so.
    ids.add((parameters.get(name) ?? "").slice(0, SNAPSHOT_ID_CHARACTERS_MAX + 1));
    if (ids.size > NAMED_RESOURCES_COUNT_MAX) {
      const message = `More than ${NAMED_RESOURCES_COUNT_MAX} resources are named`;
      throw queryFault(400, "InvalidParameterValue", message);
    }
  }
  return [...ids];
}

/** Tags of a request, and whether it makes new resources that carry some. */
export interface RequestTags {
  readonly tags: readonly Tag[];
  readonly isForNew: boolean;
}

/** The tags that the action reads. */
export function readRequestTags(parameters: QueryParameters): RequestTags {
  const { action } = parameters;
  if (isRead(action, "Tag.1.Key")) {
    const tags = readTagPatterns(parameters, "Tag").map(({ Key, Value = "" }) => ({ Key, Value }));
    return { tags, isForNew: false };
  }
  if (!isRead(action, "TagSpecification.1.ResourceType")) return { tags: [], isForNew: false };
  const specifications = readAllTagSpecifications(parameters);
  const isCopying = parameters.get("CopyImageTags") === "true";
  return {
    tags: specifications.flatMap(({ tags }) => tags),
    isForNew: specifications.length > 0 || isCopying,
  };
}
