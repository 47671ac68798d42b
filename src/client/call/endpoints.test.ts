import assert from "node:assert/strict";
import { test } from "node:test";
import { EBSClient } from "@aws-sdk/client-ebs";
import { EC2Client } from "@aws-sdk/client-ec2";
import { STSClient } from "@aws-sdk/client-sts";
import { awsEndpoint, isAwsEndpoint, resolveEndpoints, type ServiceName } from "./endpoints.ts";

const CLIENTS = { ebs: EBSClient, ec2: EC2Client, sts: STSClient } as const;
const REGIONS = ["us-east-1", "eu-central-1", "cn-north-1", "us-gov-west-1", "us-iso-east-1"];

/** The address that AWS's own SDK makes its requests to, without sending one. */
async function sdkEndpoint(service: ServiceName, region: string, fips: boolean): Promise<string> {
  const { endpointProvider } = new CLIENTS[service]({ region }).config as unknown as {
    endpointProvider: (parameters: object) => { readonly url: URL };
  };
  const parameters = {
    Region: region,
    UseFIPS: fips,
    UseDualStack: false,
    UseGlobalEndpoint: false,
  };
  return endpointProvider(parameters).url.origin;
}

test("AWS's addresses are those of AWS's own SDK, in every partition", async () => {
  const regions = [...REGIONS, "us-isob-east-1", "eu-isoe-west-1", "us-isof-south-1"];
  for (const region of [...regions, "eusc-de-east-1", "us-gov-east-1"]) {
    for (const service of ["ebs", "ec2", "sts"] as const) {
      for (const useFipsEndpoint of [false, true]) {
        const expected = await sdkEndpoint(service, region, useFipsEndpoint);
        const actual = awsEndpoint(service, { region, useFipsEndpoint });
        assert.equal(actual, expected, `${service} in ${region}, FIPS: ${useFipsEndpoint}`);
        assert.ok(isAwsEndpoint(actual));
      }
    }
  }
});

test("one endpoint is for all services, unless one has its own", () => {
  const region = "eu-west-1";
  const hrefs = (options: Parameters<typeof resolveEndpoints>[0]) =>
    Object.values(resolveEndpoints(options)).map(({ href }) => href);
  const own = "http://127.0.0.1:7788/";
  assert.deepEqual(hrefs({ endpoint: own, region }), [own, own, own]);
  assert.deepEqual(hrefs({ endpoint: "aws", region }), [
    "https://ebs.eu-west-1.amazonaws.com/",
    "https://ec2.eu-west-1.amazonaws.com/",
    "https://sts.eu-west-1.amazonaws.com/",
  ]);
  const endpoints = { ec2: "http://127.0.0.1:2", sts: "aws" };
  assert.deepEqual(hrefs({ endpoint: own, endpoints, region }), [
    own,
    "http://127.0.0.1:2/",
    "https://sts.eu-west-1.amazonaws.com/",
  ]);
});

test("a region cannot lead to another host, and a password is not repeated", () => {
  for (const region of ["evil.example/", "", "us east 1", "a", "eu-west-1.evil.example"]) {
    assert.throws(() => resolveEndpoints({ endpoint: "aws", region }), /is no region of AWS/);
  }
  const endpoint = "http://user:secret@host";
  assert.throws(
    () => resolveEndpoints({ endpoint, region: "eu-west-1" }),
    (error: Error) => error instanceof TypeError && !error.message.includes("secret"),
  );
  for (const other of ["http://127.0.0.1:7788", "https://amazonaws.com.evil.example", "nonsense"]) {
    assert.ok(!isAwsEndpoint(other), other);
  }
});
