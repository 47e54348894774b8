/** A collector of traces: decodes what is sent as OTLP/HTTP with JSON, and throws on what the protocol doesn't have. */
import http from "node:http";
import type { AddressInfo } from "node:net";

import { z } from "zod";

import { atEnd, type Cleanup } from "./cleanup.ts";

const attribute = z.strictObject({
  key: z.string().min(1),
  value: z.strictObject({ stringValue: z.string() }),
});

/** opentelemetry-proto 1.5, trace.proto, as its JSON has it: ids in hexadecimal, 64-bit numbers as strings. */
const span = z.strictObject({
  traceId: z.string().regex(/^[0-9a-f]{32}$/),
  spanId: z.string().regex(/^[0-9a-f]{16}$/),
  parentSpanId: z
    .string()
    .regex(/^[0-9a-f]{16}$/)
    .optional(),
  traceState: z.string().optional(),
  flags: z.number().int(),
  name: z.string().min(1),
  kind: z.number().int().min(1).max(5),
  startTimeUnixNano: z.string().regex(/^\d{19}$/),
  endTimeUnixNano: z.string().regex(/^\d{19}$/),
  attributes: z.array(attribute),
  status: z.strictObject({ code: z.number().int().min(0).max(2).optional() }),
});

const exported = z.strictObject({
  resourceSpans: z.array(
    z.strictObject({
      resource: z.strictObject({ attributes: z.array(attribute) }),
      scopeSpans: z.array(
        z.strictObject({
          scope: z.strictObject({ name: z.string(), version: z.string() }),
          spans: z.array(span),
        }),
      ),
    }),
  ),
});

type Attributes = Readonly<Record<string, string>>;

export interface CollectedSpan extends Omit<z.output<typeof span>, "attributes"> {
  readonly attributes: Attributes;
  readonly resource: Attributes;
}

export interface Collector {
  readonly url: string;
  readonly spans: readonly CollectedSpan[];
  readonly headers: readonly http.IncomingHttpHeaders[];
}

/** @param statuses of its first answers; 200 after them */
export async function otlpCollector(t: Cleanup, statuses: readonly number[] = []): Promise<Collector> {
  const spans: CollectedSpan[] = [];
  const headers: http.IncomingHttpHeaders[] = [];
  const server = http.createServer((request, response) => {
    let body = "";
    request.setEncoding("utf8").on("data", (chunk: string) => (body += chunk));
    request.on("end", () => {
      const status = statuses[headers.length] ?? 200;
      headers.push(request.headers);
      if (status === 200) spans.push(...collected(body));
      response.writeHead(status, { "content-type": "application/json" }).end("{}");
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  atEnd(t, () => {
    server.closeAllConnections();
    server.close();
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1/traces`, spans, headers };
}

function collected(body: string): readonly CollectedSpan[] {
  return exported.parse(JSON.parse(body)).resourceSpans.flatMap(({ resource, scopeSpans }) =>
    scopeSpans.flatMap((scope) =>
      scope.spans.map((each) => ({
        ...each,
        attributes: attributesOf(each.attributes),
        resource: attributesOf(resource.attributes),
      })),
    ),
  );
}

function attributesOf(all: readonly z.output<typeof attribute>[]): Attributes {
  return Object.fromEntries(all.map(({ key, value }) => [key, value.stringValue]));
}
