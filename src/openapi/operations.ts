/** The operations of an OpenAPI 3.1 document, each with all that holds for it, its path's parameters included. */
import type { ApiDocument } from "./read-document.ts";
import { resolved } from "./references.ts";
import { isObject, type JsonObject, listOf, member, membersOf, textOf } from "./values.ts";

export const methods = ["get", "put", "post", "delete", "options", "head", "patch", "trace"] as const;
export type Method = (typeof methods)[number];

/** RFC 9110 §9.2.1: what asks for nothing to be changed. */
export function isSafe(method: Method): boolean {
  return method === "get" || method === "head" || method === "options" || method === "trace";
}

export interface Operation {
  readonly method: Method;
  /** With its templates: `/pets/{id}`. */
  readonly path: string;
  readonly id?: string;
  readonly summary: string;
  readonly description: string;
  readonly tags: readonly string[];
  readonly isDeprecated: boolean;
  readonly parameters: readonly Parameter[];
  readonly body?: Body;
  /** Of the first answer that says it worked, where it is JSON. */
  readonly answerSchema?: unknown;
  /** One of these sets is needed; each names schemes of the document. None at all: anybody may. */
  readonly security: readonly (readonly SecurityNeed[])[];
  /** Where it is asked, if it is elsewhere than the document's others. */
  readonly servers: readonly string[];
}

interface SecurityNeed {
  readonly scheme: string;
  readonly scopes: readonly string[];
}

export interface Parameter {
  readonly name: string;
  readonly in: "path" | "query" | "header" | "cookie";
  readonly isRequired: boolean;
  readonly description: string;
  readonly schema: unknown;
  readonly style: string;
  readonly explode: boolean;
  readonly allowsReserved: boolean;
  /** It is written as a whole in this type, rather than by a style. */
  readonly contentType?: string;
}

export interface Body {
  readonly isRequired: boolean;
  readonly description: string;
  readonly contentType: string;
  readonly schema: unknown;
  /** By property, for forms. */
  readonly encoding: JsonObject;
}

/** What can't be called, and why. */
export interface Skipped {
  readonly operation: string;
  readonly because: string;
}

export interface Operations {
  readonly operations: readonly Operation[];
  readonly skipped: readonly Skipped[];
}

/** More parameters make no tool that anybody can use. */
const maxParameters = 200;

export function operationsOf({ root }: ApiDocument): Operations {
  const operations: Operation[] = [];
  const skipped: Skipped[] = [];
  for (const [path, item] of membersOf(root["paths"])) {
    const shared = resolved(root, item);
    if (shared === undefined) {
      skipped.push({ operation: path, because: "its $ref leads nowhere" });
      continue;
    }
    for (const method of methods) {
      const operation = member(shared, method);
      if (!isObject(operation)) continue;
      const read = readOperation(root, { path, method, shared, operation });
      if (typeof read === "string")
        skipped.push({ operation: `${method.toUpperCase()} ${path}`, because: read });
      else operations.push(read);
    }
  }
  return { operations, skipped };
}

interface At {
  readonly path: string;
  readonly method: Method;
  readonly shared: JsonObject;
  readonly operation: JsonObject;
}

/** @returns why it can't be called */
function readOperation(root: JsonObject, at: At): Operation | string {
  const { path, method, shared, operation } = at;
  if (method === "trace") return "its answer would show what the gateway sends, credentials among it";
  if (!path.startsWith("/")) return "its path doesn't begin with a slash";
  const parameters = readParameters(root, at);
  if (typeof parameters === "string") return parameters;
  const body = readBody(root, operation);
  if (typeof body === "string") return body;
  const id = textOf(operation, "operationId");
  const answerSchema = readAnswer(root, operation);
  const said = (name: string): string => textOf(operation, name) ?? textOf(shared, name) ?? "";
  return {
    method,
    path,
    ...(id !== undefined && { id }),
    summary: said("summary"),
    description: said("description"),
    tags: listOf(operation, "tags").filter((tag) => typeof tag === "string"),
    isDeprecated: operation["deprecated"] === true,
    parameters,
    ...(body !== undefined && { body }),
    ...(answerSchema !== undefined && { answerSchema }),
    security: securityOf(member(operation, "security") ?? root["security"]),
    servers: [...listOf(operation, "servers"), ...listOf(shared, "servers")].flatMap((server) => {
      const url = textOf(server, "url");
      return url === undefined ? [] : [url];
    }),
  };
}

/** @returns why it can't be called without one of them */
function readParameters(root: JsonObject, { path, shared, operation }: At): readonly Parameter[] | string {
  const given = [...listOf(shared, "parameters"), ...listOf(operation, "parameters")];
  if (given.length > maxParameters) return `it has more than ${maxParameters} parameters`;
  const parameters = new Map<string, Parameter>();
  for (const each of given) {
    const parameter = readParameter(root, each);
    if (typeof parameter === "string") return parameter;
    // An operation's own counts more than its path's (OpenAPI 3.1 §4.8.10).
    if (parameter !== undefined) parameters.set(`${parameter.in} ${parameter.name}`, parameter);
  }
  const templates = [...path.matchAll(/\{([^{}]{1,200})\}/g)].map(([, name = ""]) => name);
  const unknown = templates.find((name) => !parameters.has(`path ${name}`));
  if (unknown !== undefined) return `nothing says what {${unknown}} in its path is`;
  return [...parameters.values()].filter(
    ({ in: place, name }) => place !== "path" || templates.includes(name),
  );
}

const places = ["path", "query", "header", "cookie"] as const;
/** Theirs is another part of the document (OpenAPI 3.1 §4.8.12.2). */
const notParameters = ["accept", "content-type", "authorization"];
/** What HTTP, the connection and credentials are made of is nobody's argument. */
const reservedHeaders =
  /^(?:host|connection|keep-alive|te|trailer|transfer-encoding|upgrade|expect|content-length|content-encoding|accept-encoding|dpop|cookie|forwarded|proxy-.*|x-forwarded-.*|x-http-method.*|:.*)$/;

/** @returns undefined for one that is to be left out; a sentence if there is no calling without it */
function readParameter(root: JsonObject, given: unknown): Parameter | string | undefined {
  const parameter = resolved(root, given);
  if (parameter === undefined) return "the $ref of a parameter leads nowhere";
  const name = textOf(parameter, "name");
  const place = places.find((each) => each === parameter["in"]);
  if (name === undefined || name === "" || place === undefined) return "a parameter has no name or place";
  if (place === "header" && notParameters.includes(name.toLowerCase())) return undefined;
  if (place === "header" && reservedHeaders.test(name.toLowerCase()))
    return parameter["required"] === true ? `its header ${name.slice(0, 80)} isn't for callers` : undefined;
  return {
    name,
    in: place,
    isRequired: place === "path" || parameter["required"] === true,
    description: textOf(parameter, "description") ?? "",
    ...writtenAs(parameter, place),
  };
}

function writtenAs(
  parameter: JsonObject,
  place: Parameter["in"],
): Omit<Parameter, "name" | "in" | "isRequired" | "description"> {
  const [content] = membersOf(parameter["content"]);
  const usual = place === "query" || place === "cookie" ? "form" : "simple";
  const style = textOf(parameter, "style") ?? usual;
  const explode = parameter["explode"];
  return {
    schema: (content === undefined ? parameter["schema"] : member(content[1], "schema")) ?? {},
    style,
    explode: typeof explode === "boolean" ? explode : style === "form",
    allowsReserved: parameter["allowReserved"] === true,
    ...(content !== undefined && { contentType: content[0] }),
  };
}

/** The types a body can be written in, by preference. */
const writable: readonly RegExp[] = [
  /^application\/json\b/i,
  /^application\/(?:[\w.+-]{1,80}\+)json\b/i,
  /^multipart\/form-data\b/i,
  /^application\/x-www-form-urlencoded\b/i,
  /^text\/[\w.+-]{1,80}/i,
  /^(?:application\/octet-stream|image\/|audio\/|video\/|application\/(?:pdf|zip|gzip))/i,
  /^\*\/\*$/,
];

function readBody(root: JsonObject, operation: JsonObject): Body | string | undefined {
  if (operation["requestBody"] === undefined) return undefined;
  const body = resolved(root, operation["requestBody"]);
  if (body === undefined) return "the $ref of its body leads nowhere";
  const contents = membersOf(body["content"]);
  if (contents.length === 0) return undefined;
  const [type, media] =
    writable.flatMap((form) => contents.filter(([name]) => form.test(name)).slice(0, 1))[0] ?? [];
  if (type === undefined) {
    const offered = contents.map(([name]) => name.slice(0, 80)).slice(0, 3);
    return body["required"] === true ? `its body is to be ${offered.join(" or ")}` : undefined;
  }
  const encoding = member(media, "encoding");
  return {
    isRequired: body["required"] === true,
    description: textOf(body, "description") ?? "",
    contentType: type === "*/*" ? "application/json" : type,
    schema: member(media, "schema") ?? {},
    encoding: isObject(encoding) ? encoding : {},
  };
}

function readAnswer(root: JsonObject, operation: JsonObject): unknown {
  const worked = membersOf(operation["responses"]).filter(([status]) => /^2(?:\d\d|XX)$/i.test(status));
  for (const [, answer] of worked) {
    const json = membersOf(resolved(root, answer)?.["content"]).find(([type]) =>
      /^application\/(?:[\w.+-]{1,80}\+)?json\b/i.test(type),
    );
    const schema = member(json?.[1], "schema");
    if (schema !== undefined) return schema;
  }
  return undefined;
}

function securityOf(given: unknown): Operation["security"] {
  if (!Array.isArray(given)) return [];
  return given.map((set) =>
    membersOf(set).map(([scheme, scopes]) => ({
      scheme,
      scopes: Array.isArray(scopes) ? scopes.filter((scope) => typeof scope === "string") : [],
    })),
  );
}
