/** What a virtual server answers by itself, having asked all its members: handshakes, lists, subscriptions, the end. */
import { mayBeCalled } from "../../gate/listed.ts";
import { empty } from "../answers.ts";
import type { Answer, Journaled } from "../../gate/call.ts";
import { utf8 } from "../../kernel/bytes.ts";
import { Refusal } from "../../kernel/refusal.ts";
import {
  type Greeting,
  type Itself,
  joinedDiscover,
  joinedInitialize,
  serverInfoKey,
  uncached,
} from "../../virtual/greeting.ts";
import { isListMethod, type ListMethod, shownItem, writeList } from "../../virtual/lists.ts";
import type { NotificationFrame, RequestFrame } from "../../wire/frame.ts";
import { scanJson } from "../../wire/json-scan.ts";
import type { MemberAnswer } from "./ask-member.ts";
import type { Member } from "./member.ts";
import { listenToMembers, subscribeToMembers } from "./streams.ts";
import { envelopeOf } from "./view.ts";
import type { Turn, VirtualServerOptions } from "./virtual-server.ts";

const jsonHeaders = ["content-type", "application/json"] as const;

/** The result's `_meta` member that names the members which didn't answer. */
const unavailableKey = "dev.latticegate/unavailable";

/** @throws Refusal `upstream_failed` if no member answers */
export async function answerForAll(
  call: Journaled,
  turn: Turn,
  options: VirtualServerOptions,
): Promise<Answer> {
  const { frame } = call;
  if (call.verb === "GET") return listenToMembers(call, turn) ?? empty(409);
  if (call.verb === "DELETE") {
    await each(turn, (member) => member.end(turn.asking));
    return empty(200);
  }
  if (frame === undefined || frame.kind === "response") return empty(202); // An answer to nobody's question.
  if (frame.kind === "notification") {
    await tell(frame, turn);
    return empty(202);
  }
  if (isListMethod(frame.method)) return await list(frame, frame.method, turn, options);
  if (frame.era === "modern") return await answerModern(call, frame, turn, options);
  if (frame.method === "ping") return result(frame, {});
  if (frame.method === "logging/setLevel") {
    await each(turn, async (member) => {
      if (member.greeting !== undefined && member.can("logging")) await member.ask(turn.asking, frame);
    });
    return result(frame, {});
  }
  return unknownMethod(frame);
}

/** Opens a session with each member. @throws Refusal `upstream_failed` if none answers */
export async function greet(frame: RequestFrame, turn: Turn, options: VirtualServerOptions): Promise<Answer> {
  await each(turn, async (member) => void (await member.open(turn.asking)));
  const { greetings, missing } = greetingsOf(turn);
  const joined = joinedInitialize(greetings, itself(options));
  return result(frame, { ...joined, ...metaOf({}, missing) }, ["mcp-session-id", turn.view.id]);
}

async function answerModern(
  call: Journaled,
  frame: RequestFrame,
  turn: Turn,
  options: VirtualServerOptions,
): Promise<Answer> {
  if (frame.method === "server/discover") return await discover(frame, turn, options);
  if (frame.method === "subscriptions/listen")
    return await subscribeToMembers(call, frame, turn, options.patienceMs);
  return unknownMethod(frame);
}

/** The modern era is spoken if every member that answers speaks it; else clients are to begin as legacy ones. */
async function discover(frame: RequestFrame, turn: Turn, options: VirtualServerOptions): Promise<Answer> {
  const answers: MemberAnswer[] = [];
  await each(turn, async (member) => {
    const answer = await member.discover(turn.asking, frame);
    if (answer !== undefined) answers.push(answer);
  });
  const legacy = answers.find((answer) => answer.response?.result === undefined && !isFailure(answer));
  if (legacy !== undefined) {
    return { kind: "whole", status: legacy.status, headers: jsonHeaders, body: legacy.body };
  }
  const { greetings, missing } = greetingsOf(turn);
  const { _meta, ...joined } = joinedDiscover(greetings, itself(options));
  return result(frame, { ...joined, ...metaOf(_meta, missing) });
}

/** No sign of an era: the member is down, or doesn't want us. */
function isFailure({ status }: MemberAnswer): boolean {
  return status >= 500 || status === 401 || status === 403;
}

/** One page of all that the caller may use. */
async function list(
  frame: RequestFrame,
  method: ListMethod,
  turn: Turn,
  options: VirtualServerOptions,
): Promise<Answer> {
  const { view, asking, open } = turn;
  if (
    scanJson(frame.bytes, { params: { cursor: true } })
      .members?.get("params")
      ?.members?.has("cursor") === true
  ) {
    throw new Refusal("unknown_name", "There is no such cursor: this list is one page.");
  }
  const missing = await view.refresh(asking, open, { method, meta: envelopeOf(frame) });
  const names = view.names(nameKinds[method]);
  const uris = view.names("resources");
  const items = open.flatMap((member) =>
    (view.member(member).known(method) ?? [])
      .filter(({ key }) => maySee({ ...turn, options }, { member, method, key }))
      .map((item) => shownItem(method, item, { member, names, uris })),
  );
  const modern = {
    resultType: "complete",
    ...uncached,
    ...metaOf({ [serverInfoKey]: itself(options) }, missing),
  };
  const more = frame.era === "modern" ? modern : metaOf({}, missing);
  return {
    kind: "whole",
    status: 200,
    headers: jsonHeaders,
    body: writeList(method, items, { id: frame.id, more }),
  };
}

const nameKinds = {
  "tools/list": "tools",
  "prompts/list": "prompts",
  "resources/list": "resources",
  "resources/templates/list": "templates",
} as const satisfies Record<ListMethod, string>;

/** What a caller may not use it doesn't see. A template names no resource yet: what comes of it is judged when it is read. */
function maySee(
  { call, options }: Turn & { readonly options: VirtualServerOptions },
  { member, method, key }: { readonly member: string; readonly method: ListMethod; readonly key: string },
): boolean {
  const kind = nameKinds[method];
  if (kind === "templates") return true;
  return mayBeCalled({ ...call, server: member }, { kind, name: key }, options.world());
}

async function tell(frame: NotificationFrame, turn: Turn): Promise<void> {
  const isReady = frame.method === "notifications/initialized";
  await each(turn, async (member) => {
    if (isReady) member.isReady = true;
    if (member.greeting !== undefined) await member.tell(turn.asking, frame.bytes);
  });
}

/** Asks each member the caller may use, all at once; one that fails doesn't stop the others. */
async function each(turn: Turn, act: (member: Member) => Promise<void>): Promise<void> {
  await Promise.allSettled(turn.open.map((name) => act(turn.view.member(name))));
}

/** @throws Refusal `upstream_failed` if there is none */
function greetingsOf({ view, open }: Turn): {
  readonly greetings: readonly Greeting[];
  readonly missing: readonly string[];
} {
  const greetings = open.flatMap((name) => view.member(name).greeting ?? []);
  const missing = open.filter((name) => view.member(name).greeting === undefined);
  if (greetings.length > 0) return { greetings, missing };
  throw new Refusal("upstream_failed", `None of the servers behind this one answers: ${missing.join(", ")}.`);
}

function itself({ name, version }: VirtualServerOptions): Itself {
  return { name, version };
}

function metaOf(meta: unknown, missing: readonly string[]): Readonly<Record<string, unknown>> {
  const whole = { ...(meta as object), ...(missing.length > 0 && { [unavailableKey]: missing }) };
  return Object.keys(whole).length === 0 ? {} : { _meta: whole };
}

/** The protocol says how: 404 in the modern era, an error in the body alone before. */
function unknownMethod({ id, era }: RequestFrame): Answer {
  const error = { code: -32601, message: "Method not found" };
  const body = utf8(JSON.stringify({ jsonrpc: "2.0", id, error }));
  return { kind: "whole", status: era === "modern" ? 404 : 200, headers: jsonHeaders, body };
}

function result({ id }: RequestFrame, value: object, headers: readonly string[] = []): Answer {
  const body = utf8(JSON.stringify({ jsonrpc: "2.0", id, result: value }));
  return { kind: "whole", status: 200, headers: [...jsonHeaders, ...headers], body };
}
