import { join } from "node:path";
import type { Figure } from "../harness/figure.ts";
import { IMAGE_DATA_BYTES, IMAGE_SIZE_BYTES, makeImage } from "../harness/image.ts";
import { interleave, rowOf } from "../harness/rounds.ts";
import { copyAndHash, transfer } from "../harness/transfers.ts";

/** A sparse image, new to the store, through the client library. */
export const upload: Figure = {
  name: "upload",
  group: "clients",
  about: "sparse image, 1 GiB with 256 MiB of data; floor: cp --sparse, sync, sha256sum",
  async run(bench) {
    await using varve = await bench.startVarve("upload");
    const folder = await bench.folder("images");
    const [path, copy] = [join(folder, "image"), join(folder, "copy")];
    const sizeBytes = bench.scaled(IMAGE_SIZE_BYTES);
    const dataBytes = bench.scaled(IMAGE_DATA_BYTES);
    const make = (name: string) => makeImage({ path, name, sizeBytes, dataBytes });
    const uploadNew = async (name: string) => {
      await make(name);
      const { seconds, cpuSeconds } = await transfer("upload", { ...varve, path });
      return { seconds, cpuSeconds };
    };
    await uploadNew("warm-up");
    const measured = await interleave(bench.options.rounds, {
      varve: (round) => uploadNew(`round ${round}`),
      floor: () => copyAndHash(path, copy),
    });
    return [rowOf(measured, "seconds", { figure: "upload", unit: "s" })];
  },
};
