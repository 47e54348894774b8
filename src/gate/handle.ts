/**
 * The path of one call: down the list once, never back. Order is the security property, so it stands
 * on one screen. Nothing is sent that ends a call before its outcome is in the log.
 */
import { Refusal, type RefusalCode } from "../kernel/refusal.ts";
import { type Opened, type Read, type Received, whyGone } from "./call.ts";
import { type Ending, outcomeEntry } from "./entries.ts";
import type { Ports } from "./ports.ts";
import { readAnswer } from "./read-answer.ts";
import { endOf } from "./past-call.ts";
import { isResultOf, type Mark, marked, markFor } from "./receipts.ts";
import { logRefusal, refusedAnswer } from "./refuse.ts";
import { ownChallenges } from "./reach.ts";
import { type Departure, relay } from "./relay.ts";
import { delegated, inClientSession } from "./represent.ts";
import { answered } from "./own-answers.ts";
import { open } from "./open.ts";
import { faultIn } from "./signature-refusals.ts";
import { confirm, identify, journal, judge, locate, read } from "./stages.ts";
import { asPermitted } from "./listed.ts";
import { withoutAnswers, withoutArguments } from "./redact.ts";
import { asOwned, ofTask } from "./tasks.ts";
import { asAskable } from "./askable.ts";
import { heard, said } from "./flow.ts";
import { observe } from "./observe.ts";
import { responded } from "./respond.ts";
import { asPinned } from "./tools.ts";
import { checkOffer } from "./version-floor.ts";
import { noted, watched } from "./watched.ts";
import type { World } from "./world.ts";

/** Answers `received` through its reply; never throws. */
export async function handle(received: Received, found: World, ports: Ports): Promise<void> {
  let world = found;
  let call: Received & Partial<Read> = received;
  let departure: Departure;
  ports.onlooker?.begun(received);
  try {
    const identified = (call = identify(received, world));
    const represented = (call = delegated(identified, world, ports));
    const attended = (call = inClientSession(represented, ports));
    const understood = (call = read(attended));
    const confirmed = (call = confirm(understood, world));
    const opened = (call = open(confirmed, world, ports));
    const located = (call = ofTask(await locate(opened, world, ports), ports));
    const observed = (call = observe(located, world, ports));
    world = responded(observed, world, ports);
    const judged = (call = judge(observed, world, ports));
    const permitted = (call = said(
      noted(withoutArguments(await journal(judged, world, ports)), world, ports),
      world,
    ));
    const came = ownChallenges(permitted, await answered(permitted, world, ports));
    const offered = await checkOffer(permitted, came, world, ports);
    const pinned = await asPinned(permitted, offered, world, ports);
    const owned = asOwned(permitted, await asAskable(permitted, pinned, world, ports), world, ports);
    const shown = await withoutAnswers(permitted, await asPermitted(permitted, owned, world, ports), world);
    const answer = heard(permitted, watched(permitted, shown, world, ports), world, ports);
    departure = withRegression(permitted, await relay(permitted, answer, world, ports), ports);
  } catch (error) {
    departure = refused(call, error, ports);
  }
  let mark: Mark | undefined;
  try {
    const entry = outcomeEntry(call, departure.ending, ports.clock.nowUnixMs());
    ports.history?.settle(call.id, endOf({ outcome: entry.outcome, answer: entry.facts["answer"] }));
    const { index } = await ports.journal.append(entry);
    mark = await markFor(call, { index, takes: departure.isResult === true }, ports);
    ports.onlooker?.ended(call, entry);
  } catch (error) {
    departure = unrecorded(call, departure, error, ports);
  }
  if (departure.ending.status === noSession) releaseOf(call, ports);
  departure.leave(mark);
  if (departure.ending.reason === "cut_off") call.reply.hangUp?.();
}

/** MCP 2025-11-25 transports, session management: the session is gone, and nothing was carried out. */
const noSession = 404;

/** The reasons that say: not you, or not this. The others say that something is wrong. */
const denials: ReadonlySet<string> = new Set<RefusalCode>([
  "denied",
  "cut_off",
  "insufficient_scope",
  "classical_link",
  "no_identity",
  "link_too_weak",
  "false_claim",
  "target_refused",
  "grant_needed",
  "delegation_refused",
  "signature_required",
  "signature_refused",
  "route_cut",
  "tool_blocked",
  "server_gated",
  "held",
  "no_such_task",
  "stopped",
]);

/** With what is known of the link to the server. */
function withRegression({ server }: Received, departure: Departure, { upstreams }: Ports): Departure {
  const regression = upstreams.regression?.(server);
  if (regression === undefined) return departure;
  return { ...departure, ending: { ...departure.ending, upstreamRegression: regression } };
}

/** The answer that says no, or that something broke. */
function refused(call: Received & Partial<Read>, error: unknown, ports: Ports): Departure {
  const code = whyGone(call.reply) ?? (error instanceof Refusal ? error.code : "fault");
  const answer = refusedAnswer(call, error);
  const signatureFault = faultIn(error);
  // INVARIANT: it says so before anything is carried out, and of nothing that was.
  if (code === "signature_required") releaseOf(call, ports);
  const ending: Ending = {
    outcome: denials.has(code) ? "denied" : "error",
    reason: code,
    ...(signatureFault !== undefined && { signatureFault }),
    ...(error instanceof Refusal && error.code === "stopped" && { facts: worldIn(error) }),
    status: answer.status,
    answerBytes: answer.body.length,
    answerFailed: true,
  };
  logRefusal(call, error, ports.log);
  // A tool that may not be called is told so in a result, which may say where the log has it.
  const { response } = readAnswer(answer.body, call.frame?.kind === "request" ? call.frame.id : undefined);
  const leave = (mark?: Mark): void =>
    call.reply.whole(answer.status, answer.headers, marked(call, { message: answer.body, response }, mark));
  return { ending, isResult: isResultOf(call, response), leave };
}

/** What nobody decided has no decision that says under which world. */
function worldIn({ facts: { world } }: Refusal): Readonly<Record<string, string>> {
  return world === undefined ? {} : { world: String(world) };
}

/** The same message may come again, signed as it should be. */
function releaseOf({ signature }: Partial<Opened>, { signatures }: Ports): void {
  if (signature !== undefined) signatures?.release(signature.proof, signature.audience);
}

/** The outcome can't be written now: the answer is withheld, and the log is owed how the call ended. */
function unrecorded(
  call: Received & Partial<Read>,
  departure: Departure,
  error: unknown,
  ports: Ports,
): Departure {
  const instead = refused(call, error, ports);
  const entry = outcomeEntry(call, instead.ending, ports.clock.nowUnixMs());
  ports.journal.owe(entry);
  ports.onlooker?.ended(call, entry);
  return { ending: instead.ending, leave: departure.withhold ?? instead.leave };
}
