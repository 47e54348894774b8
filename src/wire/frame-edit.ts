/** A request whose bytes lose some members, with the frame moved along instead of read again. */
import { readFrame, type RequestFrame } from "./frame.ts";
import { type Edit, edited, removals } from "./json-edit.ts";
import type { Place } from "./json-scan.ts";

/**
 * The request without the members whose values are at these places, all of them signatures, offers, or what was made
 * around those: nothing that a frame reads for itself.
 * @throws Refusal as `readFrame` does
 */
export function requestWithout(frame: RequestFrame, places: readonly Place[]): RequestFrame {
  const cuts = removals(frame.bytes, places);
  const bytes = edited(frame.bytes, cuts);
  const { params: { span, arguments: args, requestState, meta, ...params } = {} } = frame;
  const isWhole = meta !== undefined && places.length === 1 && places[0]?.start === meta.span.start;
  const isWithin = places.every((place) => meta !== undefined && lies(place, meta.span));
  if (span === undefined || !(isWithin || (isWhole && frame.era === "legacy"))) {
    const again = readFrame(bytes);
    if (again.kind !== "request") throw new Error("a request stays one");
    return again;
  }
  const move = mover(cuts);
  return {
    ...frame,
    bytes,
    params: {
      ...params,
      span: moved(span, move),
      ...(args && { arguments: moved(args, move) }),
      ...(requestState && { requestState: moved(requestState, move) }),
      ...(meta && !isWhole && { meta: movedMeta(meta, cuts, move) }),
    },
  };
}

/** Between the braces. */
function lies(place: Place, span: { readonly start: number; readonly end: number }): boolean {
  return span.start < place.start && place.end < span.end;
}

type Move = (at: number) => number;

/** INVARIANT: asked for no place within what is cut. */
function mover(cuts: readonly Edit[]): Move {
  return (at) => {
    let by = 0;
    for (const { start, end } of cuts) if (end <= at) by += end - start;
    return at - by;
  };
}

function moved<T extends { readonly start: number; readonly end: number }>(place: T, move: Move): T {
  return { ...place, start: move(place.start), end: move(place.end) };
}

type Meta = NonNullable<NonNullable<RequestFrame["params"]>["meta"]>;

function movedMeta(meta: Meta, cuts: readonly Edit[], move: Move): Meta {
  return { ...meta, span: moved(meta.span, move), members: movedMembers(meta.members, cuts, move) };
}

function movedMembers(
  members: ReadonlyMap<string, Place>,
  cuts: readonly Edit[],
  move: Move,
): ReadonlyMap<string, Place> {
  const left = new Map<string, Place>();
  for (const [name, place] of members) {
    if (isCut(place, cuts)) continue;
    const inner = place.members && { members: movedMembers(place.members, cuts, move) };
    left.set(name, { ...moved(place, move), ...inner });
  }
  return left;
}

function isCut({ start }: { readonly start: number }, cuts: readonly Edit[]): boolean {
  return cuts.some((cut) => cut.start <= start && start < cut.end);
}
