/** Where the cryptography in use is weakest: what could be read or pretended, the worst first. */
import { groupNamed } from "../../crypto/suites/key-exchange.ts";
import { type CryptoFacts, liveIn } from "./crypto-facts.ts";
import type { IssuerDocument, ListenerDocument, LiveDocument, ServerDocument } from "./live-document.ts";
import { standingOf } from "./suite-rows.ts";

export interface WeakSpot {
  /**
   * `high`: what is said can be read, now or once recorded; `medium`: something is in use that the profile or a standard
   * has left behind, or may let such in; `low`: what could only be pretended with a quantum computer at the time.
   */
  readonly level: "high" | "medium" | "low";
  readonly where: string;
  readonly why: string;
}

const order = ["high", "medium", "low"] as const;

export function weakSpots(facts: CryptoFacts): readonly WeakSpot[] {
  const live = liveIn(facts);
  const all = [...profileSpots(facts), ...lateSpots(facts), ...(live === undefined ? [] : liveSpots(live))];
  return all.toSorted((a, b) => order.indexOf(a.level) - order.indexOf(b.level));
}

function profileSpots({ inForce, configured, nowUnixMs }: CryptoFacts): readonly WeakSpot[] {
  const { profile, outgoing } = inForce;
  const spots: WeakSpot[] = [];
  const where = `profile ${profile.name}`;
  for (const { id } of [...profile.groups, ...profile.classicalGroups, ...profile.identities]) {
    const row = standingOf(id, nowUnixMs);
    if (row?.status !== "forbidden") continue;
    spots.push({
      level: "medium",
      where,
      why: `${id} is forbidden since ${row.forbidden_from} (${row.source})`,
    });
  }
  if (profile.name !== configured) {
    spots.push({ level: "medium", where, why: `the config names ${configured}, which isn't in force` });
  }
  const outgoingSpots = outgoing
    .filter(({ untilUnixMs }) => untilUnixMs > nowUnixMs)
    .map(({ profile: { name }, untilUnixMs }) => ({
      level: "low" as const,
      where: `profile ${name}`,
      why: `what it had is still taken, until ${new Date(untilUnixMs).toISOString()}`,
    }));
  return [...spots, ...outgoingSpots];
}

/** Callers whose links are closed by now; what they said may be on record elsewhere. */
function lateSpots({ stored }: CryptoFacts): readonly WeakSpot[] {
  return stored.callers
    .filter(({ isClassical }) => isClassical)
    .map(({ caller, group, atUnixMs }) => ({
      level: "high" as const,
      where: `caller ${caller}`,
      why: `called over ${group}, without ML-KEM, last at ${new Date(atUnixMs).toISOString()}`,
    }));
}

function liveSpots(live: LiveDocument): readonly WeakSpot[] {
  return [
    ...live.links
      .filter((link) => link.key_exchange === "classical")
      .map((link) => ({
        level: "high" as const,
        where: `link ${link.remote}`,
        why: `${link.group}, without ML-KEM, at ${link.listener}, ${link.callers.join(" ") || "nobody proven yet"}`,
      })),
    ...live.servers.flatMap(serverSpots),
    ...live.listeners.flatMap(listenerSpots),
    ...live.issuers.flatMap(issuerSpots),
  ];
}

function serverSpots({ name, how, target, local, negotiated }: ServerDocument): readonly WeakSpot[] {
  const where = `server ${name}`;
  if (how === "stdio" || (how === "http" && local)) return [];
  if (how === "http") return [{ level: "high", where, why: `plain http to ${target}: nothing is encrypted` }];
  if (how === "forward") {
    return [
      { level: "high", where, why: `plain http wherever clients go (${target}): nothing is encrypted` },
    ];
  }
  if (negotiated === null) return [];
  const { group, version } = negotiated;
  const isHybrid = group !== null && groupNamed(group)?.kind === "hybrid";
  if (isHybrid && version === "TLSv1.3") return [];
  return [
    {
      level: "high",
      where,
      why: `last reached by ${version} with ${group ?? "a group that isn't told"}, without ML-KEM`,
    },
  ];
}

function listenerSpots({
  name,
  groups,
  certificates,
  authentication,
}: ListenerDocument): readonly WeakSpot[] {
  const where = `listener ${name}`;
  const classical = groups.filter((id) => groupNamed(id)?.kind === "classical");
  const spots: WeakSpot[] = [];
  if (classical.length > 0) {
    spots.push({ level: "medium", where, why: `takes clients without ML-KEM (${classical.join(", ")})` });
  }
  if (authentication === "web-certificate" && !certificates.some((key) => isPostQuantum(key))) {
    spots.push({ level: "low", where, why: `proves itself with ${certificates.join(" and ")} alone` });
  }
  return spots;
}

function issuerSpots({ name, last_token: last }: IssuerDocument): readonly WeakSpot[] {
  const algorithm = last?.algorithm ?? undefined;
  if (algorithm === undefined || isPostQuantum(algorithm)) return [];
  return [{ level: "low", where: `issuer ${name}`, why: `signs its tokens with ${algorithm}` }];
}

/** Also by JOSE names, which are the same for what is post-quantum. */
function isPostQuantum(algorithm: string): boolean {
  return standingOf(algorithm, 0)?.kind === "pq";
}
