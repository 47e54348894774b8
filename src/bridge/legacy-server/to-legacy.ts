/** What a modern client asks, as a legacy server is to read it; and what that answers, as the client is to. */
import type { RequestFrame, RequestId, ResponseFrame } from "../../wire/frame.ts";
import { type Edit, edited, insertion, removals } from "../../wire/json-edit.ts";
import { everyMember, type Place, scanJson, tolerantScanLimits } from "../../wire/json-scan.ts";
import { envelopeKeys } from "../requests.ts";

/** Of a request on its way to the server. */
export interface Renamed {
  readonly id: RequestId;
  /** In the place of the client's progress token, if it has one. */
  readonly progressToken: RequestId;
}

const ofEnvelope: ReadonlySet<string> = new Set(Object.values(envelopeKeys));

/**
 * The request with another id and progress token, and without what legacy servers reject or hang on: the envelope, and
 * what a client says again of an earlier round.
 */
export function legacyRequest(frame: RequestFrame, { id, progressToken }: Renamed): Uint8Array {
  const { bytes } = frame;
  const shape = {
    id: true,
    params: { inputResponses: true, requestState: true, _meta: { [everyMember]: true } },
  } as const;
  const top = scanJson(bytes, shape).members;
  const params = top?.get("params")?.members;
  const meta = params?.get("_meta");
  const inMeta = [...(meta?.members ?? [])];
  const own = inMeta.filter(([name]) => ofEnvelope.has(name)).map(([, place]) => place);
  const ofRounds = ["inputResponses", "requestState"].flatMap((name) => params?.get(name) ?? []);
  const isEmptied = meta !== undefined && own.length === inMeta.length;
  const token = meta?.members?.get("progressToken");
  return edited(bytes, [
    ...replacement(top?.get("id"), JSON.stringify(id)),
    ...replacement(token, JSON.stringify(progressToken)),
    // What stands in different objects has no comma in common.
    ...removals(bytes, isEmptied ? [...ofRounds, meta] : ofRounds),
    ...(isEmptied ? [] : removals(bytes, own)),
  ]);
}

/** The methods whose results say for how long they may be kept (MCP 2026-07-28, caching). */
const cacheable: ReadonlySet<string> = new Set([
  "tools/list",
  "prompts/list",
  "resources/list",
  "resources/templates/list",
  "resources/read",
]);

/** Nobody knows for how long a legacy server's answer is good, and it is that caller's. */
const uncached = '"ttlMs":0,"cacheScope":"private"';

/** Of an answer on its way to the client. */
export interface Answered {
  readonly method: string;
  readonly id: RequestId;
  /** As JSON; absent if the server didn't say who it is. */
  readonly serverInfo?: string | undefined;
}

/** The answer with the client's id, and with what each result has in the modern era; errors by its codes. */
export function modernAnswer(
  { bytes, error }: ResponseFrame,
  { method, id, serverInfo }: Answered,
): Uint8Array {
  const shape = {
    id: true,
    result: { resultType: true, ttlMs: true, cacheScope: true, _meta: { [everyMember]: true } },
    error: { code: true },
  } as const;
  const whole = scanJson(bytes, shape, tolerantScanLimits);
  const top = whole.members;
  const own = renamed(bytes, whole, id);
  if (error !== undefined) {
    const code = codes.get(error.code);
    const place = top?.get("error")?.members?.get("code");
    return edited(bytes, [...own, ...(code === undefined ? [] : replacement(place, String(code)))]);
  }
  const result = top?.get("result");
  if (result === undefined) return edited(bytes, own);
  const has = (name: string): boolean => result.members?.has(name) === true;
  const texts = [
    ...(has("resultType") ? [] : ['"resultType":"complete"']),
    ...(cacheable.has(method) && !has("ttlMs") && !has("cacheScope") ? [uncached] : []),
  ];
  const { inner, outer } = introduced(bytes, result, serverInfo);
  const members = [...texts, ...outer].join(",");
  return edited(bytes, [...own, ...inner, ...(members === "" ? [] : [insertion(bytes, result, members)])]);
}

/** An error of the transport's own may have no id. */
function renamed(bytes: Uint8Array, whole: Place, id: RequestId): readonly Edit[] {
  const place = whole.members?.get("id");
  const text = JSON.stringify(id);
  return place === undefined ? [insertion(bytes, whole, `"id":${text}`)] : replacement(place, text);
}

/** What isn't said in the modern era any more (MCP 2026-07-28, error codes): a resource isn't there, an address is to be visited. */
const codes: ReadonlyMap<number, number> = new Map([
  [-32002, -32602],
  [-32042, -32603],
]);

const serverInfoKey = "io.modelcontextprotocol/serverInfo";

/** Who the server is, in its `_meta` or with one. */
function introduced(
  bytes: Uint8Array,
  result: Place,
  serverInfo: string | undefined,
): { readonly inner: readonly Edit[]; readonly outer: readonly string[] } {
  const meta = result.members?.get("_meta");
  if (serverInfo === undefined || meta?.members?.has(serverInfoKey) === true) return { inner: [], outer: [] };
  const member = `${JSON.stringify(serverInfoKey)}:${serverInfo}`;
  if (meta?.members === undefined)
    return { inner: [], outer: meta === undefined ? [`"_meta":{${member}}`] : [] };
  return { inner: [insertion(bytes, meta, member)], outer: [] };
}

function replacement(place: Place | undefined, text: string): readonly Edit[] {
  return place === undefined ? [] : [{ start: place.start, end: place.end, text }];
}

/** A notification of progress with the client's own token. */
export function progressFor(bytes: Uint8Array, token: RequestId): Uint8Array {
  const place = scanJson(bytes, { params: { progressToken: true } }, tolerantScanLimits)
    .members?.get("params")
    ?.members?.get("progressToken");
  return edited(bytes, replacement(place, JSON.stringify(token)));
}
