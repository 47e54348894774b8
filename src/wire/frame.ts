/** One JSON-RPC 2.0 message of MCP: its kind, era and the members that decisions need; the bytes stay as they came. */
import { Refusal } from "../kernel/refusal.ts";
import {
  defaultScanLimits,
  everyMember,
  type Place,
  type ScanLimits,
  scanJson,
  type Shape,
  textAt,
  tolerantScanLimits,
} from "./json-scan.ts";

/** Byte offsets, end exclusive. */
interface Span {
  readonly start: number;
  readonly end: number;
}

export type RequestId = string | number;
export type Era = "legacy" | "modern";

interface Meta {
  readonly span: Span;
  /** All it holds, by name as it was written. */
  readonly members: ReadonlyMap<string, Place>;
  readonly protocolVersion?: string;
  readonly hasClientCapabilities: boolean;
  readonly progressToken?: RequestId;
  readonly subscriptionId?: RequestId;
}

interface Params {
  readonly span: Span;
  readonly name?: string;
  readonly uri?: string;
  readonly taskId?: string;
  readonly arguments?: Span;
  /** What a server gave its client to send back (multi round-trip requests). */
  readonly requestState?: Span;
  /** Of `notifications/cancelled`. */
  readonly requestId?: RequestId;
  /** Of `notifications/progress`. */
  readonly progressToken?: RequestId;
  /** Of `initialize`. */
  readonly protocolVersion?: string;
  /** Of `completion/complete`: the prompt or the resource to be completed. */
  readonly ref?: { readonly name?: string; readonly uri?: string };
  readonly meta?: Meta;
  /** There is a `_meta`, and it is no object. */
  readonly hasOddMeta?: true;
}

export interface RequestFrame {
  readonly kind: "request";
  readonly bytes: Uint8Array;
  readonly id: RequestId;
  readonly method: string;
  readonly params?: Params;
  readonly era: Era;
}

export interface NotificationFrame {
  readonly kind: "notification";
  readonly bytes: Uint8Array;
  readonly method: string;
  readonly params?: Params;
  readonly era: Era;
}

export interface ResponseFrame {
  readonly kind: "response";
  readonly bytes: Uint8Array;
  readonly id: RequestId | null;
  readonly error?: {
    readonly span: Span;
    readonly code: number;
    /** Its members are noted if it is an object. */
    readonly data?: Place;
  };
  readonly result?: {
    readonly span: Span;
    /** A tool says that it failed. */
    readonly isError: boolean;
    readonly resultType?: string;
    /** Of the answer to `initialize`. */
    readonly protocolVersion?: string;
    readonly meta?: Meta;
    readonly hasOddMeta?: true;
  };
}

export type Frame = RequestFrame | NotificationFrame | ResponseFrame;
export type FrameLimits = ScanLimits;
const defaultFrameLimits: FrameLimits = defaultScanLimits;

const protocolVersionKey = "io.modelcontextprotocol/protocolVersion";
const clientCapabilitiesKey = "io.modelcontextprotocol/clientCapabilities";
const subscriptionIdKey = "io.modelcontextprotocol/subscriptionId";

const metaShape = {
  progressToken: true,
  [protocolVersionKey]: true,
  [clientCapabilitiesKey]: true,
  [subscriptionIdKey]: true,
  [everyMember]: true,
} as const;
const messageShape: Shape = {
  jsonrpc: true,
  id: true,
  method: true,
  params: {
    name: true,
    uri: true,
    taskId: true,
    arguments: true,
    requestState: true,
    requestId: true,
    progressToken: true,
    protocolVersion: true,
    ref: { name: true, uri: true },
    _meta: metaShape,
  },
  result: { isError: true, resultType: true, protocolVersion: true, _meta: metaShape },
  error: { code: true, message: true, data: { [everyMember]: true } },
};

/** What names the thing a request is about, by method. */
export const namedBy: ReadonlyMap<string, "name" | "uri" | "taskId"> = new Map([
  ["tools/call", "name"],
  ["prompts/get", "name"],
  ["resources/read", "uri"],
  ["resources/subscribe", "uri"],
  ["resources/unsubscribe", "uri"],
  ["resources/directory/read", "uri"],
  ["skills/get", "uri"],
  ["tasks/get", "taskId"],
  ["tasks/result", "taskId"],
  ["tasks/update", "taskId"],
  ["tasks/cancel", "taskId"],
]);

const maxMethodLength = 256;
const maxNameLength = 8192;

/**
 * Reads one message.
 * @throws Refusal `bad_json` if it is no strict JSON, `bad_message` if it is no JSON-RPC 2.0 message
 */
export function readFrame(bytes: Uint8Array, limits: FrameLimits = defaultFrameLimits): Frame {
  return frameOf(bytes, scannedObject(bytes, limits));
}

/** What makes an object a message, or one that a careless reader could take for one. */
const messageMembers = ["jsonrpc", "method", "params", "result", "error"] as const;

/**
 * Reads one message, or finds that the object is none: undefined. For what clients post beside MCP.
 * @throws Refusal as `readFrame` does, for all that isn't clearly the one or the other
 */
export function readFrameIfAny(
  bytes: Uint8Array,
  limits: FrameLimits = defaultFrameLimits,
): Frame | undefined {
  const members = scannedObject(bytes, limits);
  return messageMembers.some((name) => members.has(name)) ? frameOf(bytes, members) : undefined;
}

function scannedObject(bytes: Uint8Array, limits: FrameLimits): ReadonlyMap<string, Place> {
  const { start, members } = scanJson(bytes, messageShape, limits);
  if (members !== undefined) return members;
  if (bytes[start] === 0x5b) throw bad("batches aren't taken; send one message at a time");
  throw bad("expected a JSON object");
}

function frameOf(bytes: Uint8Array, members: ReadonlyMap<string, Place>): Frame {
  const read = new Reader(bytes, members);
  if (read.string("jsonrpc") !== "2.0") throw bad('expected "jsonrpc":"2.0"');
  if (!members.has("method")) return response(read);
  if (members.has("result") || members.has("error"))
    throw bad("a message with a method has no result and no error");
  return call(read);
}

/** The message in `bytes`; undefined if there is none. For what servers say, which isn't ours to refuse. */
export function tryReadFrame(bytes: Uint8Array): Frame | undefined {
  try {
    return readFrame(bytes, tolerantScanLimits);
  } catch {
    return undefined;
  }
}

function call(read: Reader): RequestFrame | NotificationFrame {
  const method = read.visible("method");
  if (method === undefined) throw bad("a method is a string");
  const params = paramsOf(read, method);
  const era: Era = params?.meta?.protocolVersion === undefined ? "legacy" : "modern";
  const common = { bytes: read.bytes, method, era, ...(params && { params }) };
  if (!read.members.has("id")) return { kind: "notification", ...common };
  const id = read.id("id");
  if (id === undefined) throw bad("a request's id is a string or a whole number");
  return { kind: "request", id, ...common };
}

function response(read: Reader): ResponseFrame {
  const { bytes, members } = read;
  const hasError = members.has("error");
  if (members.has("result") === hasError) throw bad("expected a method, a result or an error");
  const id = read.isNull("id") || !members.has("id") ? null : read.id("id");
  if (id === undefined) throw bad("an answer's id is a string, a whole number or null");
  if (hasError) {
    const error = read.object("error");
    const code = error?.number("code");
    if (error === undefined || code === undefined) throw bad("an error is an object with a numeric code");
    const data = error.members.get("data");
    return { kind: "response", bytes, id, error: { span: error.span, code, ...(data && { data }) } };
  }
  const result = read.object("result");
  if (result === undefined) throw bad("a result is an object");
  const resultType = result.string("resultType", maxMethodLength);
  const protocolVersion = result.string("protocolVersion", maxMethodLength);
  const meta = metaOf(result);
  return {
    kind: "response",
    bytes,
    id,
    result: {
      span: result.span,
      isError: result.isTrue("isError"),
      ...(resultType !== undefined && { resultType }),
      ...(protocolVersion !== undefined && { protocolVersion }),
      ...metaIn(result, meta),
    },
  };
}

function paramsOf(read: Reader, method: string): Params | undefined {
  if (!read.members.has("params")) return undefined;
  const params = read.object("params");
  if (params === undefined) throw bad("params is an object");
  // What a server reads as text, the rules must have read too.
  const naming = namedBy.get(method);
  if (naming !== undefined && params.members.has(naming) && !params.isString(naming)) {
    throw bad(`"${naming}" is a string`);
  }
  const name = params.string("name", maxNameLength);
  const uri = params.string("uri", maxNameLength);
  const taskId = params.string("taskId", maxNameLength);
  const requestId = params.id("requestId");
  const progressToken = params.id("progressToken");
  const ref = params.object("ref");
  const meta = metaOf(params);
  return {
    span: params.span,
    ...(name !== undefined && { name }),
    ...(uri !== undefined && { uri }),
    ...(taskId !== undefined && { taskId }),
    ...spansOf(params),
    ...(requestId !== undefined && { requestId }),
    ...(progressToken !== undefined && { progressToken }),
    ...versionOf(params, method),
    ...(ref && { ref: refOf(ref) }),
    ...metaIn(params, meta),
  };
}

/** What may be of any length and kind stays where it is. */
function spansOf({ members }: Reader): Pick<Params, "arguments" | "requestState"> {
  const args = members.get("arguments");
  const state = members.get("requestState");
  return {
    ...(args && { arguments: { start: args.start, end: args.end } }),
    ...(state && { requestState: { start: state.start, end: state.end } }),
  };
}

/** Other methods may have a member of that name, which is none of ours. */
function versionOf(read: Reader, method: string): Pick<Params, "protocolVersion"> {
  if (method !== "initialize") return {};
  const protocolVersion = read.string("protocolVersion", maxMethodLength);
  return protocolVersion === undefined ? {} : { protocolVersion };
}

function refOf(read: Reader): NonNullable<Params["ref"]> {
  const name = read.string("name", maxNameLength);
  const uri = read.string("uri", maxNameLength);
  return { ...(name !== undefined && { name }), ...(uri !== undefined && { uri }) };
}

function metaIn(
  { members }: Reader,
  meta: Meta | undefined,
): { readonly meta?: Meta; readonly hasOddMeta?: true } {
  if (meta !== undefined) return { meta };
  return members.has("_meta") ? { hasOddMeta: true } : {};
}

function metaOf(read: Reader): Meta | undefined {
  const meta = read.object("_meta");
  if (meta === undefined) return undefined;
  const protocolVersion = meta.visible(protocolVersionKey);
  const progressToken = meta.id("progressToken");
  const subscriptionId = meta.id(subscriptionIdKey);
  return {
    span: meta.span,
    members: meta.members,
    hasClientCapabilities: meta.members.has(clientCapabilitiesKey),
    ...(protocolVersion !== undefined && { protocolVersion }),
    ...(progressToken !== undefined && { progressToken }),
    ...(subscriptionId !== undefined && { subscriptionId }),
  };
}

/** Typed reads of noted members; a member of another type reads as absent. */
class Reader {
  readonly bytes: Uint8Array;
  readonly members: ReadonlyMap<string, Place>;
  readonly span: Span;

  constructor(
    bytes: Uint8Array,
    members: ReadonlyMap<string, Place>,
    span: Span = { start: 0, end: bytes.length },
  ) {
    this.bytes = bytes;
    this.members = members;
    this.span = span;
  }

  /** @throws Refusal `bad_message` if it is longer than `maxLength` */
  string(name: string, maxLength = 16): string | undefined {
    const place = this.members.get(name);
    if (place === undefined || this.bytes[place.start] !== 0x22) return undefined;
    if (place.end - place.start - 2 > maxLength) throw bad(`"${name}" is longer than ${maxLength} bytes`);
    return textAt(this.bytes, place);
  }

  /**
   * A word that also travels as a header.
   * @throws Refusal `bad_message` if it is there and isn't visible ASCII
   */
  visible(name: string): string | undefined {
    const text = this.string(name, maxMethodLength);
    if (this.members.has(name) && (text === undefined || !/^[\x21-\x7e]+$/.test(text))) {
      throw bad(`"${name}" is a word of visible ASCII`);
    }
    return text;
  }

  /** A string, or a whole number that every reader holds exactly. */
  id(name: string): RequestId | undefined {
    const literal = this.#numberLiteral(name);
    if (literal === undefined) return this.string(name, maxNameLength);
    return /^-?\d+(\.0+)?$/.test(literal) && Number.isSafeInteger(Number(literal))
      ? Number(literal)
      : undefined;
  }

  number(name: string): number | undefined {
    const literal = this.#numberLiteral(name);
    return literal === undefined ? undefined : Number(literal);
  }

  #numberLiteral(name: string): string | undefined {
    const place = this.members.get(name);
    const first = place === undefined ? undefined : this.bytes[place.start];
    if (place === undefined || first === undefined || (first !== 0x2d && (first < 0x30 || first > 0x39)))
      return undefined;
    return Buffer.from(this.bytes.subarray(place.start, place.end)).toString("latin1");
  }

  isString(name: string): boolean {
    const place = this.members.get(name);
    return place !== undefined && this.bytes[place.start] === 0x22;
  }

  isTrue(name: string): boolean {
    const place = this.members.get(name);
    return place !== undefined && this.bytes[place.start] === 0x74;
  }

  isNull(name: string): boolean {
    const place = this.members.get(name);
    return place !== undefined && this.bytes[place.start] === 0x6e;
  }

  object(name: string): Reader | undefined {
    const { members, start, end } = this.members.get(name) ?? {};
    if (members === undefined || start === undefined || end === undefined) return undefined;
    return new Reader(this.bytes, members, { start, end });
  }
}

function bad(what: string): Refusal {
  return new Refusal("bad_message", `Not an MCP message: ${what}.`);
}
