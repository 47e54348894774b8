/** Entries: docs/formats/entry.md "Bytes", and SEP-3004 §2.1 (members), §2.3 (canonical form), §2.4 (chain). */
import { demand, hash, hex, toUtf8, utf8 } from "./bytes.ts";

const mostEntryBytes = 8192;
const mostStringUnits = 8192;
const ourExtension = "dev.latticegate/entry";

type Json = string | boolean | null | JsonObject;
interface JsonObject {
  readonly [name: string]: Json;
}

export interface Entry {
  readonly eventHash: string;
  readonly previousHash: string | null;
  readonly eventId: string;
  readonly eventType: string;
  /** Of our own extension. */
  readonly facts: Readonly<Record<string, string>>;
}

/** What SEP-3004 §2.1 names beside `event_hash`, and so what that is the hash of. */
const protectedMembers: Readonly<Record<string, (value: Json) => boolean>> = {
  event_id: isText,
  event_type: isText,
  extensions: (value) =>
    isObject(value) && Object.keys(value).length > 0 && Object.values(value).every(isObject),
  occurred_at: isTime,
  outcome: (value) => value === "allowed" || value === "denied" || value === "deferred" || value === "error",
  previous_hash: (value) => value === null || isDigest(value),
  principal_id: isString,
  tool_name: (value) => value === null || isString(value),
};

export function readEntry(bytes: Uint8Array): Entry {
  demand(bytes.length >= 1 && bytes.length <= mostEntryBytes, `has ${bytes.length} bytes`);
  const text = utf8(bytes);
  const record = parse(text);
  demand(isObject(record), "isn't an object");
  demand(canonical(record) === text, "isn't in canonical form");
  demandMembers(record);
  const covered = Object.fromEntries(
    Object.entries(record).filter(([name]) => Object.hasOwn(protectedMembers, name)),
  );
  demand(
    record["event_hash"] === hex(hash(toUtf8(canonical(covered)))),
    "has another event_hash than its content",
  );
  return {
    eventHash: textOf(record["event_hash"]),
    previousHash: record["previous_hash"] === null ? null : textOf(record["previous_hash"]),
    eventId: textOf(record["event_id"]),
    eventType: textOf(record["event_type"]),
    facts: factsOf(record["extensions"]),
  };
}

function demandMembers(record: JsonObject): void {
  for (const [name, isRight] of Object.entries(protectedMembers)) {
    const value = record[name];
    demand(Object.hasOwn(record, name) && value !== undefined, `has no ${name}`);
    demand(isRight(value), `has a wrong ${name}`);
  }
  demand(isDigest(record["event_hash"] ?? null), "has a wrong event_hash");
  // SEP-3004 §2.8: reserved, absent or null.
  demand((record["anchor_witness"] ?? null) === null, "has an anchor_witness");
  demand(
    textOf(record["event_id"]).endsWith(`/${textOf(record["event_type"])}`),
    "has an event_id of another type",
  );
}

/** A flat object of strings, if it is there. */
function factsOf(extensions: Json | undefined): Readonly<Record<string, string>> {
  const facts = isObject(extensions) ? extensions[ourExtension] : undefined;
  if (facts === undefined) return {};
  demand(isObject(facts), "has facts that aren't an object");
  for (const [name, value] of Object.entries(facts)) {
    demand(/^[a-z0-9_][a-z0-9_.-]{0,63}$/.test(name), "has a fact of a wrong name");
    demand(typeof value === "string", "has a fact that isn't a string");
  }
  return facts as Readonly<Record<string, string>>;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** SEP-3004 §2.3, with the strings of docs/formats/entry.md. What JSON.parse forgave shows when it is compared. */
function canonical(value: unknown): string {
  if (value === null || typeof value === "boolean") return String(value);
  if (typeof value === "string") {
    demandString(value);
    return JSON.stringify(value);
  }
  demand(isObject(value), "has a value that is a number or an array");
  const members = Object.keys(value)
    .sort()
    .map((name) => {
      demand(name.isWellFormed(), "has a name that isn't Unicode");
      // Names are exempt from what SEP-3004 §2.3 wants of values, but the only escapes are those that JSON demands.
      demand(!/\p{Cc}/u.test(name), "has a name with a control character");
      return `${JSON.stringify(name)}:${canonical(value[name])}`;
    });
  return `{${members.join(",")}}`;
}

function demandString(text: string): void {
  demand(text.isWellFormed(), "has a string that isn't Unicode");
  demand(text.normalize("NFC") === text, "has a string that isn't NFC");
  demand(!/\p{Cc}/u.test(text), "has a string with a control character");
  demand(!text.startsWith(" ") && !text.endsWith(" "), "has a string with a space at its end");
  demand(text.length <= mostStringUnits, "has too long a string");
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isText(value: Json): boolean {
  return typeof value === "string" && value !== "";
}

function isString(value: Json): boolean {
  return typeof value === "string";
}

function isDigest(value: Json): boolean {
  return typeof value === "string" && /^[0-9a-f]{64}$/.test(value);
}

function isTime(value: Json): boolean {
  if (typeof value !== "string" || !/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/.test(value)) return false;
  const time = new Date(value);
  return !Number.isNaN(time.getTime()) && time.toISOString() === value;
}

function textOf(value: Json | undefined): string {
  demand(typeof value === "string", "has something else where a string should be");
  return value;
}
