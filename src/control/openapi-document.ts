/** The control API as an OpenAPI 3.1 document, made of the same routes and schemas that answer. */
import { z } from "zod";

import { problemMediaType, problemSchema } from "./problem.ts";
import type { Route } from "./route.ts";

type Json = Readonly<Record<string, unknown>>;

/** @param version of the gateway */
export function openApiDocument(routes: readonly Route[], version: string): Json {
  const paths: Record<string, Record<string, Json>> = {};
  for (const route of routes) (paths[route.path] ??= {})[route.method.toLowerCase()] = operation(route);
  return {
    openapi: "3.1.0",
    info: {
      title: "Latticegate control API",
      version,
      description: "Everything an operator can see and do. See docs/guide/api.md.",
      license: { name: "Apache-2.0", identifier: "Apache-2.0" },
    },
    servers: [{ url: "/api/v1" }],
    tags: [...new Set(routes.map(({ tag }) => tag))].toSorted().map((name) => ({ name })),
    security: [{ session: [] }, { bearer: [] }],
    paths,
    components: {
      securitySchemes: {
        session: { type: "apiKey", in: "cookie", name: "latticegate-session" },
        csrf: { type: "apiKey", in: "header", name: "x-latticegate-csrf" },
        bearer: { type: "http", scheme: "bearer" },
      },
      responses: {
        Problem: {
          description: "Why not (RFC 9457).",
          content: { [problemMediaType]: { schema: schemaOf(problemSchema, "output") } },
        },
      },
    },
  };
}

function operation(route: Route): Json {
  const { method, summary, tag, role, body, answer } = route;
  return {
    operationId: operationId(route),
    summary,
    tags: [tag],
    "x-latticegate-roles": [role].flat(),
    ...securityOf(route),
    parameters: [...parameters(route, "path"), ...parameters(route, "query")],
    ...(body !== undefined && {
      requestBody: { required: true, content: { "application/json": { schema: schemaOf(body, "input") } } },
    }),
    responses: {
      "200": {
        description: "Done.",
        content:
          typeof answer === "string"
            ? { [answer]: { schema: { type: "string" } } }
            : { "application/json": { schema: schemaOf(answer, "output") } },
      },
      ...(method === "GET" && { "304": { description: "As If-None-Match has it." } }),
      default: { $ref: "#/components/responses/Problem" },
    },
  };
}

/** A page's changes name its session's own secret, too. */
function securityOf({ method, role }: Route): Json {
  if (role === "public") return { security: [] };
  return method === "GET" ? {} : { security: [{ session: [], csrf: [] }, { bearer: [] }] };
}

/** `GET /incidents/{id}` is `getIncidentsById`. */
function operationId({ method, path }: Pick<Route, "method" | "path">): string {
  const words = path
    .split(/[/.-]/)
    .filter((word) => word !== "")
    .map((word) => (word.startsWith("{") ? `by-${word.slice(1, -1)}` : word))
    .flatMap((word) => word.split(/[-_]/));
  return [method.toLowerCase(), ...words.map((word) => word.charAt(0).toUpperCase() + word.slice(1))].join(
    "",
  );
}

function parameters(route: Route, where: "path" | "query"): readonly Json[] {
  const schema = where === "path" ? route.params : route.query;
  if (schema === undefined) return [];
  const { properties = {}, required = [] } = schemaOf(schema, "input") as {
    readonly properties?: Readonly<Record<string, Json>>;
    readonly required?: readonly string[];
  };
  return Object.entries(properties).map(([name, { description, ...property }]) => ({
    name,
    in: where,
    required: where === "path" || required.includes(name),
    ...(description !== undefined && { description }),
    schema: property,
  }));
}

function schemaOf(schema: z.ZodType, io: "input" | "output"): Json {
  // What JSON Schema can't say (a text that is read as a time) is said as the text it is.
  const { $schema: _, ...rest } = z.toJSONSchema(schema, { io, unrepresentable: "any" });
  return rest;
}
