/** A legacy client's request as a modern server takes it (MCP 2026-07-28 basic, `_meta`); all that isn't changed stays byte by byte. */
import { Refusal } from "../../kernel/refusal.ts";
import { readFrame, type RequestFrame, type RequestId } from "../../wire/frame.ts";
import { requestWithout } from "../../wire/frame-edit.ts";
import { edited, insertion, withMember, withoutMember } from "../../wire/json-edit.ts";
import { tolerantScanLimits } from "../../wire/json-scan.ts";
import { envelopeKeys } from "../requests.ts";

type Json = Readonly<Record<string, unknown>>;

/**
 * The request with that envelope; what it says itself under the envelope's names doesn't count.
 * @throws Refusal `bad_message` if its `_meta` is no object
 */
export function modernRequest(frame: RequestFrame, envelope: Json): RequestFrame {
  if (frame.params?.hasOddMeta === true)
    throw new Refusal("bad_message", "Expected `_meta` to be an object.");
  const foreign = Object.values(envelopeKeys).flatMap((name) => frame.params?.meta?.members.get(name) ?? []);
  const bare = foreign.length === 0 ? frame : requestWithout(frame, foreign);
  const text = JSON.stringify(envelope);
  const meta = bare.params?.meta;
  return read(
    meta === undefined
      ? withMember(bare.bytes, ["params", "_meta"], text)
      : edited(bare.bytes, [insertion(bare.bytes, meta.span, text.slice(1, -1))]),
  );
}

/** The same request under another id. */
export function withId(frame: RequestFrame, id: RequestId): RequestFrame {
  return read(withMember(frame.bytes, ["id"], JSON.stringify(id)));
}

/** What a request asks once more with (multi round-trip requests). All but the id is JSON text, as it came. */
export interface Retry {
  readonly id: RequestId;
  readonly inputResponses?: string | undefined;
  readonly requestState?: string | undefined;
}

/** The request once more, under another id; what it brought of an earlier round doesn't count. */
export function retryOf(first: RequestFrame, { id, ...brought }: Retry): RequestFrame {
  const members = [
    ["inputResponses", brought.inputResponses],
    ["requestState", brought.requestState],
  ] as const;
  let bytes = withMember(first.bytes, ["id"], JSON.stringify(id));
  for (const [name, value] of members) {
    bytes =
      value === undefined
        ? withoutMember(bytes, ["params", name])
        : withMember(bytes, ["params", name], value);
  }
  return read(bytes);
}

function read(bytes: Uint8Array): RequestFrame {
  const frame = readFrame(bytes, tolerantScanLimits);
  if (frame.kind !== "request") throw new Error("a request stays one");
  return frame;
}
