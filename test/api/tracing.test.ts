import assert from "node:assert/strict";
import { test } from "node:test";
import {
  type Context,
  createContextKey,
  propagation,
  type Span,
  type SpanOptions,
  type Tracer,
  type TracerProvider,
  trace,
} from "@opentelemetry/api";
import { send, snapshotOf, startParts } from "../support/operations.ts";
import { blockContents } from "../support/property.ts";
import { startService } from "../support/service.ts";

/* The provider is the whole process's, which is why these tests have a file of their own. */

interface Ended {
  name: string;
  readonly options: SpanOptions;
  readonly traceparent: unknown;
  readonly attributes: Record<string, unknown>;
  isEnded: boolean;
}

const PARENT = createContextKey("traceparent");
const spans: Ended[] = [];

/** As much of a provider as it takes to see what a service hands to one. */
const provider: TracerProvider = {
  getTracer(name, version): Tracer {
    assert.equal(name, "varve");
    assert.match(version ?? "", /^\d+\./);
    return {
      startSpan: (spanName, options = {}, context?: Context) => spanOf(spanName, options, context),
      startActiveSpan: () => assert.fail("no span is made active that way"),
    };
  },
};

function spanOf(name: string, options: SpanOptions, context: Context | undefined): Span {
  const traceparent = context?.getValue(PARENT);
  const noted: Ended = { name, options, traceparent, attributes: {}, isEnded: false };
  spans.push(noted);
  Object.assign(noted.attributes, options.attributes);
  const span: Partial<Span> = {
    updateName(to) {
      noted.name = to;
      return span as Span;
    },
    setAttributes(attributes) {
      Object.assign(noted.attributes, attributes);
      return span as Span;
    },
    setStatus: () => span as Span,
    end() {
      noted.isEnded = true;
    },
  };
  return span as Span;
}

test("without a provider a service makes no span", async (t) => {
  const service = await startService(t);
  await send(service, startParts({ VolumeSize: 1 }));
  assert.deepEqual(spans, []);
});

test("with a provider there is a span around each request, append and commit", async (t) => {
  assert.ok(trace.setGlobalTracerProvider(provider));
  propagation.setGlobalPropagator({
    inject: () => undefined,
    extract: (context, carrier) =>
      context.setValue(PARENT, (carrier as Record<string, unknown>)["traceparent"]),
    fields: () => ["traceparent"],
  });
  const service = await startService(t);
  await snapshotOf(service, new Map([[0, blockContents(1)]]));
  const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
  const parts = startParts({ VolumeSize: 1 });
  await send(service, { ...parts, headers: { ...parts.headers, traceparent } });
  // The last one ends when its connection has closed.
  await new Promise((resolve) => setTimeout(resolve, 100));
  assert.deepEqual(
    spans.filter(({ isEnded }) => !isEnded),
    [],
  );
  const named = (name: string) => spans.filter((span) => span.name === name);
  const [put] = named("PutSnapshotBlock");
  assert.deepEqual(put?.attributes, {
    "http.request.method": "PUT",
    "http.response.status_code": 201,
    "rpc.service": "ebs",
    "rpc.method": "PutSnapshotBlock",
  });
  assert.equal(named("StartSnapshot").at(-1)?.traceparent, traceparent);
  const [append] = named("segment append");
  assert.equal(append?.options.root, true);
  assert.equal(append?.attributes["records"], 1);
  assert.ok(Number(append?.attributes["bytes"]) > 0);
  assert.ok(named("catalog commit").length > 0);
  // Nothing that a trace tells is an id, a token or a secret.
  assert.doesNotMatch(JSON.stringify(spans), /snap-|AKIA/);
});
