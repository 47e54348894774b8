/** Opens the control room on loopback; the API alone, for commands on this machine, if the config wants no page. */
import { randomBytes } from "node:crypto";

import { controlApi } from "../../control/api.ts";
import { controlServer } from "../../control/control-server.ts";
import { eventStream } from "../../control/event-stream.ts";
import type { Route } from "../../control/route.ts";
import { listen } from "../../host/net/listen.ts";
import type { Log } from "../../kernel/log.ts";
import { Refusal } from "../../kernel/refusal.ts";
import { approvalRoutes } from "../approvals/approval-routes.ts";
import type { Config } from "../config.ts";
import { pageFolder } from "../page-folder.ts";
import { incidentRoutes } from "../respond/incident-routes.ts";
import type { Rule } from "../../policy/rules.ts";
import { killRoutes } from "../respond/kill-routes.ts";
import { proposalRoutes } from "../respond/proposal-routes.ts";
import { responseRoutes } from "../respond/response-routes.ts";
import { toolRoutes } from "../tools/tool-routes.ts";
import { version } from "../version.ts";
import { callsRoutes } from "./calls-routes.ts";
import type { KeptTraffic } from "./kept-traffic.ts";
import type { SeenTraffic } from "./seen-traffic.ts";
import { type Shown, statusRoutes } from "./status-routes.ts";
import { tokenAdmission } from "./token-admission.ts";
import { trafficRoutes } from "./traffic-routes.ts";

export interface ControlNeeds extends Shown {
  readonly log: Log;
  /** Key of what people are shown of held calls. */
  readonly sealing: Uint8Array;
  /** What passes. */
  readonly seen: SeenTraffic;
  /** The same over time. */
  readonly kept: KeptTraffic;
  readonly gatewayId: string;
  /** Rules in force. */
  readonly rules: () => readonly Rule[];
}

export interface ControlRoom {
  /** For a browser; undefined if there is no page. */
  readonly link: string | undefined;
  /** Where commands ask, with this start's token. */
  readonly api: string;
  readonly close: () => void;
}

const loopbackAddress = /^(127\.\d+\.\d+\.\d+|localhost|\[::1\]):\d+$/;

/** A port of its own, which nobody but whoever may read the state folder is told of. */
const apiAddress = "127.0.0.1:0";

export async function openControl(config: Config, needs: ControlNeeds): Promise<ControlRoom> {
  const hasPage = config.dashboard !== "off";
  if (hasPage && !loopbackAddress.test(config.dashboard)) {
    throw new Refusal(
      "bad_config",
      `dashboard: ${config.dashboard} isn't on loopback; the page is served on 127.0.0.1 or [::1] only.`,
    );
  }
  const { log, clock } = needs;
  const token = randomBytes(24).toString("base64url");
  const stream = eventStream(clock.nowUnixMs().toString(36));
  const { changed } = stream;
  needs.seen.showOn(stream);
  const api = controlApi({
    routes: controlRoutes(config, needs),
    version,
    log,
    changed,
    acted: () => undefined,
  });
  const server = controlServer({
    ...(hasPage && { page: pageFolder }),
    api,
    stream,
    admission: tokenAdmission(token, config.approvals.people),
    isHealthy: () => Promise.resolve(needs.kills().length === 0),
    log,
  });
  const address = await listen(server, hasPage ? config.dashboard : apiAddress);
  const link = `http://${address}/#token=${token}`;
  return {
    link: hasPage ? link : undefined,
    api: link,
    close: () => {
      server.close();
      server.closeAllConnections();
    },
  };
}

/** What each part of the gateway answers and lets be changed. */
function controlRoutes(config: Config, needs: ControlNeeds): readonly Route[] {
  const { clock, sealing: key, audit } = needs;
  const { named } = audit.names;
  const { state } = config;
  const { people } = config.approvals;
  return [
    ...statusRoutes(config, needs),
    ...callsRoutes({ config, named, origin: audit.origin, ...needs }),
    ...trafficRoutes({ config, named, ...needs }),
    ...toolRoutes(config, clock),
    ...approvalRoutes({ state, clock, people, key }),
    ...proposalRoutes({ state, clock, people }),
    ...responseRoutes({ config, clock }),
    ...incidentRoutes({ state, clock }),
    ...killRoutes(config, clock),
  ];
}
