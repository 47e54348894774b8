/** The gateway's side of grants: who may have one, and what is on record of it. */
import { randomUUIDv7 } from "node:crypto";

import type { Journal } from "../gate/ports.ts";
import { mayUse } from "../gate/stages.ts";
import type { World } from "../gate/world.ts";
import type { GrantsDesk } from "../host/net/grants-http.ts";
import type { UserGrants } from "../host/oauth/user-grants.ts";
import type { GrantStore } from "../host/store/state-grants.ts";
import { callerOf } from "../identity/admission.ts";
import type { Clock } from "../kernel/clock.ts";
import { Refusal } from "../kernel/refusal.ts";
import { type Caller, holderOf } from "../model/caller.ts";

export interface DeskOptions {
  /** By the name of their server. */
  readonly grants: ReadonlyMap<string, UserGrants>;
  readonly store: GrantStore;
  readonly world: () => World;
  readonly journal: Journal;
  readonly clock: Clock;
}

export function grantsDesk({ grants, store, world, journal, clock }: DeskOptions): GrantsDesk {
  /** @throws Refusal `denied` for who may use nothing of that server; whether it has grants isn't theirs to know */
  const open = (caller: Caller, server: string): UserGrants => {
    if (!world().servers.has(server) || !mayUse(caller, server, world())) {
      throw new Refusal("denied", `No rule lets this caller use "${server}".`);
    }
    const found = grants.get(server);
    if (found !== undefined) return found;
    throw new Refusal("bad_message", `"${server}" needs no grant.`);
  };
  const record = (event: "grant.store" | "grant.remove", caller: Caller, facts: Facts): Promise<unknown> =>
    journal.append({
      event,
      atUnixMs: clock.nowUnixMs(),
      callId: randomUUIDv7(),
      principal: caller.id,
      tool: null,
      outcome: "allowed",
      facts,
    });
  return {
    identify: (channel) => callerOf(channel, world().trust, clock.nowUnixMs()),
    begin: (caller, server, redirectUri) => open(caller, server).begin(caller, redirectUri),
    finish: async (caller, server, parameters) => {
      const granted = await open(caller, server).finish(caller, parameters);
      const { issuer, scope, holder } = granted;
      try {
        await record("grant.store", caller, { server, issuer, scope });
      } catch (error) {
        store.remove(server, holder); // What isn't on record isn't used.
        throw error;
      }
      return granted;
    },
    list: (caller) => store.list(holderOf(caller)),
    revoke: async (caller, server) => {
      // Whoever lost the right to a server may still take back what it has there.
      const found = grants.get(server);
      const removed = (await found?.revoke(holderOf(caller))) ?? store.remove(server, holderOf(caller));
      if (removed) await record("grant.remove", caller, { server });
      return removed;
    },
  };
}

type Facts = Readonly<Record<string, string>>;
