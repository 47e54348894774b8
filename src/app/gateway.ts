/** `latticegate up`: the gateway from its config to a running process, and back. */
import { rm } from "node:fs/promises";
import { randomUUIDv7 } from "node:crypto";

import type { Journal } from "../gate/ports.ts";
import { writePrivateFile } from "../host/store/files.ts";
import { openState } from "../host/store/state-sqlite.ts";
import { gatewayIdOf } from "../identity/spiffe-id.ts";
import type { Clock } from "../kernel/clock.ts";
import { type RecentCalls, recentCalls } from "../control/recent-calls.ts";
import { type AuditLog, openAuditLog } from "./audit-log.ts";
import { openClassicalAuthority } from "./classical-authority.ts";
import type { Config } from "./config.ts";
import { type Base, type Environment, openDataPlane } from "./data-plane.ts";
import { identityRecords } from "./identity-records.ts";
import { recordEvents } from "./own-identity.ts";
import { openPage } from "./page.ts";
import { issuersOf } from "./roots.ts";
import { openConfigKeys } from "./signer/gateway-signer.ts";
import { openAuthorityRoots, statePaths } from "./state-folder.ts";
import { version } from "./version.ts";
import { watchedWorld } from "./watched-world.ts";

export interface Gateway {
  readonly address: string;
  /** Where clients with access tokens come in, by the origin they know it by. */
  readonly webAddresses: ReadonlyMap<string, string>;
  /** Link to the page with this start's token; undefined if there is none. */
  readonly dashboard: string | undefined;
  readonly audit: AuditLog;
  /** Drains, closes the log with a last head, and ends the servers it started. */
  readonly stop: () => Promise<void>;
}

/** @throws Refusal that says what keeps it from starting; nothing is left open then */
export async function startGateway(config: Config, environment: Environment): Promise<Gateway> {
  await using opening = new AsyncDisposableStack();
  const base = await openBase(config, environment, opening);
  const { audit, recent, gatewayId } = base;
  const { address, webAddresses, counts } = await openDataPlane(config, base, opening);
  const page = await openPage(config, { audit, recent, counts, address, ...environment });
  if (page !== undefined) opening.defer(page.close);
  const startedAtUnixMs = environment.clock.nowUnixMs();
  const run = { pid: process.pid, version, listen: address, gateway: gatewayId, startedAtUnixMs };
  await writePrivateFile(
    statePaths(config.state).run,
    JSON.stringify({ ...run, ...(page && { dashboard: page.link }) }),
  );
  const opened = opening.move();
  return {
    address,
    webAddresses,
    dashboard: page?.link,
    audit,
    stop: () => opened.disposeAsync(),
  };
}

/** Keys, authority, state and log: what there is before anybody is let in. */
async function openBase(
  config: Config,
  environment: Environment,
  opening: AsyncDisposableStack,
): Promise<Base & { readonly audit: AuditLog; readonly recent: RecentCalls }> {
  const { clock, log } = environment;
  const { keys, close } = await openConfigKeys(config, log);
  // Closed last: the log's last head is still to be signed.
  opening.defer(close);
  const suite = config.profile.identity;
  const making = { trustDomain: config.trust_domain, suite: suite.id, clock };
  const roots = await openAuthorityRoots(config.state, keys, making);
  opening.defer(roots.close);
  const classicalAuthority = await openClassicalAuthority(
    { state: config.state, keys },
    { trustDomain: config.trust_domain, profile: config.profile },
    clock,
  );
  const state = openState(statePaths(config.state).database);
  opening.defer(state.close);
  const audit = await openAuditLog(config.state, keys, { trustDomain: config.trust_domain, clock, log });
  opening.defer(audit.journal.close);
  // Ours while we hold the log; it names the page's link, which ends with us.
  opening.defer(() => rm(statePaths(config.state).run, { force: true }));
  const recent = recentCalls();
  const journal = observed(audit.journal, recent);
  const gatewayId = gatewayIdOf(config.trust_domain);
  const world = watchedWorld(config, { ...state, issuers: () => issuersOf(roots.roots()) }, log);
  opening.defer(world.stop);
  const what = { principal: gatewayId, world: world.current().digest, clock };
  await announce(journal, "gateway.start", what);
  opening.defer(() => announce(journal, "gateway.stop", what));
  const trustDomain = config.trust_domain;
  const classical = { authority: classicalAuthority, suite: config.profile.classical };
  const where = { trustDomain, spiffeId: gatewayId, suite, classical };
  const revokedSerials = () => world.current().trust.revokedSerials;
  const own = { keys, roots, state, journal, clock, log, revokedSerials, ...where };
  await recordEvents(own);
  const records = identityRecords({ state, journal, gatewayId, clock, log });
  opening.defer(records.stop);
  return { environment, audit, recent, world, records, gatewayId, own };
}

function observed(journal: Journal, recent: RecentCalls): Journal {
  return {
    append: async (draft) => {
      const receipt = await journal.append(draft);
      recent.see(draft);
      return receipt;
    },
    owe: journal.owe,
  };
}

async function announce(
  journal: Journal,
  event: "gateway.start" | "gateway.stop",
  what: { readonly principal: string; readonly world: string; readonly clock: Clock },
): Promise<void> {
  await journal.append({
    event,
    atUnixMs: what.clock.nowUnixMs(),
    callId: randomUUIDv7(),
    principal: what.principal,
    tool: null,
    outcome: "allowed",
    facts: { version, world: what.world },
  });
}
