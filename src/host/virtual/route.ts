/** Which member a call that names something is for, and the call as that member gets it. */
import type { HeaderList, Located } from "../../gate/call.ts";
import { targetKinds } from "../../gate/target.ts";
import { utf8 } from "../../kernel/bytes.ts";
import { Refusal } from "../../kernel/refusal.ts";
import type { TargetKind } from "../../policy/rules.ts";
import { ofMemberEventId, toMember } from "../../virtual/ids.ts";
import { type Frame, namedBy, readFrame, type RequestFrame } from "../../wire/frame.ts";
import { scanJson, type Shape, spliced } from "../../wire/json-scan.ts";
import { encodeHeaderValue } from "../../wire/mcp-headers.ts";
import { valueOf } from "../net/headers.ts";
import { memberCall } from "./ask-member.ts";
import { memberReply } from "./member-reply.ts";
import type { Member } from "./member.ts";
import { envelopeOf } from "./view.ts";
import type { Turn } from "./virtual-server.ts";

/** What a member gets instead of the client's own. */
interface Changes {
  readonly body?: Uint8Array;
  /** The name in `Mcp-Name`. */
  readonly name?: string;
  readonly lastEventId?: string;
}

/** @returns the call as it was if it is for all members, or for none */
export async function route(call: Located, turn: Turn): Promise<Located> {
  const { frame } = call;
  if (turn.open.length === 0) return call; // Denied, in a moment.
  if (frame === undefined) return resumed(call, turn);
  if (frame.kind === "request") return await routeRequest(call, frame, turn);
  if (frame.kind === "response") {
    const own = toMember(frame.bytes, frame.id);
    return own === undefined || !turn.view.members.has(own.member)
      ? call
      : toOne(call, turn, own.member, { body: own.message });
  }
  // Tokens are the members' own, and may be the same. (A cancelled request's id is the client's: all are told.)
  const token = frame.params?.progressToken;
  const owner = token === undefined ? undefined : turn.view.tokens.of(token);
  return owner === undefined ? call : toOne(call, turn, owner);
}

/** MCP 2025-11-25, resumability: the event's id says whose stream it was. */
function resumed(call: Located, turn: Turn): Located {
  const last = call.verb === "GET" ? call.header("last-event-id") : undefined;
  const event = last === undefined ? undefined : ofMemberEventId(last);
  if (event === undefined || !turn.view.members.has(event.member)) return call;
  return toOne(call, turn, event.member, { lastEventId: event.id });
}

async function routeRequest(call: Located, frame: RequestFrame, turn: Turn): Promise<Located> {
  if (frame.method.startsWith("tasks/")) return toOne(call, turn, taskOwner(frame, turn));
  const named = namedIn(frame);
  if (named === undefined) return call;
  const { kind, name, path } = named;
  const wanted = { kind, name, meta: envelopeOf(frame) };
  const { member, key } = await turn.view.find(turn.asking, turn.open, wanted);
  if (!(await turn.view.member(member).open(turn.asking))) {
    throw new Refusal("upstream_failed", `The server "${member}" doesn't answer.`);
  }
  const changes = key === name ? {} : { body: renamed(frame.bytes, path, key), name: key };
  return toOne(call, turn, member, changes);
}

interface NamedIn {
  readonly kind: TargetKind;
  readonly name: string;
  /** Where in the message the name stands. */
  readonly path: readonly string[];
}

function namedIn({ method, params }: RequestFrame): NamedIn | undefined {
  if (method === "completion/complete") {
    const { name = "", uri } = params?.ref ?? {};
    return uri === undefined
      ? { kind: "prompts", name, path: ["params", "ref", "name"] }
      : { kind: "resources", name: uri, path: ["params", "ref", "uri"] };
  }
  const kind = targetKinds.get(method);
  const member = namedBy.get(method) === "uri" ? "uri" : "name";
  return kind && { kind, name: params?.[member] ?? "", path: ["params", member] };
}

/** @throws Refusal `unknown_name` */
function taskOwner({ params }: RequestFrame, { view, open }: Turn): string {
  const owner = view.tasks.of(params?.taskId ?? "");
  if (owner !== undefined) return owner;
  // After a restart nobody remembers; where one alone has tasks, it is its.
  const able = open.filter(
    (name) => view.member(name).greeting !== undefined && view.member(name).can("tasks"),
  );
  const [only, ...more] = able;
  if (only !== undefined && more.length === 0) return only;
  throw new Refusal("unknown_name", "No server here has this task.");
}

/** The call as `name` gets it, with a reply that shows the client the virtual server alone. */
function toOne(call: Located, turn: Turn, name: string, changes: Changes = {}): Located {
  const { view } = turn;
  const member = view.member(name);
  const { frame } = call;
  const session = call.session === undefined ? undefined : call.header("mcp-session-id");
  const { answerBytes } = turn.asking;
  const reply = { reply: call.reply, view, member, session, answerBytes };
  const isLegacy = frame?.kind === "request" && frame.era === "legacy";
  const own = asMemberGets(call, member, changes);
  const lost = member.session;
  return {
    ...call,
    ...own,
    reply: memberReply({
      ...reply,
      ...(isLegacy && {
        // Whatever goes wrong there, the caller gets the 404, and begins anew.
        onLost: (passOn) => void again(call, turn, { member, lost, changes, reply, passOn }).catch(passOn),
      }),
    }),
  };
}

function asMemberGets(
  call: Located,
  member: Member,
  changes: Changes,
): Partial<Located> & { headers: HeaderList } {
  const headers = headersFor(call, member, changes);
  const { body = call.body } = changes;
  const frame: Frame | undefined = changes.body === undefined ? call.frame : readFrame(changes.body);
  return {
    server: member.name,
    via: call.server,
    headers,
    header: (lowerCaseName) => valueOf(headers, lowerCaseName),
    body,
    ...(frame && { frame }),
  };
}

/** The member lost the session, so nothing came of the call: opens another there, and makes the call once more. */
async function again(
  call: Located,
  turn: Turn,
  attempt: {
    readonly member: Member;
    /** The session in which it was made first. */
    readonly lost: string | undefined;
    readonly changes: Changes;
    readonly reply: Parameters<typeof memberReply>[0];
    readonly passOn: () => void;
  },
): Promise<void> {
  const { member, lost, changes, reply, passOn } = attempt;
  member.forget(lost);
  if (!(await member.open(turn.asking))) {
    passOn();
    return;
  }
  turn.view.opened(member);
  const { headers, body } = asMemberGets(call, member, changes);
  const request = { member: member.name, verb: call.verb, headers, body: body ?? call.body };
  const { signature } = call;
  // Opened when it came: the answer is to be signed for whoever signed it.
  await turn.asking.handle({
    ...memberCall(turn.asking, request, memberReply(reply)),
    ...(signature && { signature }),
  });
}

function headersFor(call: Located, member: Member, { name, lastEventId }: Changes): HeaderList {
  const isModern = call.frame?.kind === "request" && call.frame.era === "modern";
  const replaced = new Map<string, string>([
    ...(name === undefined ? [] : [["mcp-name", encodeHeaderValue(name)] as const]),
    ...(lastEventId === undefined ? [] : [["last-event-id", lastEventId] as const]),
  ]);
  const headers: string[] = [];
  for (let i = 0; i + 1 < call.headers.length; i += 2) {
    const header = call.headers[i] ?? "";
    const lower = header.toLowerCase();
    const isOfLeg = lower === "mcp-session-id" || (lower === "mcp-protocol-version" && !isModern);
    if (!isOfLeg) headers.push(header, replaced.get(lower) ?? call.headers[i + 1] ?? "");
  }
  return isModern ? headers : [...headers, ...member.sessionHeaders()];
}

function renamed(message: Uint8Array, path: readonly string[], name: string): Uint8Array {
  const shape = path.reduceRight<Shape | true>((inner, member) => ({ [member]: inner }), true);
  let place = scanJson(message, shape === true ? {} : shape);
  for (const member of path) place = place.members?.get(member) ?? place;
  return spliced(message, place, utf8(JSON.stringify(name)));
}
