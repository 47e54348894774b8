/** What one OpenAPI document and the operator's wishes make together: tools, resources, and what was left out. */
import { Refusal } from "../kernel/refusal.ts";
import { isSafe, type Operation, operationsOf, type Parameter, type Skipped } from "./operations.ts";
import type { ApiDocument } from "./read-document.ts";
import { type Changed, type Overlay, overlaid } from "./overlay.ts";
import { basePathsOf, serversOf } from "./servers.ts";
import { type ApiTool, isWanted, type Narrowing, toolOf, toolsOf } from "./tools-from-openapi.ts";

export interface ApiWishes {
  readonly narrowing?: Narrowing;
  /** Absent: every operation that the narrowing leaves becomes a tool. */
  readonly tools?: readonly NamedEndpoint[];
  readonly resources?: readonly WishedResource[];
  readonly overlay?: Overlay;
  /** Parameters that credentials stand in: no argument is for them. */
  readonly withheld?: readonly Place[];
}

interface NamedEndpoint {
  readonly name: string;
  /** `/path`, `GET /path`, or an operationId. */
  readonly endpoint: string;
}

interface WishedResource {
  readonly uri: string;
  readonly description?: string;
  /** By default the one GET whose path ends with the URI's. */
  readonly endpoint?: string;
}

export interface Place {
  readonly in: Parameter["in"];
  readonly name: string;
}

interface ApiResource {
  readonly uri: string;
  readonly name: string;
  readonly description: string;
  /** Its only arguments are none. */
  readonly tool: ApiTool;
}

export interface ApiServer {
  readonly title: string;
  readonly apiVersion: string;
  /** Of the document: `3.0.3`. */
  readonly version: string;
  readonly tools: ReadonlyMap<string, ApiTool>;
  readonly resources: ReadonlyMap<string, ApiResource>;
  readonly skipped: readonly Skipped[];
  /** Where the document says that the API is; absolute URLs, https or http. */
  readonly servers: readonly string[];
}

/** @throws Refusal `bad_config` that says what to write */
export function apiServer(document: ApiDocument, wishes: ApiWishes = {}): ApiServer {
  const all = operationsOf(document);
  const skipped: Skipped[] = [...all.skipped];
  const operations = all.operations.map((operation) => withoutWithheld(operation, wishes.withheld ?? []));
  const basePaths = basePathsOf(document);
  const known = { document, operations, basePaths };
  const changed = overlaid(wantedTools(known, wishes), wishes.overlay);
  skipped.push(...changed.skipped);
  const left = operations.length - changed.tools.length - changed.skipped.length;
  if (left > 0) skipped.push({ operation: `${left} operations`, because: "they weren't asked for" });
  for (const file of document.missing) skipped.push({ operation: "what refers to it", because: file });
  return {
    title: document.title,
    apiVersion: document.apiVersion,
    version: document.version,
    tools: byName(changed),
    resources: new Map(
      (wishes.resources ?? []).map((wished) => [wished.uri, resourceOf(wished, known)] as const),
    ),
    skipped,
    servers: serversOf(document),
  };
}

interface Known {
  readonly document: ApiDocument;
  readonly operations: readonly Operation[];
  /** Paths of the document's servers, such as `/v1`. */
  readonly basePaths: readonly string[];
}

function byName({ tools }: Changed): ReadonlyMap<string, ApiTool> {
  const named = new Map(tools.map((tool) => [tool.name, tool]));
  if (named.size === tools.length) return named;
  const twice = tools.find((tool) => named.get(tool.name) !== tool);
  throw new Refusal("bad_config", `Two tools would be called "${twice?.name ?? ""}"; give one another name.`);
}

function wantedTools(known: Known, { narrowing = {}, tools }: ApiWishes): readonly ApiTool[] {
  const { document, operations } = known;
  if (tools === undefined)
    return toolsOf(
      document,
      operations.filter((each) => isWanted(each, narrowing)),
    );
  return tools.map(({ name, endpoint }) =>
    toolOf(document.root, operationAt(endpoint, known, `tool "${name}"`), name),
  );
}

/** @throws Refusal `bad_config` if there is none, or more than one */
function operationAt(endpoint: string, { operations, basePaths }: Known, forWhat: string): Operation {
  const [, method, path = endpoint] = /^([A-Za-z]{3,7}) (\/.*)$/.exec(endpoint) ?? [];
  const alike = operations.filter(
    (each) =>
      (method === undefined || each.method === method.toLowerCase()) &&
      (each.id === endpoint || isAt(each.path, path, basePaths)),
  );
  const exact = alike.filter((each) => each.id === endpoint || each.path === path);
  const found = exact.length > 0 ? exact : alike;
  const [operation, ...others] = found;
  if (operation !== undefined && others.length === 0) return operation;
  throw new Refusal(
    "bad_config",
    operation === undefined
      ? `The endpoint "${endpoint}" of the ${forWhat} isn't an operation of the document; "latticegate openapi preview" lists those.`
      : `The endpoint "${endpoint}" of the ${forWhat} has several operations; write one of ${found.map((each) => `"${labelOf(each)}"`).join(", ")}.`,
  );
}

/** As the document writes it, or behind the path of one of its servers. */
function isAt(path: string, wished: string, basePaths: readonly string[]): boolean {
  return path === wished || basePaths.some((base) => `${base}${path}` === wished);
}

function resourceOf(wished: WishedResource, known: Known): ApiResource {
  const operation = resourceOperation(wished, known);
  const needs = operation.parameters.find(({ isRequired }) => isRequired);
  if (!isSafe(operation.method) || operation.method === "trace" || operation.body?.isRequired === true) {
    throw unmapped(wished, `${labelOf(operation)} isn't a GET`);
  }
  if (needs !== undefined) throw unmapped(wished, `${labelOf(operation)} needs ${needs.name}`);
  const tool = toolOf(known.document.root, operation, "resource");
  return {
    uri: wished.uri,
    name: wished.uri.slice(wished.uri.lastIndexOf("/") + 1) || wished.uri,
    description: wished.description ?? operation.summary,
    tool,
  };
}

function resourceOperation(wished: WishedResource, known: Known): Operation {
  const { uri, endpoint } = wished;
  if (endpoint !== undefined) {
    const isSaid = / /.test(endpoint) || !endpoint.startsWith("/");
    return operationAt(isSaid ? endpoint : `GET ${endpoint}`, known, `resource ${uri}`);
  }
  const path = /^[a-z][a-z0-9+.-]*:\/\/[^/]*(\/.+)$/i.exec(uri)?.[1];
  const alike = known.operations.filter(
    (each) => each.method === "get" && path !== undefined && each.path.endsWith(path),
  );
  const [operation, ...others] = alike;
  if (operation === undefined)
    throw unmapped(
      wished,
      path === undefined ? "it has no path" : `no GET of the document ends with ${path}`,
    );
  if (others.length > 0)
    throw unmapped(
      wished,
      `several do: ${alike
        .map((each) => each.path)
        .slice(0, 5)
        .join(", ")}`,
    );
  return operation;
}

function unmapped({ uri }: WishedResource, why: string): Refusal {
  return new Refusal(
    "bad_config",
    `The resource ${uri} stands for no GET of the document: ${why}. Write "endpoint" beside its uri, e.g. endpoint: "/v1/records".`,
  );
}

/** No argument of a call stands where a credential does. */
function withoutWithheld(operation: Operation, withheld: readonly Place[]): Operation {
  const isOurs = (parameter: Parameter): boolean =>
    withheld.some(
      (place) =>
        place.in === parameter.in &&
        (place.in === "header"
          ? place.name.toLowerCase() === parameter.name.toLowerCase()
          : place.name === parameter.name),
    );
  return { ...operation, parameters: operation.parameters.filter((parameter) => !isOurs(parameter)) };
}

function labelOf({ method, path }: Pick<Operation, "method" | "path">): string {
  return `${method.toUpperCase()} ${path}`;
}
