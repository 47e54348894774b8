/** A server that speaks one era of MCP, for clients of both: those of its own era pass as they come, the others' messages are translated. */
import type { Answer, Journaled } from "../../gate/call.ts";
import type { Clock } from "../../kernel/clock.ts";
import type { Era } from "../../wire/frame.ts";
import { isModernVersion } from "../../wire/protocol-version.ts";
import type { Upstream } from "../net/upstreams.ts";
import { eraProbe } from "./era-probe.ts";

export interface BridgedOptions {
  /** The server's own adapter. */
  readonly upstream: Upstream;
  /** The era it speaks; `auto`: it is asked. */
  readonly speaks: Era | "auto";
  /** The same server for clients of that era, by translation. */
  readonly translated: Readonly<Record<Era, Upstream>>;
  readonly version: string;
  readonly clock: Clock;
}

export function bridgedUpstream(options: BridgedOptions): Upstream {
  const { upstream, speaks, translated } = options;
  const probe = eraProbe(options);
  const isTranslated = async (era: Era, call: Journaled): Promise<boolean> => {
    if (speaks !== "auto") return speaks !== era;
    const isModern = await probe.speaks("modern", call);
    // What can't be told just now the client had better hear from the server itself.
    if (isModern === undefined) return false;
    if (era === "modern" || !isModern) return (era === "modern") !== isModern;
    return (await probe.speaks("legacy", call)) === false;
  };
  return {
    forward: async (call): Promise<Answer> => {
      const era = eraOf(call);
      if (!(await isTranslated(era, call))) return await upstream.forward(call);
      const answer = await translated[era].forward(call);
      const { facts } = answer;
      return { ...answer, facts: () => ({ ...facts?.(), bridged_to: other[era] }) };
    },
    close: async () => {
      await Promise.all([translated.legacy.close(), translated.modern.close()]);
      await upstream.close();
    },
  };
}

const other = { legacy: "modern", modern: "legacy" } as const satisfies Record<Era, Era>;

/** Of what has no envelope the header says it; only the legacy era has GET, DELETE and clients' answers. */
function eraOf({ frame, header }: Journaled): Era {
  if (frame === undefined || frame.kind === "response") return "legacy";
  return frame.era === "modern" || isModernVersion(header("mcp-protocol-version")) ? "modern" : "legacy";
}
