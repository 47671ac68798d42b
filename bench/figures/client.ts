import type { Server } from "../harness/bench.ts";
import { Child } from "../harness/child.ts";
import type { Figure } from "../harness/figure.ts";
import { startSnapshot } from "../harness/puts.ts";
import { interleave, rowOf, type Sample } from "../harness/rounds.ts";

type Library = "varve" | "sdk";

/** What a block costs the client, beside AWS's own SDK at the same server. */
export const client: Figure = {
  name: "client",
  about: "our client and @aws-sdk/client-ebs put and get blocks; calls a second of their own CPU",
  async run(bench) {
    await using varve = await bench.startVarve("client");
    await using ours = new Child("block-client");
    await using sdks = new Child("block-client");
    const children = { varve: ours, sdk: sdks };
    const count = bench.scaled(1_000);
    const stored = await startSnapshot(bench, varve);
    const load = (library: Library, snapshotId: string, name: string) =>
      ({ library, endpoint: varve.endpoint, snapshotId, name, count }) as const;
    const put = async (library: Library, snapshotId: string, name: string) =>
      perCpuSecond(children[library], "put", load(library, snapshotId, name));
    const putNew = async (library: Library, round: number) =>
      put(library, await startSnapshot(bench, varve), `${library} ${round}`);
    await put("varve", stored, "stored");
    const seal = { endpoint: varve.endpoint, snapshotId: stored, count };
    await bench.generator.call("completeSnapshot", seal);
    const get = async (library: Library) =>
      perCpuSecond(children[library], "get", load(library, stored, ""));
    for (const library of ["varve", "sdk"] as const) {
      await children[library].call("readTokens", load(library, stored, ""));
      await putNew(library, -1);
      await get(library);
    }
    const { rounds } = bench.options;
    const contend = (work: (library: Library, round: number) => Promise<Sample>) =>
      interleave(rounds, {
        varve: (round) => work("varve", round),
        floor: (round) => work("sdk", round),
      });
    const goal = "≥ 2";
    return [
      rowOf(await contend(putNew), "rate", { figure: "client put", unit: "/CPU s", goal }),
      rowOf(await contend(get), "rate", { figure: "client get", unit: "/CPU s", goal }),
    ];
  },
};

async function perCpuSecond(
  child: Child,
  command: "put" | "get",
  load: { readonly count: number; readonly endpoint: Server["endpoint"] },
): Promise<Sample> {
  const before = child.cpuSeconds();
  await child.call(command, load);
  return { rate: load.count / (child.cpuSeconds() - before) };
}
