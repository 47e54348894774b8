/**
 * What may not be called isn't listed: a server's lists leave without it, by the same rules. What rules say of arguments
 * isn't known of a list; there it counts for what some call could be. Lists that their server signs for the caller pass
 * as they are: nobody between changes them, and calls are judged all the same.
 */
import { postureOf } from "../model/channel.ts";
import type { TargetKind } from "../policy/rules.ts";
import {
  everyMember,
  folded,
  type Place,
  scanElements,
  scanJson,
  spliced,
  textAt,
  tolerantScanLimits,
} from "../wire/json-scan.ts";
import { withData, writeSseEvent } from "../wire/sse.ts";
import type { Answer, AnswerEvent, Journaled, Located } from "./call.ts";
import { facingLists } from "./facts.ts";
import type { Ports } from "./ports.ts";
import { isReadOnly } from "./read-only.ts";
import { isGatedTool } from "./server-gate.ts";
import { mayHearOf } from "./tasks.ts";
import { collected, withheldList } from "./tools.ts";
import { verdictOn } from "./verdict.ts";
import type { World } from "./world.ts";

interface Listing {
  readonly kind: TargetKind | "tasks";
  /** The member of the result that has the list, and that of each element that rules name it by. */
  readonly list: string;
  readonly by: "name" | "uri" | "taskId";
}

/** Templates name no resource yet: what comes of one is judged when it is read. */
const listings: ReadonlyMap<string, Listing> = new Map([
  ["tools/list", { kind: "tools", list: "tools", by: "name" }],
  ["prompts/list", { kind: "prompts", list: "prompts", by: "name" }],
  ["resources/list", { kind: "resources", list: "resources", by: "uri" }],
  ["tasks/list", { kind: "tasks", list: "tasks", by: "taskId" }],
]);

/** @throws Refusal `upstream_failed` for a list that can't be read, `answer_too_large` */
export async function asPermitted(
  call: Journaled,
  answer: Answer,
  world: World,
  ports: Pick<Ports, "tools" | "tasks">,
): Promise<Answer> {
  const { frame, signature, server, via } = call;
  const listing = frame?.kind === "request" ? listings.get(frame.method) : undefined;
  // A virtual server shows what it may of its members' lists, and names things by all that is in them.
  const isVirtuals = via !== undefined || world.virtualServers.has(server);
  if (listing === undefined || signature?.end === "between" || isVirtuals) return answer;
  const { kind } = listing;
  const permitted = (message: Uint8Array): Uint8Array => {
    const now = afterList(server, world, ports);
    return filtered(message, listing, (name) =>
      kind === "tasks" ? mayHearOf(call, name, ports) : mayBeCalled(call, { kind, name }, now),
    );
  };
  if (answer.kind === "stream") return { ...answer, events: filteredEvents(answer.events, permitted) };
  const whole = answer.kind === "long" ? await collected(answer) : answer;
  const { body, message = body } = whole;
  const changed = permitted(message);
  if (changed === message) return whole;
  const asItCame = whole.asItCame ?? { bytes: body, message };
  if (message === body) return { ...whole, body: changed, asItCame };
  return { ...whole, body: writeSseEvent({ event: "message", data: changed }), message: changed, asItCame };
}

/** What this very list pinned counts for it. */
function afterList(server: string, world: World, { tools }: Pick<Ports, "tools">): World {
  const pinned = world.gate.get(server)?.signed === undefined ? undefined : tools?.pinnedNow(server);
  return pinned === undefined ? world : { ...world, tools: new Map([[server, pinned]]) };
}

/** Whether some call of it could be permitted, as far as that can be told before there is one. */
export function mayBeCalled(
  call: Located,
  target: { readonly kind: TargetKind; readonly name: string },
  world: World,
): boolean {
  const { caller, channel, server, atUnixMs } = call;
  if (world.onlookers.has(caller.id)) return true;
  if (target.kind === "tools" && isGatedTool(server, target.name, world, atUnixMs)) return false;
  const onlyReads = target.kind === "tools" && isReadOnly({ server, tool: target.name, atUnixMs }, world);
  const facts = facingLists(call, target, world);
  const question = {
    caller,
    link: postureOf(channel),
    server,
    target,
    onlyReads,
    facts,
    isList: true,
  } as const;
  return verdictOn(question, world).kind === "permit";
}

async function* filteredEvents(
  events: AsyncIterable<AnswerEvent>,
  permitted: (message: Uint8Array) => Uint8Array,
): AsyncGenerator<AnswerEvent, void> {
  for await (const event of events) {
    const { data: message } = event;
    const changed = message === null || message.length === 0 ? message : permitted(message);
    if (message === null || changed === null || changed === message) yield event;
    else {
      const asItCame = event.asItCame ?? { bytes: event.raw, message };
      yield { ...event, raw: withData(event, changed), data: changed, asItCame };
    }
  }
}

/** The message without the elements that may not be called; the same bytes if all may, or it has no such list. */
function filtered(message: Uint8Array, { list, by }: Listing, may: (name: string) => boolean): Uint8Array {
  const place = listIn(message, list);
  if (place === undefined) return message;
  const elements = scanElements(message, place, { [by]: true }, tolerantScanLimits);
  const kept = elements.filter((element) => {
    const named = element.members?.get(by);
    // Two readers could take it for two things, or for none: whoever may call neither isn't told.
    if (named === undefined || named.earlier !== undefined || message[named.start] !== quote) return false;
    return may(textAt(message, named));
  });
  if (kept.length === elements.length) return message;
  const texts = kept.map(({ start, end }) => Buffer.from(message.subarray(start, end)));
  const joined = texts.flatMap((text, i) => (i === 0 ? [text] : [comma, text]));
  return spliced(message, place, Buffer.concat([openBracket, ...joined, closeBracket]));
}

/** @throws Refusal `upstream_failed` for what two readers could find in two places */
function listIn(message: Uint8Array, list: string): Place | undefined {
  const top = ((): Place | undefined => {
    try {
      return scanJson(message, { result: { [everyMember]: true }, [everyMember]: true }, tolerantScanLimits);
    } catch {
      return undefined; // No JSON: nothing that a client could take for a list.
    }
  })();
  if (top === undefined) return undefined;
  if (message[top.start] === bracket) throw withheldList();
  const result = memberOf(top, "result");
  const place = result && memberOf(result, list);
  return place === undefined || message[place.start] !== bracket ? undefined : place;
}

/** @throws Refusal `upstream_failed` for one that comes twice, or in another spelling */
function memberOf({ members = new Map<string, Place>() }: Place, name: string): Place | undefined {
  const alike = [...members.keys()].filter((each) => folded(each) === folded(name));
  const place = members.get(name);
  if (alike.length > 1 || (alike.length === 1 && place === undefined) || place?.earlier !== undefined)
    throw withheldList();
  return place;
}

const quote = 0x22;
const bracket = 0x5b;
const comma = Buffer.from(",");
const openBracket = Buffer.from("[");
const closeBracket = Buffer.from("]");
