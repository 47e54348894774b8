/** What another profile would do to what was given out and signed: certificates, roots, log, delegations, join tokens. */
import type { Profile } from "../../crypto/suites/profiles.ts";
import type { HeldCertificate } from "../../host/store/certificate-records.ts";
import { renewAtUnixMs } from "../../identity/authority.ts";
import { passingPaths } from "../doctor-rule.ts";
import { sameSuites, suiteIdsOf } from "../log-keys.ts";
import type { CryptoFacts } from "./crypto-facts.ts";
import type { PlanRow } from "./plan.ts";
import type { StoredFacts, StoredRoot } from "./stored-facts.ts";

/** A sidecar that runs renews at half-life; a little later, it has. */
const lateMs = 5 * 60_000;

interface Change {
  readonly from: Profile;
  readonly to: Profile;
  /** Until then what only `from` has is taken. */
  readonly endUnixMs: number;
}

export function storedRows({ stored, nowUnixMs }: CryptoFacts, change: Change): readonly PlanRow[] {
  const { from, to } = change;
  return [
    ...holderRows(stored.held, nowUnixMs, to),
    ...stored.roots.map((root) => rootRow(root, stored.roots, to)),
    logRow(stored, to),
    ...delegationRows(stored, change),
    ...stored.joinTokens.map(({ spiffeId, expiresUnixMs }): PlanRow => ({
      verdict: from.identity.id === to.identity.id ? "goes on" : "renews",
      what: "join token",
      who: spiffeId,
      because:
        from.identity.id === to.identity.id
          ? `counts until ${iso(expiresUnixMs)}`
          : `counts until ${iso(expiresUnixMs)}; whoever joins with it gets ${from.identity.id} first, and renews with ${to.identity.id}`,
    })),
  ];
}

/** The newest of each identity and purpose: older ones were renewed into it. */
function holderRows(held: readonly HeldCertificate[], nowUnixMs: number, to: Profile): readonly PlanRow[] {
  const newest = new Map<string, HeldCertificate>();
  for (const each of held) {
    const key = `${each.spiffeId} ${each.purpose}`;
    if ((newest.get(key)?.notAfterUnixMs ?? 0) <= each.notAfterUnixMs) newest.set(key, each);
  }
  return [...newest.values()]
    .filter(({ spiffeId }) => passingPaths.every((path) => !spiffeId.endsWith(`/${path}`))) // They join anew each time.
    .map((each) => holderRow(each, nowUnixMs, to));
}

function holderRow(held: HeldCertificate, nowUnixMs: number, to: Profile): PlanRow {
  const { spiffeId, purpose, keyAlgorithm, notAfterUnixMs } = held;
  const row = { what: "certificate", who: `${spiffeId} (${purpose})` } as const;
  if (purpose.startsWith("classical")) return { ...row, verdict: "goes on", because: classicalStays };
  if (keyAlgorithm !== undefined && to.identities.some(({ id }) => id === keyAlgorithm)) {
    return { ...row, verdict: "goes on", because: `${keyAlgorithm} counts on` };
  }
  const known = keyAlgorithm ?? "an algorithm that wasn't written down";
  const dueUnixMs = renewAtUnixMs(notAfterUnixMs);
  const because =
    nowUnixMs < dueUnixMs + lateMs
      ? `${known}; its sidecar is told, and renews with ${to.identity.id}`
      : `${known}; it was due for renewal at ${iso(dueUnixMs)}: if its sidecar is away, it renews with ${to.identity.id} when it comes back, while the root above it is trusted`;
  return { ...row, verdict: "renews", because };
}

const classicalStays = "classical identities stay what this state folder began with";

function rootRow(root: StoredRoot, roots: readonly StoredRoot[], to: Profile): PlanRow {
  const { purpose, generation, suite, state, isOutside } = root;
  if (generation === undefined) {
    return { verdict: "goes on", what: "root", who: `classical ${purpose} root`, because: classicalStays };
  }
  const row = { what: "root", who: `${purpose} root ${generation}` } as const;
  const next = to.identity.id;
  const isThere = roots.some(
    (other) => other.purpose === purpose && other.generation !== undefined && other.suite === next,
  );
  if (isThere) return { ...row, verdict: "goes on", because: `${suite}, ${state}` };
  const because = `${suite}; a generation of ${next} is made beside it, which issues from then on`;
  if (!isOutside) return { ...row, verdict: "renews", because };
  return {
    ...row,
    verdict: "may break",
    because: `${because}, and which no authority outside has signed`,
    remedy: `who trusts that authority alone needs a signed one: latticegate ca request --for ${purpose}, then ca import`,
  };
}

function logRow({ logKeys }: StoredFacts, { log }: Profile): PlanRow {
  const has = logKeys.map(({ algorithm }) => algorithm);
  const asked = suiteIdsOf(log);
  const row = { what: "log", who: "audit log" } as const;
  const signed = `signed with ${has.join(", ")}`;
  if (sameSuites(has, asked)) return { ...row, verdict: "goes on", because: `${signed} as before` };
  const because = `${signed}; a new generation of keys takes over, ${asked.join(", ")}, and the old ones are erased`;
  return { ...row, verdict: "renews", because };
}

function delegationRows({ delegations }: StoredFacts, { from, to, endUnixMs }: Change): readonly PlanRow[] {
  const old = from.identity.id;
  const isTaken = to.identities.some(({ id }) => id === old);
  return delegations.map(({ from: giver, to: holder, notAfterUnixMs }) => {
    const row = { what: "delegation", who: `${giver} → ${holder}` } as const;
    if (isTaken || notAfterUnixMs <= endUnixMs) {
      return { ...row, verdict: "goes on", because: `counts until ${iso(notAfterUnixMs)}` };
    }
    return {
      ...row,
      verdict: "breaks",
      because: `it is signed with ${old} and would last until ${iso(notAfterUnixMs)}; once ${from.name} isn't taken any more, it ends`,
      remedy: "delegate again once the profile is applied",
    };
  });
}

function iso(unixMs: number): string {
  return new Date(unixMs).toISOString();
}
