/** What an open port is: its cryptography, and whether MCP is spoken at one of the paths where it is by custom. */
import { plainUrl } from "../../inventory/clients/secrets.ts";
import type { Posture } from "../../inventory/posture/posture.ts";
import type { EndpointSighting, Problem } from "../../inventory/sighting.ts";
import type { Answered } from "./ask-server.ts";
import type { Asking } from "./asking.ts";

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
  const { server, isHttp, problem } = await serverAt(originOf(host, port, isTls), paths, asking);
  const answers = isTls ? "tls" : isHttp ? "http" : "other";
  // Without TLS, of what doesn't answer HTTP either no cryptography is known.
  return {
    answers,
    ...(answers !== "other" && { posture }),
    ...(server !== undefined && { server }),
    ...(problem !== undefined && { problem }),
  };
}

function originOf(host: string, port: number, isTls: boolean): string {
  return `${isTls ? "https" : "http"}://${host.includes(":") ? `[${host}]` : host}:${port}`;
}

async function serverAt(
  origin: string,
  paths: readonly string[],
  { ask }: Asking,
): Promise<Pick<AskedPort, "server" | "problem"> & { readonly isHttp: boolean }> {
  let isHttp = false;
  for (const path of paths) {
    const url = plainUrl(`${origin}${path}`);
    if (url === undefined) continue;
    try {
      const server = await ask(url);
      isHttp = true;
      if (server !== undefined) return { server, isHttp };
    } catch (error) {
      const because = error instanceof Error ? error.message : "it couldn't be asked";
      // It isn't asked again for what it just took so long, or so much, to say.
      return { isHttp, problem: { at: url, because: because.slice(0, 256) } };
    }
  }
  return { isHttp };
}
