/** What an open port is: its cryptography, and whether MCP is spoken at one of the paths where it is by custom. */
import { plainUrl } from "../../inventory/clients/secrets.ts";
import type { Posture } from "../../inventory/posture/posture.ts";
import type { EndpointSighting, Problem } from "../../inventory/sighting.ts";
import type { Answered, Asking } from "./asking.ts";

export interface AskedPort {
  readonly answers: EndpointSighting["answers"];
  readonly posture?: Posture;
  readonly server?: Answered;
  /** What it did instead of answering. */
  readonly problem?: Problem;
}

/** @param paths the likeliest first */
export async function askPort(
  host: string,
  port: number,
  paths: readonly string[],
  asking: Asking,
): Promise<AskedPort> {
  const posture = await asking.probe(host, port);
  if (posture === undefined) return { answers: "silent" };
  const isTls = posture.link.kind === "tls";
  const origin = `${isTls ? "https" : "http"}://${host.includes(":") ? `[${host}]` : host}:${port}`;
  let isHttp = false;
  let problem: Problem | undefined;
  for (const path of paths) {
    const url = plainUrl(`${origin}${path}`);
    if (url === undefined) continue;
    try {
      const server = await asking.ask(url);
      if (server !== undefined) return { answers: isTls ? "tls" : "http", posture, server };
      isHttp = true;
    } catch (error) {
      const because = error instanceof Error ? error.message : "it couldn't be asked";
      problem ??= { at: url, because: because.slice(0, 256) };
      // It isn't asked again for what it just took so long, or so much, to say.
      break;
    }
  }
  const answers = isTls ? "tls" : isHttp ? "http" : "other";
  // Without TLS, what doesn't answer HTTP either has no cryptography that is known.
  return { answers, ...(answers !== "other" && { posture }), ...(problem !== undefined && { problem }) };
}
