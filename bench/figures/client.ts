import { findPythonTools } from "../../test/support/python.ts";
import type { Bench, Server } from "../harness/bench.ts";
import { Child } from "../harness/child.ts";
import type { Figure } from "../harness/figure.ts";
import { startSnapshot } from "../harness/puts.ts";
import { PythonChild } from "../harness/python-child.ts";
import { interleaveAll, missingRow, type Row, rowOf, type Sample } from "../harness/rounds.ts";
import { KEY_PAIR, REGION } from "../harness/target.ts";

type Library = "varve" | "sdk" | "boto3";

/** A process that puts and gets blocks with one library. */
interface LibraryChild extends AsyncDisposable {
  call(command: string, load: object): Promise<unknown>;
  cpuSeconds(): number;
}

/** What a block costs the client, beside AWS's own SDKs at the same server. */
export const client: Figure = {
  name: "client",
  group: "clients",
  about: "our client, @aws-sdk/client-ebs and boto3 put and get blocks; calls per own CPU second",
  async run(bench) {
    await using varve = await bench.startVarve("client");
    await using ours = new Child("block-client");
    await using sdks = new Child("block-client");
    const tools = await findPythonTools();
    await using boto3 =
      typeof tools === "string" ? undefined : new PythonChild(tools.python, "boto3-client");
    const children = { varve: ours, sdk: sdks, ...(boto3 ? { boto3 } : {}) };
    const rows = await compare(bench, varve, children);
    return typeof tools === "string" ? [...rows, missingRow("client, boto3", tools)] : rows;
  },
};

async function compare(
  bench: Bench,
  varve: Server,
  children: Partial<Record<Library, LibraryChild>>,
): Promise<Row[]> {
  const libraries = Object.keys(children) as Library[];
  const count = bench.scaled(1_000);
  const stored = await startSnapshot(bench, varve);
  const { endpoint } = varve;
  const load = (library: Library, snapshotId: string, name: string) =>
    ({ library, endpoint, region: REGION, ...KEY_PAIR, snapshotId, name, count }) as const;
  const perCpuSecond = async (library: Library, command: "put" | "get", asked: object) => {
    const child = children[library] as LibraryChild;
    const before = child.cpuSeconds();
    await child.call(command, asked);
    return { rate: count / (child.cpuSeconds() - before) };
  };
  const putNew = async (library: Library, round: number) => {
    const snapshotId = await startSnapshot(bench, varve);
    return perCpuSecond(library, "put", load(library, snapshotId, `${library} ${round}`));
  };
  const get = (library: Library) => perCpuSecond(library, "get", load(library, stored, ""));
  await perCpuSecond("varve", "put", load("varve", stored, "stored"));
  await bench.generator.call("completeSnapshot", { endpoint, snapshotId: stored, count });
  for (const library of libraries) {
    await children[library]?.call("readTokens", load(library, stored, ""));
    await putNew(library, -1);
    await get(library);
  }
  const contend = async (work: (library: Library, round: number) => Promise<Sample>) => {
    const contenders = libraries.map((library) => {
      return [library, (round: number) => work(library, round)] as const;
    });
    return interleaveAll(bench.options.rounds, Object.fromEntries(contenders));
  };
  const measured = { put: await contend(putNew), get: await contend(get) };
  const named = { unit: "/CPU s", goal: "≥ 2" };
  return libraries.slice(1).flatMap((library) =>
    (["put", "get"] as const).map((command) => {
      const { varve: own = [], [library]: floor = [] } = measured[command];
      return rowOf({ varve: own, floor }, "rate", { figure: `${command}, ${library}`, ...named });
    }),
  );
}
