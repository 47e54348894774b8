/** Follows roots and profile while the gateway runs: what a command changed is put in force, one change after the other. */
import { randomUUIDv7 } from "node:crypto";

import { type InForce, termsAt } from "../crypto/suites/in-force.ts";
import type { RootRecord } from "../host/store/state-roots.ts";
import type { Trust } from "../identity/admission.ts";
import type { Authority } from "../identity/authority.ts";
import { type OwnIdentity, ownStanding, type Standing } from "./own-identity.ts";
import { loadAuthority } from "./roots.ts";
import { settlingRoots } from "./settling-roots.ts";

export interface RootWatch {
  readonly authority: () => Authority;
  /** What the doors have taken up, which may be a moment behind the state. */
  readonly inForce: () => InForce;
  /** Whether one of the certificates in use was revoked. */
  readonly isRevoked: (trust: Pick<Trust, "revokedSerials">) => boolean;
  /** Looks at the roots again; to be called when the state database changed. */
  readonly refresh: () => void;
  /** New certificates under the roots there are. @returns when they end */
  readonly renew: () => Promise<number>;
  /** Once it resolves, nothing is under way. */
  readonly stop: () => Promise<void>;
}

const retryMs = 5000;

/** Follows the roots: what a command changed is put in force through `use`, one change after the other. */
export function watchRoots(
  own: OwnIdentity,
  first: { readonly standing: Standing; readonly records: readonly RootRecord[] },
  use: (standing: Standing, why: "renewed" | "changed" | "compromised") => void,
): RootWatch {
  let { authority, inForce, serials } = first.standing;
  let known = first.records;
  const takenUp = takenUpTimes(first.records);
  let seen = signatureOf(own, first.records);
  let isOver = false;
  let retry: NodeJS.Timeout | undefined;
  const { inTurn, done } = oneByOne();
  const takeUp = async (): Promise<void> => {
    const records = own.roots.roots();
    if (isOver) return;
    const signature = signatureOf(own, records);
    if (signature !== seen) {
      const next = await loadAuthority(own.trustDomain, own.keys, records);
      const standing = await ownStanding(own, next, records);
      use(standing, wasCompromised(known, records) ? "compromised" : "changed");
      // After the doors: nobody gets a certificate of a root that isn't let in yet.
      ({ authority, inForce, serials } = standing);
      [seen, known] = [signature, records];
      takenUp.note(records, own.clock.nowUnixMs());
      own.log.info("identity.roots_changed", whatChanged(standing));
    }
    await recordEvents(own);
  };
  const refresh = (): void => {
    clearTimeout(retry);
    inTurn(takeUp).catch((error: unknown) => {
      const reason = error instanceof Error ? error.message : "unknown";
      own.log.error("identity.roots_unusable", { reason });
      if (!isOver) retry = setTimeout(refresh, retryMs).unref();
    });
  };
  const settling = settlingRoots(own, takenUp.of, refresh);
  return {
    authority: () => authority,
    inForce: () => inForce,
    isRevoked: ({ revokedSerials }) => serials.some((serial) => revokedSerials.has(serial)),
    refresh,
    renew: () =>
      inTurn(async () => {
        const standing = await ownStanding(own, authority, known);
        use(standing, "renewed");
        ({ serials } = standing);
        return standing.notAfterUnixMs;
      }),
    stop: async () => {
      isOver = true;
      settling.stop();
      clearTimeout(retry);
      await done();
    },
  };
}

/** One piece of work after the other. */
function oneByOne(): {
  readonly inTurn: <T>(work: () => Promise<T>) => Promise<T>;
  readonly done: () => Promise<void>;
} {
  let queue: Promise<void> = Promise.resolve();
  return {
    inTurn: (work) => {
      const mine = queue.then(work);
      queue = mine.then(nothing, nothing);
      return mine;
    },
    done: () => queue,
  };
}

/** Since when each root is told to who renews: of those that were there first, since they were made. */
function takenUpTimes(first: readonly RootRecord[]): {
  readonly note: (roots: readonly RootRecord[], nowUnixMs: number) => void;
  readonly of: (root: RootRecord) => number | undefined;
} {
  const times = new Map(first.map((root) => [nameOf(root), root.createdUnixMs]));
  return {
    note: (roots, nowUnixMs) => {
      for (const root of roots) if (!times.has(nameOf(root))) times.set(nameOf(root), nowUnixMs);
    },
    of: (root) => times.get(nameOf(root)),
  };
}

function whatChanged({ authority, server, inForce }: Standing): Readonly<Record<string, string>> {
  const { roots } = authority;
  const list = (all: readonly (string | number)[]): string => all.join(" ");
  return {
    server: list(roots.server.map(({ generation }) => generation)),
    client: list(roots.client.map(({ generation }) => generation)),
    profile: inForce.profile.name,
    identities: list(server.terms.identities.map(({ id }) => id)),
    groups: list(server.terms.groups.map(({ id }) => id)),
  };
}

function nothing(): void {}

/** Another one whenever something else is to be shown or taken. */
function signatureOf({ inForce, clock }: OwnIdentity, records: readonly RootRecord[]): string {
  const now = inForce();
  const { groups, classicalGroups, identities, ciphers } = termsAt(now, clock.nowUnixMs());
  const names = [groups, classicalGroups, identities].map((rows) => rows.map(({ id }) => id));
  return JSON.stringify([records, now.sinceUnixMs, names, ciphers]);
}

/** What commands did to roots and profiles goes into the audit log; a crash in between writes it twice, never not at all. */
export async function recordEvents({ roots, journal, spiffeId }: OwnIdentity): Promise<void> {
  for (const { id, event, atUnixMs, what, facts } of roots.unrecorded()) {
    await journal.append({
      event,
      atUnixMs,
      callId: randomUUIDv7(),
      principal: spiffeId,
      tool: null,
      outcome: facts["result"] === "failed" ? "error" : "allowed",
      facts: { what, ...facts },
    });
    roots.recorded(id);
  }
}

function wasCompromised(before: readonly RootRecord[], after: readonly RootRecord[]): boolean {
  const known = new Set(before.filter(isCompromised).map(nameOf));
  return after.some((root) => isCompromised(root) && !known.has(nameOf(root)));
}

function isCompromised({ ended }: RootRecord): boolean {
  return ended?.how === "compromised";
}

function nameOf({ purpose, generation }: RootRecord): string {
  return `${purpose} ${generation}`;
}
