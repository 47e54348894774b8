/**
 * A virtual server as one client has it: a legacy session, or all modern requests of a caller. Which names there
 * are, whose they are, and which member waits for which word of the client's.
 */
import { fromUtf8 } from "../../kernel/bytes.ts";
import type { Log } from "../../kernel/log.ts";
import { Refusal } from "../../kernel/refusal.ts";
import type { TargetKind } from "../../policy/rules.ts";
import { type Item, type ListMethod, lists } from "../../virtual/lists.ts";
import { type Found, makeNames, marks, type Names, type Offer, splitQualified } from "../../virtual/names.ts";
import { mayExpandTo } from "../../virtual/uri-template.ts";
import type { RequestFrame, RequestId } from "../../wire/frame.ts";
import type { Asking } from "./ask-member.ts";
import { Member } from "./member.ts";
import { Owners } from "./owners.ts";

export interface ViewOptions {
  /** The legacy session's id, or the modern caller. */
  readonly id: string;
  readonly caller: string;
  readonly initialize?: RequestFrame;
  readonly members: readonly string[];
  readonly patienceMs: number;
  readonly log: Log;
  readonly nowUnixMs: number;
}

/** A stream on which the client hears what members say unasked. */
export interface Listener {
  /** A member's list is another than it was; the notification that says so. */
  readonly changed: (notification: string) => void;
  readonly opened: (member: Member) => void;
}

/** What has names of its own. */
export type NameKind = TargetKind | "templates";

/** The lists that name things of that kind. */
const whereNamed: Readonly<Record<NameKind, readonly ListMethod[]>> = {
  tools: ["tools/list"],
  prompts: ["prompts/list"],
  // A page (`ui://`) may stand in a tool and in no list.
  resources: ["resources/list", "tools/list"],
  templates: ["resources/templates/list"],
};

/** The lists that tell whose a thing of that kind is. */
const whereFound: Readonly<Record<TargetKind, readonly ListMethod[]>> = {
  ...whereNamed,
  resources: [...whereNamed.resources, ...whereNamed.templates],
};

/** How soon an unknown name has the lists fetched again: a client that guesses names costs the members little. */
const refetchAfterMs = 1000;

export class View {
  readonly id: string;
  readonly caller: string;
  readonly members: ReadonlyMap<string, Member>;
  /** By progress token, whose request to the client it is of. */
  readonly tokens = new Owners<RequestId>();
  readonly tasks = new Owners<string>();
  lastUsedUnixMs: number;
  /** Who hears what members say unasked. */
  readonly listeners = new Set<Listener>();
  #refetchedAtUnixMs = -Infinity;
  /** Made once for the lists they were made from. */
  readonly #names = new Map<
    NameKind,
    { readonly names: Names; readonly lists: readonly (readonly Item[] | undefined)[] }
  >();

  constructor(options: ViewOptions) {
    const { id, caller, members, initialize, patienceMs, log, nowUnixMs } = options;
    this.id = id;
    this.caller = caller;
    this.lastUsedUnixMs = nowUnixMs;
    this.members = new Map(
      members.map((name) => {
        const member: Member = new Member({
          name,
          patienceMs,
          log,
          ...(initialize && { initialize }),
          onLate: (methods) => {
            this.opened(member);
            for (const changed of new Set(methods.map((method) => lists[method].changed))) {
              for (const listener of this.listeners) listener.changed(changed);
            }
          },
        });
        return [name, member];
      }),
    );
  }

  /** @throws Refusal `no_such_server` */
  member(name: string): Member {
    const member = this.members.get(name);
    if (member === undefined) throw new Refusal("no_such_server", `There is no server "${name}" here.`);
    return member;
  }

  /** A member came to be there, or is there anew. */
  opened(member: Member): void {
    for (const listener of this.listeners) listener.opened(member);
  }

  /** Fetches a list of each member that `open` names. @returns the members that didn't say what they have now */
  async refresh(
    asking: Asking,
    open: readonly string[],
    request: { readonly method: ListMethod; readonly meta: string | undefined },
  ): Promise<readonly string[]> {
    const refreshed = open.map(async (name) =>
      (await this.member(name).refresh(asking, request.method, request.meta)) ? [] : [name],
    );
    return (await Promise.all(refreshed)).flat();
  }

  /** The member that has it, and its name there. @throws Refusal `unknown_name`, `upstream_failed` */
  async find(asking: Asking, open: readonly string[], wanted: Wanted): Promise<Offer> {
    const known = this.#lookUp(wanted);
    if (known.kind === "one") return known.offer;
    const unavailable = await this.#refetch(asking, open, wanted);
    const found = this.#lookUp(wanted);
    if (found.kind === "one") return found.offer;
    throw notFound(wanted, found, unavailable);
  }

  /** The names of what is known now. */
  names(kind: NameKind): Names {
    const lists = [...this.members.values()].flatMap((member) =>
      whereNamed[kind].map((each) => member.known(each)),
    );
    const made = this.#names.get(kind);
    if (made?.lists.every((list, i) => list === lists[i]) === true) return made.names;
    const offers = [...this.members.values()].map((member) => [member.name, keysOf(member, kind)] as const);
    const names = makeNames(new Map(offers), kind === "tools" || kind === "prompts" ? marks.name : marks.uri);
    this.#names.set(kind, { lists, names });
    return names;
  }

  async #refetch(asking: Asking, open: readonly string[], wanted: Wanted): Promise<readonly string[]> {
    const now = asking.clock.nowUnixMs();
    const never = open.filter((name) =>
      whereFound[wanted.kind].some((method) => this.member(name).known(method) === undefined),
    );
    if (never.length === 0 && now < this.#refetchedAtUnixMs + refetchAfterMs) return never;
    this.#refetchedAtUnixMs = now;
    const missing = await Promise.all(
      whereFound[wanted.kind].map((method) => this.refresh(asking, open, { method, meta: wanted.meta })),
    );
    return [...new Set(missing.flat())];
  }

  #lookUp({ kind, name }: Wanted): Found {
    const found = this.names(kind).find(name);
    return found.kind === "none" && kind === "resources" ? this.#unlisted(name) : found;
  }

  /** A resource that no list names: by the member in its scheme, by a template, by a scheme that one alone has. */
  #unlisted(uri: string): Found {
    const offer = splitQualified(uri, marks.uri);
    if (offer !== undefined && this.members.has(offer.member)) return { kind: "one", offer };
    const byTemplate = this.#having(({ key }) => mayExpandTo(key, uri), ["resources/templates/list"]);
    if (byTemplate.length > 0) return oneOf(byTemplate, uri);
    const scheme = schemeOf(uri);
    return oneOf(
      this.#having(({ key }) => schemeOf(key) === scheme, ["resources/templates/list", "resources/list"]),
      uri,
    );
  }

  #having(
    isIt: (item: { readonly key: string }) => boolean,
    methods: readonly ListMethod[],
  ): readonly string[] {
    return [...this.members.values()]
      .filter((member) => methods.some((method) => member.known(method)?.some(isIt)))
      .map(({ name }) => name);
  }
}

/** Something a client names. */
export interface Wanted {
  readonly kind: TargetKind;
  readonly name: string;
  /** The envelope of a modern request, as JSON. */
  readonly meta: string | undefined;
}

/** The members of a modern request's `_meta` that a request of ours bears too: who asks, and in which version. */
export function envelopeOf({ bytes, params, era }: RequestFrame): string | undefined {
  const meta = params?.meta;
  if (era === "legacy" || meta === undefined) return undefined;
  const text = fromUtf8(bytes.subarray(meta.span.start, meta.span.end)) ?? "{}";
  const members = Object.entries(JSON.parse(text) as Record<string, unknown>);
  return JSON.stringify(
    Object.fromEntries(members.filter(([key]) => key.startsWith("io.modelcontextprotocol/"))),
  );
}

function keysOf(member: Member, kind: NameKind): readonly string[] {
  const [method = "tools/list"] = whereNamed[kind];
  const listed = (member.known(method) ?? []).map(({ key }) => key);
  if (kind !== "resources") return listed;
  return [...listed, ...(member.known("tools/list") ?? []).flatMap(({ page }) => page ?? [])];
}

function oneOf(members: readonly string[], key: string): Found {
  const [member, ...more] = members;
  if (member === undefined) return { kind: "none" };
  if (more.length === 0) return { kind: "one", offer: { member, key } };
  return { kind: "several", names: members.map((each) => each + marks.uri + key) };
}

function schemeOf(uri: string): string {
  return uri.slice(0, uri.indexOf(":") + 1);
}

function notFound({ kind, name }: Wanted, found: Found, unavailable: readonly string[]): Refusal {
  const data = kind === "resources" ? { data: { uri: name } } : {};
  if (found.kind === "several") {
    const text = `Several servers have this name; say which: ${found.names.join(", ")}.`;
    return new Refusal("unknown_name", text, data);
  }
  if (unavailable.length > 0) {
    const text = `No server that answers has this; not answering: ${unavailable.join(", ")}.`;
    return new Refusal("upstream_failed", text, { facts: { unavailable: unavailable.join(" ") } });
  }
  const what = { tools: "tool", prompts: "prompt", resources: "resource" }[kind];
  return new Refusal("unknown_name", `No server here has this ${what}.`, data);
}
