/** People as the API tells them: one's own passkeys, open sessions, who may come in. */
import { revealed } from "../../../src/wire/hidden-text.ts";
import { fields, list, number, text, texts } from "./fields.ts";
import { count } from "./words.ts";

export interface Passkey {
  readonly id: string;
  readonly name: string;
  /** The page's host that it is for. */
  readonly host: string;
  readonly algorithm: string;
  readonly isSynced: boolean;
  readonly createdUnixMs: number;
  readonly usedUnixMs: number | undefined;
}

export interface Passkeys {
  readonly passkeys: readonly Passkey[];
  /** That one person may have. */
  readonly most: number;
}

export function readPasskeys(value: unknown): Passkeys {
  const answer = fields(value);
  return {
    passkeys: list(answer["passkeys"]).map((each) => ({
      id: text(each["id"]),
      name: revealed(text(each["name"])),
      host: text(each["host"]),
      algorithm: text(each["algorithm"]),
      isSynced: each["isSynced"] === true,
      createdUnixMs: number(each["createdUnixMs"]),
      usedUnixMs: moment(each["usedUnixMs"]),
    })),
    most: number(answer["most"]),
  };
}

export interface OpenSession {
  readonly id: string;
  readonly name: string;
  readonly by: string;
  readonly address: string;
  /** The browser in a few words. */
  readonly browser: string;
  readonly beganUnixMs: number;
  readonly expiresAtUnixMs: number;
  /** The one in which it is looked at. */
  readonly isThis: boolean;
}

export function readSessions(value: unknown): readonly OpenSession[] {
  return list(fields(value)["sessions"]).map((each) => ({
    id: text(each["id"]),
    name: revealed(text(each["name"])),
    by: text(each["by"]),
    address: text(each["address"]),
    browser: browserOf(text(each["agent"])),
    beganUnixMs: number(each["beganUnixMs"]),
    expiresAtUnixMs: number(each["expiresAtUnixMs"]),
    isThis: each["isThis"] === true,
  }));
}

export interface Person {
  readonly name: string;
  readonly roles: readonly string[];
  readonly isNamed: boolean;
  /** In words: "link, token, 2 passkeys". */
  readonly ways: string;
  readonly passkeys: number;
  readonly lastLogin: { readonly way: string; readonly atUnixMs: number } | undefined;
  readonly sessions: number;
}

export interface People {
  readonly people: readonly Person[];
  /** Of the provider. */
  readonly groups: readonly { readonly group: string; readonly roles: readonly string[] }[];
}

export function readPeople(value: unknown): People {
  const answer = fields(value);
  return {
    people: list(answer["people"]).map(readPerson),
    groups: list(answer["groups"]).map((each) => ({
      group: revealed(text(each["group"])),
      roles: texts(each["roles"]),
    })),
  };
}

function readPerson(each: Readonly<Record<string, unknown>>): Person {
  const ways = fields(each["ways"]);
  const passkeys = number(ways["passkeys"]);
  const last = fields(each["lastLogin"]);
  const atUnixMs = moment(last["atUnixMs"]);
  const named = (["link", "oidc", "token"] as const).filter((way) => ways[way] === true).map(wayInWords);
  return {
    name: revealed(text(each["name"])),
    roles: texts(each["roles"]),
    isNamed: each["isNamed"] === true,
    ways: [...named, ...(passkeys === 0 ? [] : [count(passkeys, "passkey", "passkeys")])].join(", "),
    passkeys,
    lastLogin: atUnixMs === undefined ? undefined : { way: text(last["way"]), atUnixMs },
    sessions: number(each["sessions"]),
  };
}

const words: Readonly<Record<string, string>> = { oidc: "provider", socket: "command" };

/** How somebody came in. */
export function wayInWords(way: string): string {
  return words[way] ?? way;
}

/** What signs holds against quantum computers. */
export function isPostQuantum({ algorithm }: Passkey): boolean {
  return algorithm.startsWith("ML-DSA");
}

/** The order matters: browsers name those that they descend from. */
const browsers: readonly (readonly [sign: RegExp, name: string])[] = [
  [/Edg\//, "Edge"],
  [/Firefox\//, "Firefox"],
  [/Chrome\//, "Chromium"],
  [/Safari\//, "Safari"],
];
const systems: readonly (readonly [sign: RegExp, name: string])[] = [
  [/Android/, "Android"],
  [/iPhone|iPad/, "iOS"],
  [/Windows/, "Windows"],
  [/Mac OS X/, "macOS"],
  [/Linux/, "Linux"],
];
const mostChars = 60;

/** What a browser says of itself, for people; other programs' words as they are. */
export function browserOf(agent: string): string {
  const name = browsers.find(([sign]) => sign.test(agent))?.[1];
  if (name === undefined) return revealed(agent.slice(0, mostChars)) || "a program that says no name";
  const system = systems.find(([sign]) => sign.test(agent))?.[1];
  return system === undefined ? name : `${name} on ${system}`;
}

function moment(value: unknown): number | undefined {
  return typeof value === "number" ? value : undefined;
}
