/**
 * The HTTP request that a tool's call stands for: arguments in path, query, headers, cookies and body as the document says
 * (OpenAPI 3.1 §4.8.12, styles of RFC 6570). Nothing an argument says gets out of the place it stands in.
 */
import { utf8 } from "../kernel/bytes.ts";
import { fromBase64, refused } from "./call-values.ts";
import type { ApiTool } from "./tools-from-openapi.ts";
import type { Parameter } from "./operations.ts";
import { formBody, multipartBody } from "./form-body.ts";
import { styled } from "./styled.ts";
import { isObject, type JsonObject } from "./values.ts";

export interface ApiRequest {
  readonly method: string;
  /** Path and query, to be put behind the server's own. */
  readonly target: string;
  /** Names in lower case, and values; `cookie` among them. */
  readonly headers: readonly (readonly [string, string])[];
  readonly body?: Uint8Array;
}

export interface CallParts {
  readonly args: JsonObject;
  /** The argument of the body as it came, byte for byte, if there is one. */
  readonly rawBody?: Uint8Array;
  /** Separates the parts of a form that has files; 16 random bytes as hex. */
  readonly boundary: string;
}

/** What servers and what stands before them take. */
const longestTarget = 16 * 1024;
const longestHeader = 8 * 1024;

/** @throws Refusal `bad_message` that names the argument, never its value */
export function requestFromCall(tool: ApiTool, call: CallParts): ApiRequest {
  const { operation, parameters } = tool;
  checkArguments(tool, call.args);
  const query: string[] = [];
  const headers: (readonly [string, string])[] = [];
  const cookies: string[] = [];
  let { path } = operation;
  for (const [argument, parameter] of parameters) {
    const value = call.args[argument];
    if (value === undefined || (value === null && !parameter.isRequired)) continue;
    switch (parameter.in) {
      case "path":
        path = path.replaceAll(`{${parameter.name}}`, () => segment(argument, parameter, value));
        break;
      case "query":
        query.push(...pieces(argument, parameter, value));
        break;
      case "header":
        headers.push([parameter.name.toLowerCase(), headerValue(argument, parameter, value)]);
        break;
      case "cookie":
        cookies.push(...pieces(argument, parameter, value));
    }
  }
  const target = query.length === 0 ? path : `${path}?${query.join("&")}`;
  if (target.length > longestTarget)
    throw refused(`its path and query are longer than ${longestTarget} characters`);
  if (cookies.length > 0) headers.push(["cookie", cookies.join("; ")]);
  const body = bodyOf(tool, call);
  return {
    method: operation.method.toUpperCase(),
    target,
    headers: body === undefined ? headers : [...headers, ["content-type", body.contentType]],
    ...(body !== undefined && { body: body.bytes }),
  };
}

function checkArguments({ parameters, bodyArgument, operation }: ApiTool, args: JsonObject): void {
  for (const [name, { isRequired }] of parameters) {
    if (isRequired && !Object.hasOwn(args, name)) throw refused(`the argument ${name} is missing`);
  }
  if (operation.body?.isRequired === true && bodyArgument !== undefined && !Object.hasOwn(args, bodyArgument))
    throw refused(`the argument ${bodyArgument} is missing`);
  const unknown = Object.keys(args).find((name) => !parameters.has(name) && name !== bodyArgument);
  if (unknown !== undefined) throw refused("there is an argument that the tool doesn't have");
}

/** INVARIANT: one segment of a path stays one, and isn't `.` or `..`, which would lead elsewhere. */
function segment(argument: string, parameter: Parameter, value: unknown): string {
  const [text = ""] = styled(parameter, value);
  if (text === "" || /^\.{1,2}$/.test(decodeURIComponent(text)))
    throw refused(`the argument ${argument} can't stand in a path`);
  return text;
}

function pieces(argument: string, parameter: Parameter, value: unknown): readonly string[] {
  const written = styled(parameter, value);
  if (written.length === 0 && parameter.isRequired) throw refused(`the argument ${argument} can't be empty`);
  return written;
}

function headerValue(argument: string, parameter: Parameter, value: unknown): string {
  const [text = ""] = styled(parameter, value);
  // RFC 9110 §5.5: a line end in a value would begin another header.
  if (text.length > longestHeader || !/^[\t\x20-\x7e\x80-\xff]*$/.test(text))
    throw refused(`the argument ${argument} can't stand in a header`);
  return text;
}

function bodyOf(
  tool: ApiTool,
  { args, rawBody, boundary }: CallParts,
): { readonly contentType: string; readonly bytes: Uint8Array } | undefined {
  const { body } = tool.operation;
  if (body === undefined || tool.bodyArgument === undefined) return undefined;
  const value = args[tool.bodyArgument];
  if (value === undefined) return undefined;
  const { contentType } = body;
  if (/json\b/i.test(contentType)) return { contentType, bytes: rawBody ?? utf8(JSON.stringify(value)) };
  if (/^application\/x-www-form-urlencoded/i.test(contentType)) {
    return { contentType, bytes: utf8(formBody(object(value), body)) };
  }
  if (/^multipart\/form-data/i.test(contentType)) {
    return {
      contentType: `multipart/form-data; boundary=${boundary}`,
      bytes: multipartBody(object(value), body, boundary),
    };
  }
  if (typeof value !== "string") throw refused(`the argument ${tool.bodyArgument} is to be a text`);
  if (/^text\//i.test(contentType)) return { contentType, bytes: utf8(value) };
  return { contentType, bytes: fromBase64(value, tool.bodyArgument) };
}

function object(value: unknown): JsonObject {
  if (!isObject(value)) throw refused("the body of a form is to be an object");
  return value;
}
