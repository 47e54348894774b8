/** Servers' tools as the API has them: how each stands, what it says, what it may do. Names stay as they are where they are sent. */
import { revealed } from "../../../src/wire/hidden-text.ts";
import { fields, items, list, number, text, texts } from "./fields.ts";
import { shown } from "./names.ts";

export interface Tool {
  readonly server: string;
  readonly tool: string;
  /** As it is shown. */
  readonly name: string;
  readonly state: string;
  readonly isCalled: boolean;
  readonly isReadOnly: boolean;
  readonly firstSeen: string;
  readonly offeredHash: string | undefined;
  readonly findings: readonly string[];
}

interface Definition {
  readonly hash: string;
  readonly text: string;
}

export interface OpenedTool extends Tool {
  readonly pinned: Definition | undefined;
  readonly offered: Definition | undefined;
  readonly history: readonly {
    readonly version: number;
    readonly at: string;
    readonly what: string;
    readonly who: string;
    readonly because: string;
  }[];
}

export interface Version {
  readonly version: number;
  readonly at: string;
  readonly what: string;
  readonly who: string;
  readonly because: string;
  readonly tools: number;
  readonly isNow: boolean;
}

export function readTools(value: unknown): readonly Tool[] {
  return items(value).map(toolOf);
}

export function readToolPage(value: unknown): {
  readonly tools: readonly Tool[];
  /** Cursor of the next part, if there is one. */
  readonly next: string | undefined;
} {
  return { tools: readTools(value), next: text(fields(value)["next"]) || undefined };
}

function toolOf(row: Readonly<Record<string, unknown>>): Tool {
  return {
    server: text(row["server"]),
    tool: text(row["tool"]),
    name: revealed(text(row["tool"])) || "(no name)",
    state: text(row["state"]),
    isCalled: row["isCalled"] === true,
    isReadOnly: row["effect"] === "read-only",
    firstSeen: text(row["firstSeen"]),
    offeredHash: text(row["offeredHash"]) || undefined,
    findings: texts(row["findings"]).map(revealed),
  };
}

export function readTool(value: unknown): OpenedTool {
  const opened = fields(value);
  return {
    ...toolOf(opened),
    pinned: definitionOf(opened["pinned"]),
    offered: definitionOf(opened["offered"]),
    history: list(opened["history"]).map((turn) => ({
      version: number(turn["version"]),
      at: text(turn["at"]),
      what: text(turn["what"]),
      who: revealed(text(turn["who"])),
      because: revealed(text(turn["because"])),
    })),
  };
}

function definitionOf(value: unknown): Definition | undefined {
  const definition = fields(value);
  const hash = text(definition["hash"]);
  if (hash === "") return undefined;
  // The gateway has shown already what hides in it.
  const words = text(definition["text"]);
  return { hash, text: definition["isCut"] === true ? `${words}\n… it goes on` : words };
}

export function readVersions(value: unknown): readonly Version[] {
  return list(fields(value)["versions"]).map((version) => ({
    version: number(version["version"]),
    at: text(version["at"]),
    what: revealed(text(version["what"])),
    who: revealed(text(version["who"])),
    because: revealed(text(version["because"])),
    tools: number(version["tools"]),
    isNow: version["isNow"] === true,
  }));
}

export interface ToolMarks {
  readonly may: readonly string[];
  readonly marks: readonly { readonly mark: string; readonly source: string; readonly because: string }[];
  readonly findings: readonly { readonly severity: string; readonly says: string }[];
}

export interface Combination {
  /** In whose hands these tools meet. */
  readonly who: readonly string[];
  readonly kind: string;
  readonly parts: readonly { readonly mark: string; readonly tools: readonly string[] }[];
  readonly isAcrossServers: boolean;
  readonly says: string;
}

export interface Marks {
  /** By `toolKey`. */
  readonly tools: ReadonlyMap<string, ToolMarks>;
  readonly combinations: readonly Combination[];
}

export function toolKey(server: string, tool: string): string {
  return JSON.stringify([server, tool]);
}

export function readMarks(value: unknown): Marks {
  const marks = fields(value);
  return {
    tools: new Map(
      list(marks["tools"]).map((each) => [
        toolKey(text(each["server"]), text(each["tool"])),
        {
          may: texts(each["may"]),
          marks: list(each["marks"]).map((mark) => ({
            mark: text(mark["mark"]),
            source: text(mark["source"]),
            because: revealed(text(mark["because"])),
          })),
          findings: list(each["findings"]).map((finding) => ({
            severity: text(finding["severity"]),
            says: revealed(text(finding["says"])),
          })),
        },
      ]),
    ),
    combinations: sameTogether(
      list(marks["combinations"]).map((each) => ({
        who: [whoseContext(text(each["who"]))],
        kind: text(each["kind"]),
        parts: list(each["parts"]).map((part) => ({
          mark: text(part["mark"]),
          // `server#tool`; a server's name has no #.
          tools: texts(part["tools"]).map((name) => revealed(name.replace("#", "/"))),
        })),
        isAcrossServers: each["isAcrossServers"] === true,
        says: revealed(text(each["says"])),
      })),
    ),
  };
}

/** The same tools in other hands are the same combination. */
function sameTogether(all: readonly Combination[]): readonly Combination[] {
  const groups = Map.groupBy(all, ({ kind, parts }) => JSON.stringify([kind, parts]));
  return [...groups.values()].flatMap(([first, ...others]) =>
    first === undefined ? [] : [{ ...first, who: [first, ...others].flatMap(({ who }) => who) }],
  );
}

function whoseContext(who: string): string {
  if (who === "*") return "whoever may call every server";
  return shown(who);
}

export const markWords: Readonly<Record<string, string>> = {
  read: "reads",
  write: "writes",
  destructive: "destroys",
  egress: "sends out",
  "untrusted-input": "strangers' text",
  "private-data": "private data",
};

/** Of one server, what waits first. */
export interface ServerTools {
  readonly server: string;
  readonly tools: readonly Tool[];
  /** How many wait for somebody. */
  readonly waiting: number;
}

const order = ["held", "changed", "new", "removed", "pinned"];

export function byServer(tools: readonly Tool[], filter: string): readonly ServerTools[] {
  const wanted = filter.trim().toLowerCase();
  const servers = Map.groupBy(tools, ({ server }) => server);
  return [...servers]
    .map(([server, all]) => ({
      server,
      tools: all
        .filter(({ name }) => `${server}/${name}`.toLowerCase().includes(wanted))
        .toSorted((a, b) => order.indexOf(a.state) - order.indexOf(b.state) || (a.name < b.name ? -1 : 1)),
      waiting: all.filter(waits).length,
    }))
    .filter((each) => each.tools.length > 0)
    .toSorted((a, b) => b.waiting - a.waiting || (a.server < b.server ? -1 : 1));
}

export function waits({ state }: Pick<Tool, "state">): boolean {
  return state === "changed" || state === "new" || state === "held";
}
