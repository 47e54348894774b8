/** What is kept of a call that was decided: who asked what, with the arguments as they came. */
import { hostOf } from "../kernel/address.ts";
import { postureOf } from "../model/channel.ts";
import type { WrittenCall } from "../policy/suggest/call-record.ts";
import type { Judged } from "./call.ts";
import { paramsIn } from "./facts.ts";
import { targetKinds } from "./target.ts";

/** Whether it is a call of something, by a request of its own. */
export function isCapturable({ frame, question, task }: Judged): boolean {
  const isCall = frame?.kind === "request" && targetKinds.has(frame.method);
  return isCall && task === undefined && question.target !== undefined;
}

/** Undefined for what isn't capturable. */
export function capturedCall(call: Judged): WrittenCall | undefined {
  const { frame, question, caller, channel, server } = call;
  const { target } = question;
  if (!isCapturable(call) || target === undefined || frame === undefined) return undefined;
  const params = frame.kind === "request" ? paramsIn(frame.bytes, frame.params?.span) : {};
  const { group, certificate = "none" } = postureOf(channel);
  const given = params["arguments"];
  return {
    id: call.id,
    at: new Date(call.atUnixMs).toISOString(),
    caller: caller.id,
    chain: [...caller.chain],
    call: `${server}/${target.name}`,
    kind: target.kind,
    args: typeof given === "object" && given !== null && !Array.isArray(given) ? { ...given } : {},
    size: call.body.length,
    link: {
      group,
      certificate: certificate as NonNullable<NonNullable<WrittenCall["link"]>["certificate"]>,
      profile: channel.profile,
      ja4: channel.offer?.fingerprint.ja4 ?? "",
      ...(channel.path && { path: channel.path.kind }),
    },
    address: hostOf(channel.remote),
    session: call.clientSession,
    ...verdictOf(call),
  };
}

function verdictOf({ verdict }: Judged): Required<Pick<WrittenCall, "verdict" | "rule">> {
  if (verdict.kind === "permit") {
    const { rule, observed } = verdict;
    return observed === undefined
      ? { verdict: "allowed", rule }
      : { verdict: "observed", rule: observed.rule ?? "default-deny" };
  }
  return {
    verdict: verdict.held === undefined ? "denied" : "held",
    rule: verdict.rule ?? "default-deny",
  };
}
