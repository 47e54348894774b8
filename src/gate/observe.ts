/**
 * What models and inspectors say of a call before it is decided. They observe: only rules refuse. INVARIANT: nothing of what is looked at stands in what is said of it.
 */
import { findingsInCall } from "../detect/gates/findings.ts";
import type { SeenCall } from "../detect/session-watch.ts";
import type { Finding } from "../model/finding.ts";
import type { Denial, Permit } from "../policy/decide.ts";
import type { Located, Observed } from "./call.ts";
import { purposeIn, saidIn } from "./facts.ts";
import type { Ports } from "./ports.ts";
import { isReadOnly } from "./read-only.ts";
import { targetOf } from "./target.ts";
import { memberOf, objectOf } from "../wire/values.ts";
import { readsRisk, type World } from "./world.ts";

/** Asks nothing yet: what no rule and no record needs costs nothing. */
export function observe(call: Located, world: World, { clock, log }: Pick<Ports, "clock" | "log">): Observed {
  const { watch } = call;
  const seen = seenCall(call, world);
  if (seen === undefined) return { ...call, findings: () => [] };
  const findings = once(() => findingsInCall({ ...seen(), ...declaredOf(seen(), world) }));
  if (watch === undefined) return { ...call, findings };
  const risk = once(() => {
    try {
      return watch.score(seen(), clock.nowUnixMs());
    } catch (error) {
      log.error("detect.fault", { server: call.server, stack: stackOf(error) });
      return undefined;
    }
  });
  return { ...call, findings, risk };
}

/** What is known of the tool, beside the call. */
function declaredOf({ server, tool, isReadOnly: onlyReads }: SeenCall, { tools, lookalikes }: World) {
  const declared = tools.get(server)?.declared?.(tool);
  const inputSchema = memberOf(declared, "inputSchema");
  return {
    tools: lookalikes,
    // That a server says of itself that it only reads says nothing.
    annotations: { readOnlyHint: onlyReads, ...destructive(memberOf(declared, "annotations")) },
    ...(inputSchema !== undefined && { inputSchema }),
  };
}

function destructive(annotations: unknown): { readonly destructiveHint?: true } {
  return memberOf(annotations, "destructiveHint") === true ? { destructiveHint: true } : {};
}

/** Of what names nothing, and of the gateway's own questions, there is nothing to see. */
export function seenCall(call: Located, world: World): (() => SeenCall) | undefined {
  const { frame, server, atUnixMs } = call;
  const target = targetOf(frame);
  if (frame?.kind !== "request" || target === undefined) return undefined;
  const isTool = target.kind === "tools";
  return once(() => ({
    server,
    tool: isTool ? target.name : frame.method,
    args: allSaid(saidIn(frame)),
    isReadOnly: !isTool || isReadOnly({ server, tool: target.name, atUnixMs }, world),
    purpose: purposeIn(frame),
  }));
}

/** The arguments, and what is said beside them: answers to what the server asked, what is to be completed. */
function allSaid(said: unknown): unknown {
  const { arguments: args, ...beside } = objectOf(said);
  return Object.keys(beside).length === 0 ? (args ?? {}) : { ...objectOf(args), ...beside };
}

export function stackOf(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : "not an error";
}

/** A denial because of what was observed says what that was. */
export function explained(
  verdict: Permit | Denial,
  { risk, findings }: Pick<Observed, "risk" | "findings">,
  { rules }: World,
): Permit | Denial {
  if (verdict.kind === "permit" || verdict.rule === null) return verdict;
  const rule = rules.find(({ name }) => name === verdict.rule);
  if (rule === undefined || !readsRisk(rule)) return verdict;
  const says = [
    ...(rule.when?.variables.has("risk") === true ? [risk?.()?.because ?? ""] : []),
    ...(rule.when?.variables.has("findings") === true ? findings().map((each) => each.says) : []),
  ].filter((text) => text !== "");
  return says.length === 0 ? verdict : { ...verdict, because: `${verdict.because} (${says.join(" ")})` };
}

/** What a decision's entry says of it. */
export function riskFacts({ risk, findings }: Observed, { watchesCalls }: World): Record<string, string> {
  if (!watchesCalls) return {};
  const said = risk?.();
  const found = findings();
  return {
    ...(risk !== undefined && said === undefined && { risk: "unknown" }),
    ...(said && {
      risk: said.call.toFixed(3),
      "risk.session": said.session.toFixed(3),
      ...(said.source !== "" && { "risk.source": said.source }),
      ...(said.call >= tellsFrom && { "risk.because": said.because }),
    }),
    ...(found.length > 0 && { findings: written(found) }),
  };
}

/** Below, there is nothing to be told. */
const tellsFrom = 0.3;
const maxFindings = 16;

function written(found: readonly Finding[]): string {
  return found
    .slice(0, maxFindings)
    .map(({ kind, at }) => (at === undefined ? kind : `${kind}=${at}`))
    .join(" ");
}

function once<T>(make: () => T): () => T {
  let made: { readonly value: T } | undefined;
  return () => (made ??= { value: make() }).value;
}
