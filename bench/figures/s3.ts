import { newBucket, s3Engine, whyNoS3 } from "../../test/support/s3.ts";
import type { S3Engine } from "../../test/support/s3-engine.ts";
import type { Bench } from "../harness/bench.ts";
import type { Figure } from "../harness/figure.ts";
import { CONNECTIONS, putToVarve } from "../harness/puts.ts";
import { interleave, missingRow, type Row, rowOf } from "../harness/rounds.ts";

/** An object store that takes objects as large as blocks, from the same generator. */
export const s3: Figure = {
  name: "s3",
  group: "peers",
  about: "1,000 puts; beside: as many objects of 512 KiB put to the S3 engine of the tests",
  async run(bench) {
    const reason = whyNoS3();
    if (reason !== false) return [missingRow("put, S3 engine", reason)];
    const engine = await s3Engine();
    try {
      return [await besideS3(bench, engine)];
    } finally {
      await engine.close();
    }
  },
};

async function besideS3(bench: Bench, engine: S3Engine): Promise<Row> {
  await using varve = await bench.startVarve("s3");
  const { bucket } = await newBucket(engine);
  const { endpoint, region, credentials: keyPair } = engine;
  const count = bench.scaled(1_000);
  const blocksOf = (round: number) => ({ kind: "random", name: `s3 ${round}`, count }) as const;
  const put = (round: number) => putToVarve(bench, varve, blocksOf(round));
  const putObjects = async (round: number) => {
    const signing = { keyPair, region, service: "s3" };
    const load = { endpoint, bucket, signing, blocks: blocksOf(round), connections: CONNECTIONS };
    const { seconds } = await bench.generator.call<{ seconds: number }>("putObjects", load);
    return { rate: count / seconds };
  };
  await put(-1);
  await putObjects(-1);
  const measured = await interleave(bench.options.rounds, { varve: put, floor: putObjects });
  const row = rowOf(measured, "rate", { figure: "put, S3 engine", unit: "blocks/s", goal: "≥ 2" });
  return { ...row, note: `beside ${engine.name}` };
}
