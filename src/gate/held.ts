/**
 * Calls that rules hold for people: which call it is, what people are shown of it, and what its caller is told at each
 * stage. INVARIANT: an approval is of one very call, of one caller on behalf of the same others, with the same
 * parameters; all of them but `_meta`, which is new in each request: what rules read of it, they judge each time.
 */
import { revealed } from "../wire/hidden-text.ts";
import { fromUtf8 } from "../kernel/bytes.ts";
import { Refusal } from "../kernel/refusal.ts";
import type { EntryDraft } from "../model/entry.ts";
import { decide, type Denial, type Permit } from "../policy/decide.ts";
import { canonicalJson } from "../wire/canonical-json.ts";
import { everyMember, type Place, scanAt } from "../wire/json-scan.ts";
import { holderOf } from "../model/caller.ts";
import type { Judged } from "./call.ts";
import type { Approvals, Held, HeldCall, SaidArgument } from "./ports.ts";
import { withoutArguments } from "./redact.ts";
import { recordedUri } from "./recorded-uri.ts";
import type { World } from "./world.ts";

/** A call as it goes on: judged anew if people have approved it; with why it doesn't, if it is held. */
export interface Settled {
  readonly call: Judged;
  readonly held?: Held;
  readonly refusal?: Refusal;
}

/**
 * What becomes of a call that was judged: of one that no rule holds, nothing.
 * @throws Refusal `bad_message` for one whose parameters two readers could read in two ways; `denied` for one that
 * couldn't go on even if people approved it
 */
export function settled(
  call: Judged,
  world: World,
  { approvals }: { readonly approvals?: Approvals },
): Settled {
  const { verdict, question } = call;
  if (verdict.kind === "permit" || verdict.held === undefined) return { call };
  if (approvals === undefined || !canWait(call)) return { call };
  // What would be decided of it then: if that is "no", nobody is asked.
  const approved = new Set(verdict.held.map(({ rule }) => rule));
  const then = decide({ ...question, approved }, world.rules);
  if (then.kind === "denial") return { call: { ...call, verdict: then } };
  const passing = { ...call, verdict: then };
  const held = approvals.settle(heldCall(passing, verdict.held));
  if (held.kind === "taken") return { call: passing, held };
  return { call, held, refusal: refusalOf(held, verdict.held) };
}

/** Nobody is asked about what has no answer to say that in, nor at each letter of a completion: that is denied. */
function canWait({ frame }: Judged): boolean {
  return frame?.kind === "request" && frame.method !== "completion/complete";
}

/** The decision of a call that was held says which request it was about. */
export function withRequest(draft: EntryDraft, { held, refusal }: Settled): EntryDraft {
  if (held === undefined || held.kind === "full") return draft;
  return {
    ...draft,
    ...(refusal !== undefined && held.kind === "waiting" && { outcome: "deferred" as const }),
    facts: { ...draft.facts, approval: held.request, approval_state: held.kind },
  };
}

function heldCall(call: Judged & { readonly verdict: Permit }, held: HeldCall["held"]): HeldCall {
  const { caller, server, question, targetUrl, frame, verb } = call;
  const message = frame === undefined || frame.kind === "response" ? undefined : frame;
  const target = targetUrl && [targetUrl.origin, targetUrl.path];
  const content = [
    "dev.latticegate/held-call@v1",
    holderOf(caller),
    server,
    target ?? null,
    message?.method ?? verb,
    canonicalParams(call),
    held.map(({ rule, terms: { approvers, from, expiresMs } }) => [rule, approvers, from ?? null, expiresMs]),
  ];
  const { target: named } = question;
  return {
    caller: caller.id,
    chain: caller.chain,
    server,
    method: (message?.method ?? verb).slice(0, maxNameChars),
    name: (named?.kind === "resources" ? recordedUri(named.name) : (named?.name ?? "")).slice(
      0,
      maxTargetChars,
    ),
    content: JSON.stringify(content),
    // What its server isn't to see, they needn't either.
    said: saidIn(withoutArguments(call)),
    held,
  };
}

/** What is shown of a call is read by people: more than that nobody reads, and an agent doesn't fill the disk with it. */
const maxTargetChars = 1000;
const maxArguments = 50;
const maxNameChars = 100;
const maxValueChars = 1000;
const maxSaidChars = 16_000;

const paramsShape = { arguments: { [everyMember]: true }, [everyMember]: true } as const;
/** What people see of the call beside its arguments; a state that a server gave its client says nothing to them. */
const notSaid: ReadonlySet<string> = new Set(["_meta", "name", "arguments", "requestState"]);

function canonicalParams({ frame }: Judged): string | null {
  if (frame === undefined || frame.kind === "response" || frame.params === undefined) return null;
  const { start, end } = frame.params.span;
  const canonical = canonicalJson(frame.bytes.subarray(start, end), { _meta: true });
  if (canonical !== undefined) return canonical;
  throw new Refusal("bad_message", "The parameters of a call that people have to approve can't be read.");
}

function saidIn({ frame }: Judged): readonly SaidArgument[] {
  if (frame === undefined || frame.kind === "response" || frame.params === undefined) return [];
  const { bytes, params } = frame;
  const { members = new Map<string, Place>() } = scanAt(bytes, params.span, paramsShape);
  const given = members.get("arguments");
  const inner = given?.members ?? new Map<string, Place>();
  // Arguments that are no object have no names to be shown by: they are shown as one.
  const whole = given !== undefined && given.members === undefined ? [["arguments", given] as const] : [];
  const beside = [...whole, ...[...members].filter(([name]) => !notSaid.has(name))];
  const said: SaidArgument[] = [];
  let left = maxSaidChars;
  for (const [name, place] of [...inner, ...beside]) {
    if (said.length === maxArguments || left <= 0) return [...said, more];
    const text = fromUtf8(bytes.subarray(place.start, place.end)) ?? "";
    const shown = shownArgument(name, text, Math.min(left, maxValueChars));
    left -= shown.name.length + shown.value.length;
    said.push(shown);
  }
  return said;
}

const more: SaidArgument = { name: "…", value: "and more arguments than are shown", isCut: true };

/** As it was written, but for white space and escapes: a number keeps its digits. */
function shownArgument(name: string, text: string, maxChars: number): SaidArgument {
  const value = canonicalJson(Buffer.from(text)) ?? text;
  const isCut = value.length > maxChars || name.length > maxNameChars;
  return {
    name: revealed(name.slice(0, maxNameChars).replaceAll("\n", "⏎")),
    value: revealed(value.slice(0, maxChars)),
    ...(isCut && { isCut: true }),
  };
}

/** What the caller is told, for models and people to read and programs to act on. */
function refusalOf(held: Exclude<Held, { readonly kind: "taken" }>, rules: HeldCall["held"]): Refusal {
  const text = `${textOf(held, rules)} Nothing was carried out.`;
  const meta = metaOf(held);
  const request = held.kind === "full" ? "none" : held.request;
  return new Refusal("held", text, {
    data: { "dev.latticegate/authorization": { reason: "held", ...meta } },
    facts: { request, state: held.kind },
  });
}

function textOf(held: Exclude<Held, { readonly kind: "taken" }>, rules: HeldCall["held"]): string {
  const because = rules.map((each) => each.because).join(" ");
  if (held.kind === "full") {
    const whose = held.whose === "caller" ? "of this caller's calls" : "calls";
    return `This call needs approval (${because}), and ${held.most} ${whose} wait for that already; ask again when some of them are over.`;
  }
  const until = new Date(held.expiresUnixMs).toISOString();
  if (held.kind === "denied") {
    const why = held.reason === undefined ? "" : `: ${held.reason}`;
    return `Approval of this call was denied${why}. (Request ${held.request}; it stands until ${until}.)`;
  }
  const { have, need, before } = held;
  const count = `${need - have} ${have > 0 ? "more " : ""}${need - have === 1 ? "approval" : "approvals"}`;
  const who = rules.map(({ terms: { from } }) => whoMay(from)).join("; ");
  const sofar = have > 0 ? ` (${have} of ${need} are there)` : "";
  const over =
    before === undefined ? "" : ` An earlier request for it, ${before.request}, is ${before.state}.`;
  return `Held for approval: ${because}${over} Request ${held.request} waits for ${count}${sofar} by ${who} until ${until}. Make the very same call again when it is approved; it goes through once.`;
}

function whoMay(from: readonly string[] | undefined): string {
  return from === undefined ? "an approver of this gateway" : from.join(" or ");
}

function metaOf(held: Exclude<Held, { readonly kind: "taken" }>): object {
  if (held.kind === "full") return { state: "not_asked", remediation: "available" };
  const { kind: state, request, expiresUnixMs } = held;
  const expires = new Date(expiresUnixMs).toISOString();
  if (held.kind === "denied") return { request, state, expires, remediation: "unavailable" };
  const { have, need, before } = held;
  return {
    request,
    state: have > 0 ? "partly_approved" : state,
    approvers: { have, need },
    expires,
    ...(before && { before }),
    remediation: "available",
  };
}

/** Whether people are asked about it: what else keeps it away is said first then. */
export function isHeld(verdict: Judged["verdict"]): verdict is Denial {
  return verdict.kind === "denial" && verdict.held !== undefined;
}
