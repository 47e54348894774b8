/** W3C Trace Context (level 1) as it stands in `_meta` (SEP-414) and in headers. What isn't well formed is nobody's trace. */
import type { RequestFrame } from "./frame.ts";
import { type Edit, insertion } from "./json-edit.ts";
import { textAt } from "./json-scan.ts";

export interface TraceParent {
  /** 32 and 16 hexadecimal digits, in lower case; neither all zeros. */
  readonly traceId: string;
  readonly parentId: string;
  /** 2 hexadecimal digits. */
  readonly flags: string;
  /** As it came. */
  readonly state?: string;
}

/** Later versions may be longer, after a hyphen (§3.2.4). */
const longestParent = 256;
/** §3.3.1.5: what at least has to be passed on. */
const longestState = 512;
const zeros = /^0+$/;

export function readTraceParent(text: string): TraceParent | undefined {
  if (text.length < 55 || text.length > longestParent) return undefined;
  const match = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-|$)/.exec(text);
  if (match === null) return undefined;
  const [, version, traceId = "", parentId = "", flags = ""] = match;
  if (version === "ff" || (version === "00" && text.length !== 55)) return undefined;
  return zeros.test(traceId) || zeros.test(parentId) ? undefined : { traceId, parentId, flags };
}

/** @param header looks up a header by its lower-case name: what counts where `_meta` has no trace */
export function traceParentOf(
  frame: Pick<RequestFrame, "bytes" | "params"> | undefined,
  header: (name: string) => string | undefined,
): TraceParent | undefined {
  const members = frame?.params?.meta?.members;
  const said = (name: string): string | undefined => {
    const place = members?.get(name);
    if (frame === undefined || place === undefined || frame.bytes[place.start] !== quote) return undefined;
    return place.end - place.start > 2 * longestState ? undefined : textAt(frame.bytes, place);
  };
  const inMeta = members?.has("traceparent") === true;
  const parent = readTraceParent((inMeta ? said("traceparent") : header("traceparent")) ?? "");
  if (parent === undefined) return undefined;
  const state = inMeta ? said("tracestate") : header("tracestate");
  const isState = state !== undefined && state.length <= longestState && /^[\x20-\x7e]+$/.test(state);
  return isState ? { ...parent, state } : parent;
}

const quote = 0x22;

function writeTraceParent({ traceId, parentId, flags }: TraceParent): string {
  return `00-${traceId}-${parentId}-${flags}`;
}

/** Puts that parent into the request's `_meta`, in place of the one that is there; undefined where there is no place for it. */
export function parentEdit({ bytes, params }: RequestFrame, parent: TraceParent): Edit | undefined {
  const text = `"${writeTraceParent(parent)}"`;
  const place = params?.meta?.members.get("traceparent");
  if (place !== undefined) return { start: place.start, end: place.end, text };
  const member = `"traceparent":${text}`;
  if (params?.meta !== undefined) return insertion(bytes, params.meta.span, member);
  if (params === undefined || params.hasOddMeta === true) return undefined;
  return insertion(bytes, params.span, `"_meta":{${member}}`);
}
