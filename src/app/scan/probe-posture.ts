/** The crypto posture of one endpoint: asked, and judged. */
import { probeTls } from "../../host/scan/probe-tls.ts";
import type { Posture } from "../../inventory/posture/posture.ts";
import { postureOf } from "../../inventory/posture/verdicts.ts";
import type { Clock } from "../../kernel/clock.ts";

export interface PostureProbe {
  readonly host: string;
  readonly port: number;
  /** For whom it is asked (SNI); the host, if that is a name. */
  readonly serverName?: string;
  readonly clock: Pick<Clock, "nowUnixMs">;
  readonly signal: AbortSignal;
  /** Of one connection. */
  readonly timeoutMs: number;
}

/** @returns undefined if it says nothing, or something that is neither TLS nor HTTP */
export async function probePosture(probe: PostureProbe): Promise<Posture | undefined> {
  const { host, clock } = probe;
  const probed = await probeTls({ serverName: host, ...probe });
  if (probed.kind === "silent" || probed.kind === "unreachable") return undefined;
  return postureOf(probed.kind === "tls" ? probed : { kind: "clear" }, clock.nowUnixMs());
}
