import { changedParts, listParts, putParts } from "../support/operations.ts";
import { brief, jsonOf } from "./_caller.ts";
import { Group } from "./_check.ts";
import { A, type Context, type Sample, UNKNOWN } from "./_context.ts";
import { fits, holds, same } from "./_expect.ts";

/* How responses are written, whatever they say. */

const group = new Group("1.1 response framing");
const errors = new Group("1.2 error framing");
/** The checks of this file. */
export const framing = [group, errors];

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
const HTTP_DATE = /^(Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT$/;

const STATUS: Readonly<Record<Exclude<Sample, "CompleteSnapshot again">, number>> = {
  StartSnapshot: 201,
  PutSnapshotBlock: 201,
  CompleteSnapshot: 202,
  GetSnapshotBlock: 200,
  ListSnapshotBlocks: 200,
  ListChangedBlocks: 200,
};

for (const [name, status] of Object.entries(STATUS)) {
  const sample = name as Sample;
  const header = (wanted: string) => (context: Context) => context.sample(sample).header(wanted);
  const add = (id: string, says: string, body: (context: Context) => void) =>
    group.check(`1.1/${name}.${id}`, `${name} ${says}.`, body);
  add("status", `answers ${status}`, (context) => {
    same(brief(context.sample(sample)).split(" ")[0], String(status));
  });
  add("request-id", "carries x-amzn-RequestId, a version 4 UUID", (context) =>
    fits(context.sample(sample).exact("x-amzn-RequestId"), UUID),
  );
  const type = name === "GetSnapshotBlock" ? "application/octet-stream" : "application/json";
  add("type", `is ${type}`, (context) => same(header("content-type")(context), type));
  add("length", "states its Content-Length", (context) => {
    const answer = context.sample(sample);
    same(answer.header("content-length"), String(answer.body.length));
  });
  add("date", "carries Date", (context) => fits(header("date")(context), HTTP_DATE));
  add("server", "carries no Server header", (context) => {
    context.sample(sample);
    same(header("server")(context) ?? "none", "none");
  });
  add("keeps", "keeps the connection", (context) => {
    const answer = context.sample(sample);
    same(brief(answer).split(" ")[0], String(status));
    holds(!/close/i.test(answer.header("connection") ?? ""), "Connection: close", "keep-alive");
  });
}

const KEYS: Readonly<Partial<Record<Sample, string>>> = {
  StartSnapshot:
    "BlockSize,Description,KmsKeyArn,OwnerId,ParentSnapshotId,SnapshotId,SseType,StartTime," +
    "Status,Tags,VolumeSize",
  ListSnapshotBlocks: "BlockSize,Blocks,ExpiryTime,NextToken,VolumeSize",
  ListChangedBlocks:
    "BlockSize,ChangedBlocks,ExpiryTime,LastEvaluatedBlockIndex,NextToken,VolumeSize",
  CompleteSnapshot: "Status",
};
for (const [name, keys] of Object.entries(KEYS)) {
  const sample = name as Sample;
  group.check(`1.1/${name}.keys`, `${name} has the keys ${keys}, in this order.`, (context) =>
    same(Object.keys(jsonOf(context.sample(sample))).join(), keys),
  );
  group.check(`1.1/${name}.compact`, `${name} is JSON without white space.`, (context) => {
    const { text } = context.sample(sample);
    holds(!/[,:{}[\]]\s|\s[,:{}[\]]/.test(text) && text !== "", text.slice(0, 200), "no spaces");
  });
}

const NULLS = ["Description", "KmsKeyArn", "ParentSnapshotId", "SseType", "Tags"];
for (const name of NULLS) {
  group.check(`1.1/start.null ${name}`, `StartSnapshot: ${name} without value is null.`, (c) =>
    same(jsonOf(c.sample("StartSnapshot"))[name], null),
  );
}
for (const [sample, name] of [
  ["ListSnapshotBlocks", "NextToken"],
  ["ListChangedBlocks", "NextToken"],
  ["ListChangedBlocks", "LastEvaluatedBlockIndex"],
] as const) {
  group.check(`1.1/${sample}.null ${name}`, `${sample}: ${name} at the end is null.`, (c) =>
    same(jsonOf(c.sample(sample))[name], null),
  );
}
group.check("1.1/list.block", "A listed block has BlockIndex and BlockToken.", (c) => {
  const [block] = jsonOf(c.sample("ListSnapshotBlocks"))["Blocks"] as object[];
  same(Object.keys(block ?? {}).join(), "BlockIndex,BlockToken");
});
group.check(
  "1.1/changed.block",
  "A changed block has BlockIndex, FirstBlockToken and SecondBlockToken.",
  (c) => {
    const [block] = jsonOf(c.sample("ListChangedBlocks"))["ChangedBlocks"] as object[];
    same(Object.keys(block ?? {}).join(), "BlockIndex,FirstBlockToken,SecondBlockToken");
  },
);
group.check("1.1/changed.null-token", "A token that does not exist is null, not missing.", (c) =>
  fits(c.sample("ListChangedBlocks").text, /"FirstBlockToken":null,"SecondBlockToken":"/),
);
group.check("1.1/put.body", "PutSnapshotBlock's body is {} and nothing more.", (c) =>
  same(c.sample("PutSnapshotBlock").text, "{}"),
);
group.check("1.1/put.no-length", "PutSnapshotBlock answers no data length.", (c) => {
  const answer = c.sample("PutSnapshotBlock");
  same(answer.header("x-amz-data-length") ?? "none", "none");
});
group.check("1.1/complete.body", "CompleteSnapshot answers its Status alone.", (c) =>
  fits(c.sample("CompleteSnapshot").text, /^\{"Status":"(pending|completed)"\}$/),
);
group.check("1.1/start.time", "StartTime is seconds in scientific notation.", (c) =>
  fits(c.sample("StartSnapshot").text, /"StartTime":\d\.\d{1,12}E9,/),
);
for (const sample of ["ListSnapshotBlocks", "ListChangedBlocks"] as const) {
  group.check(`1.1/${sample}.time`, `${sample}: ExpiryTime is seconds in that notation.`, (c) =>
    fits(c.sample(sample).text, /"ExpiryTime":\d\.\d{1,12}E9,/),
  );
}
group.check("1.1/start.zeros", "Trailing zeros of a time are dropped.", (c) => {
  const { text } = c.sample("StartSnapshot");
  const time = /"StartTime":(\d\.\d+)E9/.exec(text)?.[1];
  holds(time !== undefined && !/\d0$/.test(time.slice(2)), time ?? text, "no trailing zero");
});
group.check("1.1/start.gib", "VolumeSize is the GiB asked for.", (c) =>
  same(jsonOf(c.sample("StartSnapshot"))["VolumeSize"], 1),
);
for (const sample of ["StartSnapshot", "ListSnapshotBlocks", "ListChangedBlocks"] as const) {
  group.check(`1.1/${sample}.block-size`, `${sample}: BlockSize is 524288.`, (c) =>
    same(jsonOf(c.sample(sample))["BlockSize"], 524_288),
  );
}
group.check("1.1/one-connection", "One connection takes request after request.", async (c) => {
  const parts = listParts(c.id("root"));
  const answers = await c.caller.together([parts, parts, parts]);
  same(answers.map(({ status }) => status).join(), "200,200,200");
});

/** The refusals whose frame is looked at. */
const SAMPLES = {
  modelled: (c: Context) => c.caller.changed(undefined, UNKNOWN),
  framework: (c: Context) => c.caller.list(UNKNOWN, { maxResults: 99 }),
  "not found": (c: Context) => c.caller.list(UNKNOWN),
  mismatch: (c: Context) =>
    c.caller.call(
      putParts({ snapshotId: c.id("pending"), blockIndex: 1 }, A, {
        "x-amz-checksum": "B4VNL+8pega6gWheZgwzLeNtXRjVRpJ9MNqtbX/aFUE=",
      }),
    ),
  conflict: async (c: Context) => {
    const ClientToken = c.token();
    await c.caller.start({ ClientToken });
    return c.caller.start({ ClientToken, Description: "another" });
  },
} as const;
const SERVICE = "com.amazon.zeppelindataservice/";
type Framed = readonly [
  status: number,
  code: string,
  origin: string,
  keys: string,
  connection: "close" | "keep-alive",
];
const FRAMES: Readonly<Record<keyof typeof SAMPLES, Framed>> = {
  modelled: [400, "ValidationException", SERVICE, "Message,Reason", "close"],
  framework: [400, "ValidationException", "com.amazon.coral.validate/", "message", "close"],
  "not found": [404, "ResourceNotFoundException", SERVICE, "Message,Reason", "keep-alive"],
  mismatch: [
    403,
    "InvalidSignatureException",
    "com.amazon.coral.service/",
    "message",
    "keep-alive",
  ],
  conflict: [409, "ConflictException", SERVICE, "Message", "keep-alive"],
};

for (const [name, sample] of Object.entries(SAMPLES)) {
  const [status, code, origin, keys, connection] = FRAMES[name as keyof typeof SAMPLES];
  const kind = `A ${name} error`;
  errors.check(`1.2/${name}.status`, `${kind} answers ${status}.`, async (c) =>
    same(String((await sample(c)).status), String(status)),
  );
  const type = `${code}:http://internal.amazon.com/coral/${origin}`;
  errors.check(`1.2/${name}.type`, `${kind} has x-amzn-ErrorType ${type}`, async (c) =>
    same((await sample(c)).exact("x-amzn-ErrorType") ?? "none", type),
  );
  errors.check(`1.2/${name}.keys`, `${kind}'s body has ${keys} and nothing more.`, async (c) => {
    const answer = await sample(c);
    same(Object.keys(jsonOf(answer, status)).join(), keys);
  });
  errors.check(`1.2/${name}.frame`, `${kind} is framed as any response.`, async (c) => {
    const answer = await sample(c);
    same(String(answer.status), String(status));
    fits(answer.exact("x-amzn-RequestId"), UUID);
    same(answer.header("content-type"), "application/json");
    same(answer.header("content-length"), String(answer.body.length));
    fits(answer.header("date"), HTTP_DATE);
  });
  const verb = connection === "close" ? "closes" : "keeps";
  errors.check(`1.2/${name}.connection`, `${kind} ${verb} the connection.`, async (c) => {
    const answer = await sample(c);
    same(String(answer.status), String(status));
    const isClosed = /close/i.test(answer.header("connection") ?? "");
    same(isClosed ? "close" : "keep-alive", connection);
  });
}

errors.check("1.2/goes-on", "After a 404 the same connection takes requests.", async (c) => {
  const parts = [listParts(UNKNOWN), changedParts(UNKNOWN, UNKNOWN), listParts(c.id("root"))];
  const answers = await c.caller.together(parts);
  same(answers.map(({ status }) => status).join(), "404,404,200");
});
errors.check("1.2/no-type-in-body", "The error's name is in the header only.", async (c) => {
  const answer = await c.caller.list(UNKNOWN);
  fits(answer.header("x-amzn-errortype"), /^ResourceNotFoundException:/);
  holds(!/__type|"code"/.test(answer.text), answer.text, "no __type");
});
