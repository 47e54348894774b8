/** Opens the page and its API on loopback; the API alone, for commands on this machine, if the config wants no page. */
import { randomBytes } from "node:crypto";
import path from "node:path";
import { fileURLToPath } from "node:url";

import { dashboard, type DashboardOptions } from "../control/dashboard.ts";
import type { RecentCalls } from "../control/recent-calls.ts";
import type { UpstreamCount } from "../host/net/upstreams.ts";
import type { Kill } from "../host/store/state-responses.ts";
import type { Clock } from "../kernel/clock.ts";
import type { Log } from "../kernel/log.ts";
import { Refusal } from "../kernel/refusal.ts";
import { approvalRouteNames, approvalRoutes } from "./approvals/approval-routes.ts";
import { personOf } from "./approvals/approvers.ts";
import type { AuditLog } from "./audit-log.ts";
import type { Config, ServerConfig } from "./config.ts";
import type { LiveDocument } from "./crypto/live-document.ts";
import { listen } from "../host/net/listen.ts";
import { profileInForce } from "./profile-in-force.ts";
import { proposalRouteNames, proposalRoutes } from "./respond/proposal-routes.ts";
import { killRoutes } from "./respond/kill-routes.ts";
import { incidentRoutes } from "./respond/incident-routes.ts";
import { responseRoutes } from "./respond/response-routes.ts";
import { toolRoutes } from "./tools/tool-routes.ts";
import { version } from "./version.ts";

interface Shown {
  readonly audit: AuditLog;
  readonly recent: RecentCalls;
  readonly counts: ReadonlyMap<string, Readonly<UpstreamCount>>;
  readonly address: string;
  readonly clock: Clock;
  readonly log: Log;
  /** What the gateway says of its cryptography. */
  readonly crypto: () => LiveDocument;
  /** Key of what people are shown of held calls. */
  readonly sealing: Uint8Array;
  /** Sources of the kill switch that are on. */
  readonly kills: () => readonly Kill[];
}

export interface Page {
  /** For a browser; undefined if there is no page. */
  readonly link: string | undefined;
  /** Where commands ask, with this start's token. */
  readonly api: string;
  readonly close: () => void;
}

const loopbackAddress = /^(127\.\d+\.\d+\.\d+|localhost|\[::1\]):\d+$/;
const maxCallsListed = 500;

/** A port of its own, which nobody but whoever may read the state folder is told of. */
const apiAddress = "127.0.0.1:0";

/** Those that people with tokens of their own may use. */
const personRoutes = new Set([...approvalRouteNames, ...proposalRouteNames]);

export async function openPage(config: Config, shown: Shown): Promise<Page> {
  const hasPage = config.dashboard !== "off";
  if (hasPage && !loopbackAddress.test(config.dashboard)) {
    throw new Refusal(
      "bad_config",
      `dashboard: ${config.dashboard} isn't on loopback; the page is served on 127.0.0.1 or [::1] only.`,
    );
  }
  const token = randomBytes(24).toString("base64url");
  const server = dashboard({
    ...(hasPage && { page: fileURLToPath(new URL(path.join("..", "..", "web", "dist"), import.meta.url)) }),
    token,
    people: { nameOf: (given) => personOf(given, config.approvals.people), may: personRoutes },
    log: shown.log,
    ...allRoutes(config, shown),
  });
  const address = await listen(server, hasPage ? config.dashboard : apiAddress);
  const api = `http://${address}/#token=${token}`;
  return {
    link: hasPage ? api : undefined,
    api,
    close: () => {
      server.close();
      server.closeAllConnections();
    },
  };
}

/** What each part of the gateway answers and lets be changed. */
function allRoutes(config: Config, shown: Shown): Pick<DashboardOptions, "routes" | "changes"> {
  const { clock, sealing: key } = shown;
  const { state } = config;
  const { people } = config.approvals;
  const parts: readonly Partial<Pick<DashboardOptions, "routes" | "changes">>[] = [
    toolRoutes(config, clock),
    approvalRoutes({ state, clock, people, key }),
    responseRoutes({ config, clock }),
    proposalRoutes({ state, clock, people }),
    incidentRoutes({ state, clock }),
    killRoutes(config, clock),
    { routes: ownRoutes(config, shown) },
  ];
  return {
    routes: Object.assign({}, ...parts.map(({ routes }) => routes)) as DashboardOptions["routes"],
    changes: Object.assign({}, ...parts.map(({ changes }) => changes)) as DashboardOptions["changes"],
  };
}

function ownRoutes(config: Config, shown: Shown): DashboardOptions["routes"] {
  const startedAtUnixMs = shown.clock.nowUnixMs();
  return {
    status: () => status(config, shown, startedAtUnixMs),
    crypto: shown.crypto,
    calls: (query) => {
      const asked = Number(query.get("limit") ?? 50);
      const most = Number.isInteger(asked) ? Math.min(Math.max(asked, 1), maxCallsListed) : 50;
      return { calls: shown.recent.list(most) };
    },
  };
}

/** Arguments and paths may hold tokens: the page names the program and the host. */
function whereabouts(server: ServerConfig): { readonly transport: string; readonly target: string } {
  if ("command" in server) return { transport: "stdio", target: server.command[0] ?? "" };
  if ("forward" in server) return { transport: "forward", target: server.forward.join(" ") };
  if ("openapi" in server) {
    const target = server.base_url === undefined ? server.openapi : new URL(server.base_url).origin;
    return { transport: "openapi", target };
  }
  const transport = server.transport === "http+sse" ? "http+sse" : "http";
  return { transport, target: new URL(server.url).origin };
}

function status(config: Config, shown: Shown, startedAtUnixMs: number): unknown {
  const { journal, origin } = shown.audit;
  const { profile } = profileInForce(config, shown.clock);
  const counted = (name: string) => shown.counts.get(name) ?? { calls: 0, failures: 0 };
  return {
    version,
    startedAtUnixMs,
    state: shown.kills().length > 0 ? "stopped" : "serving",
    stopped: shown.kills(),
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
        transport: "virtual",
        target: servers.join(", "),
        ...counted(name),
      })),
    ],
    log: { origin, size: journal.size(), checkpoint: journal.head() },
    notYet: config.notYet.map((part) => `${part.at}: ${part.because}`),
  };
}
