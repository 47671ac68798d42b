import {
  type Context,
  context,
  ProxyTracerProvider,
  propagation,
  type Span,
  SpanKind,
  SpanStatusCode,
  type Tracer,
  trace,
} from "@opentelemetry/api";
import type { EndedRequest } from "./activity.ts";

/** Name of the instrumentation, as traces call it. */
const NAME = "varve";

/** The span of one request, from its head to the end of its answer. */
export interface RequestSpan {
  /** Does work whose own spans are to lie within this one. */
  run<T>(work: () => Promise<T>): Promise<T>;
  end(request: EndedRequest, method: string | undefined): void;
}

/**
 * Spans around requests, appends and commits, for whoever has registered a provider with the
 * OpenTelemetry API. Without one there is no `Tracing`, and nothing is spent on it.
 */
export class Tracing {
  readonly #tracer: Tracer;

  private constructor(tracer: Tracer) {
    this.#tracer = tracer;
  }

  /** Undefined unless the program that this runs in has registered a provider by now. */
  static ofProgram(version: string): Tracing | undefined {
    const provider = trace.getTracerProvider();
    const tracer =
      provider instanceof ProxyTracerProvider
        ? provider.getDelegateTracer(NAME, version)
        : provider.getTracer(NAME, version);
    return tracer && new Tracing(tracer);
  }

  /** Begins a request's span, within the caller's trace where its headers name one. */
  beginRequest(headers: Readonly<Record<string, unknown>>): RequestSpan {
    const parent = propagation.extract(context.active(), headers);
    const span = this.#tracer.startSpan("request", { kind: SpanKind.SERVER }, parent);
    return new ActiveRequestSpan(span, trace.setSpan(parent, span));
  }

  /**
   * A span of its own around a batch: it is many requests' at once, and so lies in none of them.
   */
  async batch<T>(
    name: string,
    attributes: Readonly<Record<string, number>>,
    work: () => Promise<T>,
  ): Promise<T> {
    const span = this.#tracer.startSpan(name, { root: true, attributes });
    try {
      return await work();
    } catch (error) {
      fail(span, error as Error);
      throw error;
    } finally {
      span.end();
    }
  }
}

class ActiveRequestSpan implements RequestSpan {
  readonly #span: Span;
  readonly #context: Context;

  constructor(span: Span, active: Context) {
    this.#span = span;
    this.#context = active;
  }

  run<T>(work: () => Promise<T>): Promise<T> {
    return context.with(this.#context, work);
  }

  end({ service, operation, status }: EndedRequest, method: string | undefined): void {
    this.#span.updateName(operation);
    // By the semantic conventions for HTTP and for calls; no path, for it has ids in it.
    this.#span.setAttributes({
      "http.request.method": method ?? "",
      "http.response.status_code": status,
      "rpc.service": service,
      "rpc.method": operation,
    });
    if (status === 0 || status >= 500) this.#span.setStatus({ code: SpanStatusCode.ERROR });
    this.#span.end();
  }
}

function fail(span: Span, error: Error): void {
  span.recordException(error);
  span.setStatus({ code: SpanStatusCode.ERROR, message: error.message });
}
