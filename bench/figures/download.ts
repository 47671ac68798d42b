import { join } from "node:path";
import type { Figure } from "../harness/figure.ts";
import { IMAGE_DATA_BYTES, IMAGE_SIZE_BYTES, makeImage } from "../harness/image.ts";
import { interleave, rowOf } from "../harness/rounds.ts";
import { copyAndHash, fileDigest, transfer } from "../harness/transfers.ts";

/** The same image back, verified and sparse, through the client library. */
export const download: Figure = {
  name: "download",
  group: "clients",
  about: "the same image back, verified, sparse; floor: cp --sparse, sync, sha256sum",
  async run(bench) {
    await using varve = await bench.startVarve("download");
    const folder = await bench.folder("images");
    const [path, back, copy] = ["image", "back", "copy"].map((name) => join(folder, name)) as [
      string,
      string,
      string,
    ];
    const sizeBytes = bench.scaled(IMAGE_SIZE_BYTES);
    const dataBytes = bench.scaled(IMAGE_DATA_BYTES);
    await makeImage({ path, name: "download", sizeBytes, dataBytes });
    const { endpoint } = varve;
    const { snapshotId } = await transfer("upload", { endpoint, path });
    const downloadBack = async () => {
      const { seconds } = await transfer("download", { endpoint, snapshotId, path: back });
      return { seconds };
    };
    await downloadBack();
    if ((await fileDigest(back)) !== (await fileDigest(path))) {
      throw new Error("What came back is not what went there");
    }
    const measured = await interleave(bench.options.rounds, {
      varve: downloadBack,
      floor: () => copyAndHash(path, copy),
    });
    return [rowOf(measured, "seconds", { figure: "download", unit: "s" })];
  },
};
