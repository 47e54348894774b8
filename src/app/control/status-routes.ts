/** How the gateway stands, in the control API: status, cryptography. */
import { z } from "zod";

import { isPeerNameText } from "../../identity/peer-name.ts";

import { type Route, route } from "../../control/route.ts";
import type { UpstreamCount } from "../../host/net/upstreams.ts";
import type { Kill } from "../../host/store/state-responses.ts";
import type { Clock } from "../../kernel/clock.ts";
import type { AuditLog } from "../audit-log.ts";
import type { Config, ServerConfig } from "../config.ts";
import { type LiveDocument, liveDocument } from "../crypto/live-document.ts";
import { profileInForce } from "../profile-in-force.ts";
import { killAnswer } from "../respond/response-answers.ts";
import { version } from "../version.ts";

export interface Shown {
  readonly audit: AuditLog;
  readonly counts: ReadonlyMap<string, Readonly<UpstreamCount>>;
  readonly address: string;
  readonly clock: Clock;
  /** What the gateway says of its cryptography. */
  readonly crypto: () => LiveDocument;
  /** Sources of the kill switch that are on. */
  readonly kills: () => readonly Kill[];
}

const serverAnswer = z.object({
  name: z.string(),
  transport: z.enum(["stdio", "http", "http+sse", "forward", "openapi", "virtual"]),
  target: z.string(),
  calls: z.int(),
  failures: z.int(),
});

export const statusAnswer = z.object({
  version: z.string(),
  startedAtUnixMs: z.number(),
  state: z.enum(["serving", "stopped"]),
  stopped: killAnswer.shape.stopped,
  trustDomain: z.string(),
  listener: z.object({
    address: z.string(),
    groups: z.array(z.string()),
    profile: z.string(),
    authentication: z.string(),
  }),
  servers: z.array(serverAnswer),
  log: z.object({
    origin: z.string(),
    size: z.int(),
    checkpoint: z.object({ size: z.int(), root: z.string() }).nullable(),
  }),
  /** What the config asks for and this version doesn't carry out. */
  notYet: z.array(z.string()),
});

export function statusRoutes(config: Config, shown: Shown): readonly Route[] {
  const startedAtUnixMs = shown.clock.nowUnixMs();
  return [
    route({
      method: "GET",
      path: "/status",
      summary: "How the gateway stands.",
      tag: "status",
      role: "viewer",
      answer: statusAnswer,
      handle: () => status(config, shown, startedAtUnixMs),
    }),
    route({
      method: "GET",
      path: "/crypto",
      summary: "Suites in use, links, certificates and their times.",
      tag: "crypto",
      role: "viewer",
      answer: liveDocument,
      handle: () => shown.crypto(),
    }),
  ];
}

type ServerAnswer = z.output<typeof serverAnswer>;

/** Arguments and paths may hold tokens: the page names the program and the host. */
function whereabouts(server: ServerConfig): Pick<ServerAnswer, "transport" | "target"> {
  if ("command" in server) return { transport: "stdio", target: server.command[0] ?? "" };
  if ("forward" in server) return { transport: "forward", target: server.forward.join(" ") };
  if ("openapi" in server) {
    const target = server.base_url === undefined ? server.openapi : new URL(server.base_url).origin;
    return { transport: "openapi", target };
  }
  const transport = server.transport === "http+sse" ? "http+sse" : "http";
  // A peer's name is no secret, and has no origin.
  return { transport, target: isPeerNameText(server.url) ? server.url : new URL(server.url).origin };
}

function status(config: Config, shown: Shown, startedAtUnixMs: number): z.output<typeof statusAnswer> {
  const { journal, origin } = shown.audit;
  const { profile } = profileInForce(config, shown.clock);
  const counted = (name: string) => shown.counts.get(name) ?? { calls: 0, failures: 0 };
  const stopped = [...shown.kills()];
  return {
    version,
    startedAtUnixMs,
    state: stopped.length > 0 ? "stopped" : "serving",
    stopped,
    trustDomain: config.trust_domain,
    listener: {
      address: shown.address,
      groups: profile.groups.map((group) => group.id),
      profile: profile.name,
      authentication: `${profile.identity.id} mutual TLS 1.3`,
    },
    servers: [
      ...Object.entries(config.servers).map(([name, server]) => ({
        name,
        ...whereabouts(server),
        ...counted(name),
      })),
      ...Object.entries(config.virtual_servers).map(([name, { servers }]) => ({
        name,
        transport: "virtual" as const,
        target: servers.join(", "),
        ...counted(name),
      })),
    ],
    log: { origin, size: journal.size(), checkpoint: journal.head() },
    notYet: config.notYet.map((part) => `${part.at}: ${part.because}`),
  };
}
