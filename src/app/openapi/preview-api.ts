/** What would become of an OpenAPI document: tools, what was left out, and what the API wants to be shown. */
import { Refusal } from "../../kernel/refusal.ts";
import { apiServer, type ApiServer } from "../../openapi/api-server.ts";
import { methods } from "../../openapi/operations.ts";
import { securityNeeds } from "../../openapi/security-needs.ts";
import { readDocumentFile, readOverlay } from "./read-api.ts";

export interface ApiPreview extends Pick<
  ApiServer,
  "title" | "apiVersion" | "version" | "servers" | "skipped"
> {
  readonly tools: readonly {
    readonly name: string;
    /** `GET /path` */
    readonly request: string;
    readonly declaration: object;
    readonly notes: readonly string[];
  }[];
  /** Credentials, one sentence each. */
  readonly needs: readonly string[];
}

interface Asked {
  readonly tags: readonly string[];
  readonly paths: readonly string[];
  readonly operations: readonly string[];
  readonly methods: readonly string[];
  /** Absolute. */
  readonly overlay?: string;
}

/** @throws Refusal `bad_config` that says what is wrong with the document */
export function previewApi(file: string, asked: Asked): ApiPreview {
  const { document } = readDocumentFile(file);
  const api = apiServer(document, {
    narrowing: {
      ...some("tags", asked.tags),
      ...some("paths", asked.paths),
      ...some("operations", asked.operations),
      ...some("methods", asked.methods.map(methodNamed)),
    },
    ...(asked.overlay !== undefined && { overlay: readOverlay(asked.overlay) }),
  });
  const { title, apiVersion, version, servers, skipped } = api;
  const tools = [...api.tools.values()].map(({ name, declaration, operation, notes }) => ({
    name,
    request: `${operation.method.toUpperCase()} ${operation.path}`,
    declaration,
    notes,
  }));
  const needs = securityNeeds(
    document,
    [...api.tools.values()].map(({ operation }) => operation),
  );
  return { title, apiVersion, version, servers, skipped, tools, needs };
}

function some<Name extends string, Value>(
  name: Name,
  values: readonly Value[],
): { readonly [key in Name]?: readonly Value[] } {
  return (values.length === 0 ? {} : { [name]: values }) as { readonly [key in Name]?: readonly Value[] };
}

function methodNamed(text: string): (typeof methods)[number] {
  const method = methods.find((each) => each === text.toLowerCase());
  if (method !== undefined) return method;
  throw new Refusal(
    "bad_config",
    `"${text.slice(0, 40)}" is no method; expected one of ${methods.join(", ")}.`,
  );
}
