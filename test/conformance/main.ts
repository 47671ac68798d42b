import { writeFile } from "node:fs/promises";
import { parseArgs } from "node:util";
import { Caller } from "./_caller.ts";
import { Connection } from "./_connection.ts";
import { prepare } from "./_context.ts";
import { openMoto, openVarve, type Subject } from "./_endpoints.ts";
import { comparison, countTable, differences, markdownTable } from "./_report.ts";
import { count, type Result, runChecks } from "./_run.ts";
import type { Party } from "./_sign.ts";
import { ALL_CHECKS } from "./all-checks.ts";

/*
 * npm run conformance: every documented fact against one endpoint. Without an endpoint, against
 * Varve in this process; with --moto, against Varve and moto, side by side.
 */

/** How long AWS, and so what emulates it, may take to complete a snapshot and to let it be read. */
const AWS_PATIENCE_MS = 300_000;

const USAGE = `usage: npm run conformance -- [--endpoint URL --access-key ID --secret-key SECRET]
  --second-access-key ID, --second-secret-key SECRET
                     a key of another account, for the checks of sharing
  --region NAME      region to sign for (default us-east-1)
  --ec2-endpoint URL where EC2 and STS actions go (default: the endpoint)
  --patience SECONDS how long completion may take (default 10; AWS takes up to 300)
  --only PATTERN     only checks whose id or group fits this regular expression
  --json FILE        write every result there
  --markdown         print the table for docs/api.md
  --emulate LIST     what the Varve started here emulates, for example aws (then with 300 s of
                     patience unless told otherwise)
  --moto             run moto beside Varve and print the comparison
Without --endpoint, AWS_ENDPOINT_URL is used, and without that Varve is started here.
Ends with 1 when a check fails.`;

const { values } = parseArgs({
  options: {
    endpoint: { type: "string" },
    "ec2-endpoint": { type: "string" },
    "access-key": { type: "string" },
    "secret-key": { type: "string" },
    "second-access-key": { type: "string" },
    "second-secret-key": { type: "string" },
    region: { type: "string" },
    patience: { type: "string" },
    only: { type: "string" },
    json: { type: "string" },
    markdown: { type: "boolean" },
    emulate: { type: "string" },
    moto: { type: "boolean" },
    help: { type: "boolean" },
  },
});

process.exitCode = await main();

async function main(): Promise<number> {
  if (values.help) {
    console.log(USAGE);
    return 0;
  }
  const given = values.endpoint ?? process.env["AWS_ENDPOINT_URL"];
  const subject = given === undefined || values.moto ? await startVarve() : endpointAt(given);
  try {
    (await Connection.open(subject.caller.party.url)).close();
  } catch (error) {
    console.error(`varve: ${subject.name} cannot be reached: ${String(error)}`);
    return 1;
  }
  const results = await examine(subject);
  print(subject.name, results);
  if (values.json !== undefined) {
    await writeFile(values.json, `${JSON.stringify({ endpoint: subject.name, results })}\n`);
  }
  if (values.moto) {
    const moto = await openMoto();
    const others = await examine(moto);
    print(moto.name, others);
    const columns = [
      { name: subject.name, results },
      { name: moto.name, results: others },
    ];
    console.log(`\n${comparison(columns)}`);
  }
  return count(results).fail > 0 ? 1 : 0;
}

function startVarve(): Promise<Subject> {
  const { emulate } = values;
  if (emulate === undefined) return openVarve({ patienceMs: patienceGiven() });
  return openVarve({ emulate, patienceMs: patienceGiven() ?? AWS_PATIENCE_MS });
}

function patienceGiven(): number | undefined {
  return values.patience === undefined ? undefined : Number(values.patience) * 1000;
}

function endpointAt(endpoint: string): Subject {
  const { env } = process;
  const party: Party = {
    url: new URL(endpoint),
    region: values.region ?? env["AWS_REGION"] ?? env["AWS_DEFAULT_REGION"] ?? "us-east-1",
    accessKeyId: values["access-key"] ?? env["AWS_ACCESS_KEY_ID"] ?? "",
    secretAccessKey: values["secret-key"] ?? env["AWS_SECRET_ACCESS_KEY"] ?? "",
    sessionToken: env["AWS_SESSION_TOKEN"],
  };
  const ec2 = { ...party, url: new URL(values["ec2-endpoint"] ?? endpoint) };
  const patienceMs = patienceGiven();
  const callerOf = (key: Partial<Party>) =>
    new Caller({ ...party, ...key }, { ...ec2, ...key }, patienceMs);
  const second = { accessKeyId: values["second-access-key"] ?? "" };
  const others = second.accessKeyId
    ? { second: callerOf({ ...second, secretAccessKey: values["second-secret-key"] ?? "" }) }
    : {};
  return { name: endpoint, caller: callerOf({}), others, close: async () => undefined };
}

async function examine(subject: Subject): Promise<Result[]> {
  const pattern = new RegExp(values.only ?? "");
  const picked = ALL_CHECKS.filter(({ id, group }) => pattern.test(id) || pattern.test(group));
  try {
    const start = performance.now();
    const results = await runChecks(picked, await prepare(subject.caller, subject.others));
    const seconds = ((performance.now() - start) / 1000).toFixed(1);
    console.log(`\n${subject.name}: ${picked.length} checks in ${seconds} s`);
    return results;
  } finally {
    await subject.close();
  }
}

function print(name: string, results: readonly Result[]): void {
  console.log(`\n${differences(results)}\n\n${name}\n${countTable(results)}`);
  if (values.markdown) console.log(`\n${markdownTable(results)}`);
}
