/** All about people who come into the control room: the ways in, their sessions and passkeys, and who came last. */
import type { Login } from "../../control/login.ts";
import type { Route } from "../../control/route.ts";
import type { OneTimeCodes, Sessions } from "../../control/sessions.ts";
import type { OidcLogin } from "../../host/oauth/oidc-login.ts";
import { openPeople, type PeopleStore } from "../../host/store/state-people.ts";
import { trustDomainOf } from "../../identity/spiffe-id.ts";
import type { Clock } from "../../kernel/clock.ts";
import type { Log } from "../../kernel/log.ts";
import type { People } from "../approvals/approvers.ts";
import type { Config } from "../config.ts";
import { statePaths } from "../state-folder.ts";
import { entrance, type Tried } from "./entrance.ts";
import { passkeyLoginRoutes } from "./passkey-login.ts";
import { passkeyPage } from "./passkey-page.ts";
import { passkeyRoutes } from "./passkey-routes.ts";
import { peopleRoutes } from "./people-routes.ts";
import { sessionRoutes } from "./session-routes.ts";

export interface LoginDeskNeeds {
  readonly sessions: Sessions;
  readonly codes: OneTimeCodes;
  /** With tokens, and those who approve. */
  readonly people: People;
  readonly clock: Clock;
  readonly log: Log;
  readonly gatewayId: string;
  /** 32 bytes of it. */
  readonly random: () => Uint8Array;
  /** Under which the page is served, the first if it isn't asked for by any; none where there is no page. */
  readonly origins: () => readonly string[];
  readonly oidc: { readonly name: string; readonly login: OidcLogin } | undefined;
  /** Told of each login, done or refused. */
  readonly tried: (what: Tried) => void;
}

export interface LoginDesk {
  readonly routes: readonly Route[];
  readonly close: () => void;
}

export function loginDesk(config: Config, needs: LoginDeskNeeds): LoginDesk {
  const { gatewayId, origins } = needs;
  const store = openPeople(statePaths(config.state).database);
  const tried = (what: Tried): void => {
    needs.tried(what);
    if ("login" in what) noteLogin(what, store, needs);
  };
  const common = {
    ...needs,
    store,
    settings: config.control,
    entrance: entrance({ ...needs, tried }),
    place: trustDomainOf(gatewayId) ?? "gateway",
    hasPasskeys: (host: string): boolean => {
      const page = passkeyPage(host, origins());
      return page !== undefined && store.hasPasskeys(page.host);
    },
  };
  return {
    routes: [
      ...sessionRoutes(common),
      ...passkeyLoginRoutes(common),
      ...passkeyRoutes(common),
      ...peopleRoutes({ ...common, config }),
    ],
    close: store.close,
  };
}

/** A database that is held shuts nobody out. */
function noteLogin(
  { way, login }: Extract<Tried, { readonly login: Login }>,
  store: PeopleStore,
  { clock, log }: LoginDeskNeeds,
): void {
  try {
    store.loggedIn(login.name, { way, atUnixMs: clock.nowUnixMs() });
  } catch (error) {
    log.warn("control.login_unnoted", { why: error instanceof Error ? error.message : "unknown" });
  }
}
