import type { BucketAddress } from "../../src/segments/bucket.ts";
import { newBucket, s3Engine, whyNoS3 } from "../support/s3.ts";
import { type Cleanup, temporaryDirectory } from "../support/temporary-directory.ts";

/** Where the segments of all processes lie: in a bucket, or in a folder that stands for one. */
export type SegmentsPlace = { readonly bucket: BucketAddress } | { readonly folder: string };

/** A new place: a bucket of its own, or a folder where there is no object store to be had. */
export async function segmentsPlace(t: Cleanup): Promise<SegmentsPlace> {
  if (whyNoS3()) return { folder: await temporaryDirectory(t) };
  return { bucket: await newBucket(await s3Engine()) };
}
