/**
 * Events that fit into a message of bounded length, whatever stands in them: long texts are cut, the longest first, each
 * with a mark and the digest of the whole. What an event is, how grave it is and its uid are never cut.
 */
import { sha256Hex } from "../../crypto/hash.ts";
import { utf8 } from "../../kernel/bytes.ts";
import { jsonLine, syslogFrame } from "./syslog.ts";
import type { Teller, Told } from "./told.ts";

/** How much of an event is written. */
export interface Room {
  /** Of a text, in UTF-16 units. */
  readonly text: number;
  /** Of an object within the event. */
  readonly members: number;
  /** Of a list. */
  readonly items: number;
}

/** The first that fits is taken. */
const rooms: readonly (Room | undefined)[] = [
  undefined,
  { text: 2048, members: 1024, items: 256 },
  { text: 512, members: 256, items: 64 },
  { text: 256, members: 64, items: 32 },
  { text: 128, members: 32, items: 16 },
  { text: 64, members: 16, items: 8 },
];
/** For events whose every word is hostile: half of the least message then. */
const least: Room = { text: 16, members: 12, items: 2 };

/** An event in one line, in a format of that name. @param room all of it without */
export type LineFormat = (told: Told, teller: Teller, room?: Room) => string;

/** Of an event that is a JSON object. */
export function jsonFormat(event: (told: Told, teller: Teller) => object): LineFormat {
  return (told, teller, room) =>
    jsonLine(shortened(event(told, teller), room, new Set([told.uid, teller.origin])));
}

/** @param maxBytes with the frame's own; at least 8,192, into which every event fits */
export function boundedFrame(
  told: Told,
  teller: Teller,
  { format, maxBytes }: { readonly format: LineFormat; readonly maxBytes: number },
): Uint8Array {
  const framed = (room: Room | undefined): Uint8Array =>
    syslogFrame(told, teller, format(told, teller, room));
  for (const room of rooms) {
    const frame = framed(room);
    if (frame.length <= maxBytes) return frame;
  }
  return framed(least);
}

/** The texts in a JSON value within that room. @param kept these are never cut */
function shortened(value: object, room: Room | undefined, kept: ReadonlySet<string>): object {
  if (room === undefined) return value;
  const of = (each: unknown, depth: number): unknown => {
    if (typeof each === "string") return kept.has(each) ? each : shortenedText(each, room.text);
    if (Array.isArray(each)) return each.slice(0, room.items).map((item) => of(item, depth));
    if (typeof each !== "object" || each === null) return each;
    const all = Object.entries(each);
    // The event's own members are few, and ours.
    const some = (depth === 0 ? all : all.slice(0, room.members)).map(
      ([name, member]) => [shortenedText(name, room.text), of(member, depth + 1)] as const,
    );
    const left = all.length - some.length;
    return Object.fromEntries(left === 0 ? some : [...some, ["…[cut]", `${left} more`]]);
  };
  return of(value, 0) as object;
}

/** @param whole what the digest is of, where that isn't the text itself */
export function shortenedText(text: string, units: number, whole = text): string {
  const mark = `…[cut, sha-256 ${sha256Hex(utf8(whole)).slice(0, digits)}]`;
  return text.length <= units + mark.length ? text : text.slice(0, units).toWellFormed() + mark;
}

const digits = 32;
