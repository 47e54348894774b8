/** Opens the control room: on a socket in the state folder for commands, and on loopback for browsers if the config wants a page. */
import { randomBytes } from "node:crypto";
import type http from "node:http";

import { controlApi } from "../../control/api.ts";
import { type ControlServerOptions, controlServer } from "../../control/control-server.ts";
import { eventStream } from "../../control/event-stream.ts";
import type { Route } from "../../control/route.ts";
import { oneTimeCodes, sessions } from "../../control/sessions.ts";
import { listenOnSocket, socketPath } from "../../host/net/control-socket.ts";
import { listen } from "../../host/net/listen.ts";
import type { Log } from "../../kernel/log.ts";
import { Refusal } from "../../kernel/refusal.ts";
import { approvalRoutes } from "../approvals/approval-routes.ts";
import { complianceRoutes } from "../compliance/compliance-routes.ts";
import { approvingPeople } from "../approvals/approvers.ts";
import type { Config } from "../config.ts";
import { cryptoRoutes } from "../crypto/crypto-routes.ts";
import { pageFolder } from "../page-folder.ts";
import { incidentRoutes } from "../respond/incident-routes.ts";
import type { PolicyDocument, Rule } from "../../policy/rules.ts";
import { policyRoutes } from "../policy/policy-routes.ts";
import { killRoutes } from "../respond/kill-routes.ts";
import { proposalRoutes } from "../respond/proposal-routes.ts";
import { responseRoutes } from "../respond/response-routes.ts";
import { toolMarkRoutes } from "../tools/tool-mark-routes.ts";
import { toolRoutes } from "../tools/tool-routes.ts";
import { statePaths } from "../state-folder.ts";
import { version } from "../version.ts";
import { sessionAdmission, socketAdmission } from "./admission.ts";
import { auditRoutes } from "./audit-routes.ts";
import { callsRoutes } from "./calls-routes.ts";
import { controlRecords } from "./control-records.ts";
import { health } from "./health.ts";
import type { KeptTraffic } from "./kept-traffic.ts";
import { followChanges } from "./live-changes.ts";
import type { SeenTraffic } from "./seen-traffic.ts";
import { openRemoteRoom, type Shows } from "./remote-room.ts";
import { loginDesk } from "./login-desk.ts";
import { oidcOf } from "./oidc-of.ts";
import { loginLink } from "./session-routes.ts";
import { type Shown, statusRoutes } from "./status-routes.ts";
import { toldMap } from "./told-traffic.ts";
import { trafficRoutes } from "./traffic-routes.ts";

export interface ControlNeeds extends Shown, Shows {
  readonly log: Log;
  readonly gatewayId: string;
  /** Key of what people are shown of held calls. */
  readonly sealing: Uint8Array;
  /** What passes. */
  readonly seen: SeenTraffic;
  /** The same over time. */
  readonly kept: KeptTraffic;
  /** Rules in force. */
  readonly rules: () => readonly Rule[];
  /** The same as they are written. */
  readonly inForce: () => { readonly rules: readonly PolicyDocument[]; readonly worldDigest: string };
}

export interface ControlRoom {
  /** Of the page; undefined if there is none. */
  readonly origin: string | undefined;
  /** Of the page for other machines; undefined if there is none. */
  readonly remote: string | undefined;
  /** Logs one browser in, once. */
  readonly link: string | undefined;
  /** Where commands ask. */
  readonly socket: string;
  readonly close: () => Promise<void>;
}

const loopbackAddress = /^(127\.\d+\.\d+\.\d+|localhost|\[::1\]):\d+$/;
const random = (): Uint8Array => randomBytes(32);

export async function openControl(config: Config, needs: ControlNeeds): Promise<ControlRoom> {
  checkAddress(config);
  const { log, clock, audit, gatewayId } = needs;
  const stream = eventStream(clock.nowUnixMs().toString(36));
  const records = controlRecords({ journal: audit.journal, gatewayId, clock, log });
  const { idle: idleMs, lifetime: lifetimeMs } = config.control.sessions;
  const open = sessions({ idleMs, lifetimeMs }, random);
  const codes = oneTimeCodes(random);
  const people = approvingPeople(config);
  let origin: string | undefined;
  let remote: string | undefined;
  const provider = oidcOf(config, clock);
  const desk = loginDesk(config, {
    ...needs,
    sessions: open,
    codes,
    people,
    random,
    oidc: provider,
    origins: () => [origin, remote].filter((each) => each !== undefined),
    tried: (what) => {
      records.tried(what);
      stream.changed("people");
    },
  });
  needs.seen.showOn(stream);
  const api = controlApi({
    routes: [...controlRoutes(config, needs), ...desk.routes],
    version,
    log,
    changed: stream.changed,
    acted: records.acted,
  });
  const well = health(config, { ...needs, isStopped: () => needs.kills().length > 0 });
  await using opening = new AsyncDisposableStack();
  opening.defer(desk.close);
  opening.defer(well.close);
  if (provider !== undefined) opening.defer(provider.close);
  const { database } = statePaths(config.state);
  const changes = followChanges({ database, kills: needs.kills, stream, log });
  opening.defer(changes.stop);
  const common = { api, stream, isHealthy: well.isHealthy, log };
  const local = closing(controlServer({ ...common, admission: socketAdmission() }), opening);
  const socket = socketPath(config.state);
  await listenOnSocket(local, socket);
  const admitting = { sessions: open, people, clock };
  origin = await openPage(config, { ...common, admission: sessionAdmission(admitting) }, opening);
  remote = await openRemoteRoom(config, { ...needs, ...common, ...admitting }, opening);
  const opened = opening.move();
  const page = origin ?? remote;
  return {
    origin: page,
    remote,
    link: page && loginLink(page, codes.issue(null, clock.nowUnixMs()).code),
    socket,
    close: () => opened.disposeAsync(),
  };
}

/** On loopback. @returns its origin; undefined if the config wants no page */
async function openPage(
  { dashboard }: Config,
  options: Omit<ControlServerOptions, "page">,
  opening: AsyncDisposableStack,
): Promise<string | undefined> {
  if (dashboard === "off") return undefined;
  const page = closing(controlServer({ ...options, page: pageFolder }), opening);
  return `http://${asLocalhost(await listen(page, dashboard))}`;
}

function closing(server: http.Server, opening: AsyncDisposableStack): http.Server {
  opening.defer(() => {
    server.close();
    server.closeAllConnections();
  });
  return server;
}

/** @throws Refusal `bad_config` */
function checkAddress({ dashboard }: Config): void {
  if (dashboard === "off" || loopbackAddress.test(dashboard)) return;
  throw new Refusal(
    "bad_config",
    `dashboard: ${dashboard} isn't on loopback; the page is served on 127.0.0.1 or [::1] only.`,
  );
}

/** Browsers take `localhost` for a secure place with a name, which passkeys need. */
function asLocalhost(address: string): string {
  return address.replace(/^127\.0\.0\.1:/, "localhost:");
}

/** Whoever called something so lately has it within reach. */
const reachedMs = 7 * 86_400_000;

/** What each part of the gateway answers and lets be changed. */
function controlRoutes(config: Config, needs: ControlNeeds): readonly Route[] {
  const { clock, sealing: key, audit } = needs;
  const { named } = audit.names;
  const { state } = config;
  const people = approvingPeople(config);
  const traffic = { config, named, ...needs };
  const reached = async () => (await toldMap(traffic, { sinceUnixMs: clock.nowUnixMs() - reachedMs })).routes;
  return [
    ...statusRoutes(config, needs),
    ...callsRoutes({ config, named, origin: audit.origin, ...needs }),
    ...trafficRoutes(traffic),
    ...auditRoutes({ config, audit, named }),
    ...toolRoutes(config, clock),
    ...toolMarkRoutes(config, { clock, reached }),
    ...approvalRoutes({ state, clock, people, key }),
    ...proposalRoutes({ state, clock, people }),
    ...responseRoutes({ config, clock }),
    ...incidentRoutes({ state, clock }),
    ...killRoutes(config, clock),
    ...complianceRoutes(config),
    ...policyRoutes({ config, clock, inForce: needs.inForce }),
    ...cryptoRoutes({ config, clock, live: needs.crypto }),
  ];
}
