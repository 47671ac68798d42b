// One of several server processes on one store: server.ts CONFIG, as JSON. Prints one line of JSON
// when it listens, and ends by SIGTERM.
import { systemClock } from "../../src/base/clock.ts";
import { systemRandom } from "../../src/base/random.ts";
import { openPostgresCatalog } from "../../src/catalog/postgres/postgres-catalog.ts";
import { Bucket } from "../../src/segments/bucket.ts";
import { S3Segments } from "../../src/segments/s3-segments.ts";
import { serveStore } from "../../src/service.ts";
import { SharedSegments } from "../support/shared-segments.ts";
import type { ClusterConfig } from "./cluster-server.ts";
import type { SegmentsPlace } from "./segments-place.ts";

const config = JSON.parse(process.argv[2] as string) as ClusterConfig;
const { connectionString, segments: place, skewMs, leases, keyPair, collectMinutes } = config;
const clock = { ...systemClock, nowMs: () => Date.now() + skewMs };
const say = (text: string, error: unknown) => console.error(`${text}: ${String(error)}`);
const catalog = await openPostgresCatalog({ connectionString });
const member = await catalog.join({
  ...{ clock, leases, name: String(process.pid) },
  onError: (error) => say("member", error),
});
const nextNumber = () => member.nextSegment();
const service = await serveStore(
  {
    ...{ host: "127.0.0.1", port: 0, region: "us-east-1", keyPair, collectMinutes, scrubDays: 0 },
    keyEncryptionKey: { secret: Buffer.alloc(32, 7) },
    log: ({ message, ...rest }) => console.error(message, JSON.stringify(rest).slice(0, 500)),
  },
  {
    ...{ place: "segments", catalog, member },
    segments: await segmentsAt(place),
    room: {
      checkRoom: () => undefined,
      hasRoomToMove: async () => true,
      look: async () => undefined,
      freeBytes: async () => undefined,
    },
    engines: [{ name: "catalog", check: () => catalog.check() }],
    failed: new Promise(() => undefined),
    claim: async () => undefined,
    keepCredentials: async () => undefined,
    ownKeyEncryptionKey: () => Promise.reject(new Error("the key is given")),
    close: () => catalog.close(),
  },
);
process.stdout.write(`${JSON.stringify({ endpoint: service.endpoint })}\n`);
process.once("SIGTERM", () => void service.close().then(() => process.exit(0)));

async function segmentsAt(given: SegmentsPlace) {
  if ("folder" in given) return new SharedSegments(given.folder, nextNumber);
  const parts = { clock, random: systemRandom };
  return new S3Segments({ ...parts, nextNumber, bucket: await Bucket.open(given.bucket, parts) });
}
