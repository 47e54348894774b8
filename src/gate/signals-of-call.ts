/** What models and inspectors say of a call that isn't decided yet, as signals: those that its decision's entry will have. */
import { userOf } from "../model/caller.ts";
import { signalKind } from "../respond/signal-kinds.ts";
import type { Signal } from "../respond/signal.ts";
import { type Observed, principalOf } from "./call.ts";
import { seenCall } from "./observe.ts";
import { targetOf } from "./target.ts";
import type { World } from "./world.ts";

/** The first says only that there is a call; of what names nothing, and of the gateway's own questions, there is none. */
export function signalsOfCall(call: Observed, world: World): readonly Signal[] {
  const principal = principalOf(call);
  if (seenCall(call, world) === undefined || world.onlookers.has(principal)) return [];
  const target = targetOf(call.frame);
  const user = userOf(call.caller);
  const common = {
    isHard: false,
    evidence: "proven",
    about: {
      caller: principal,
      ...(user !== undefined && { user }),
      session: call.clientSession,
      server: call.server,
      ...(target?.kind === "tools" && { tool: target.name }),
    },
    chain: call.caller.chain,
    callId: call.id,
    atUnixMs: call.atUnixMs,
  } as const;
  const itself: Signal = { ...common, kind: "call", score: 0, says: "" };
  return world.watchesCalls ? [itself, ...ofRisk(call, common), ...ofFindings(call, common)] : [itself];
}

type Common = Pick<Signal, "isHard" | "evidence" | "about" | "chain" | "callId" | "atUnixMs">;

function ofRisk({ risk }: Observed, common: Common): readonly Signal[] {
  const said = risk?.();
  if (said === undefined) return [];
  const { because: says, source } = said;
  const told = { ...common, says, ...(source !== "" && { source }) };
  return [
    { ...told, kind: "risk.call", score: said.call },
    { ...told, kind: "risk.session", score: said.session },
  ];
}

function ofFindings({ findings }: Observed, common: Common): readonly Signal[] {
  return findings().map(({ kind: found, says }) => {
    const kind = `finding ${found}`;
    const { score, isHard } = signalKind(kind);
    return { ...common, kind, score, isHard, says };
  });
}
