/** What another profile would do to what is open now: listeners, links, callers lately seen, servers, issuers. */
import type { KeyExchangeSuite } from "../../crypto/suites/key-exchange.ts";
import type { Profile } from "../../crypto/suites/profiles.ts";
import { webGroups } from "../../host/net/web-tls.ts";
import { type CryptoFacts, liveIn } from "./crypto-facts.ts";
import type { LinkDocument, ListenerDocument, ServerDocument } from "./live-document.ts";
import type { PlanRow } from "./plan.ts";
import type { SeenCaller } from "./lately-seen.ts";

/** Of what is open nothing is known unless the gateway runs and can be asked; who called is on record all the same. */
export function liveRows(facts: CryptoFacts, from: Profile, to: Profile): readonly PlanRow[] {
  const live = liveIn(facts);
  const { callers } = facts.stored;
  if (live === undefined) {
    const listeners = facts.webListeners.map((listener) => ({
      ...listener,
      groups: groupsUnder(listener, from),
    }));
    return [...silentRows(facts), ...callerRows(callers, listeners, to)];
  }
  const { listeners, links, servers, issuers } = live;
  const web = listeners.filter(({ authentication }) => authentication === "web-certificate");
  const isAway = ({ caller, group }: SeenCaller): boolean =>
    !links.some((link) => link.group === group && link.callers.includes(caller));
  return [
    ...listeners.map((listener) => listenerRow(listener, to)),
    ...links.map((link) => linkRow(link, listeners, to)),
    ...callerRows(callers.filter(isAway), web, to),
    ...servers.map((server) => serverRow(server, from, to)),
    ...issuers.map(({ name, last_token: last }): PlanRow => ({
      verdict: "goes on",
      what: "issuer",
      who: name,
      because: `how others sign their tokens isn't the profile's to say${last?.algorithm == null ? "" : ` (${last.algorithm})`}`,
    })),
  ];
}

/** A gateway that runs may have any link that there can be. */
function silentRows({ gateway }: CryptoFacts): readonly PlanRow[] {
  if (gateway.kind !== "silent") return [];
  return [
    {
      verdict: "may break",
      what: "gateway",
      who: "the one that runs",
      because: `${gateway.why}; so whom its links and its servers would break isn't known`,
      remedy: "bring it to answer first: latticegate crypto status shows when it does",
    },
  ];
}

function groupsUnder(
  { key_exchange: exchange }: Pick<ListenerDocument, "key_exchange">,
  profile: Profile,
): readonly string[] {
  const groups = webGroups(profile, exchange === "hybrid-preferred");
  return groups.map(({ id }) => id);
}

function listenerRow(listener: ListenerDocument, to: Profile): PlanRow {
  const next = groupsUnder(listener, to);
  const gone = listener.groups.filter((id) => !next.includes(id));
  const added = next.filter((id) => !listener.groups.includes(id));
  const who = listener.name;
  if (next.length === 0) {
    return { verdict: "breaks", what: "listener", who, because: "nothing would be left that it takes" };
  }
  const isSame = gone.length + added.length === 0;
  const because = isSame
    ? `takes ${next.join(", ")} as before`
    : `takes ${next.join(", ")}${gone.length === 0 ? "" : `; no longer ${gone.join(", ")}`}`;
  return { verdict: isSame ? "goes on" : "renews", what: "listener", who, because };
}

function linkRow(link: LinkDocument, listeners: readonly ListenerDocument[], to: Profile): PlanRow {
  const who = link.callers.join(" ") || `nobody proven yet (${link.remote})`;
  const listener = listeners.find(({ name }) => name === link.listener);
  const next = listener === undefined ? [] : groupsUnder(listener, to);
  if (link.certificate === null) {
    const why = clientVerdict(link, next, listener?.groups ?? []);
    return why === undefined
      ? { verdict: "goes on", what: "link", who, because: `${link.group} is taken on` }
      : { ...why, what: "link", who };
  }
  const lacks = [
    ...(next.includes(link.group) ? [] : [link.group]),
    ...(to.identities.some(({ id }) => id === link.certificate) ? [] : [link.certificate]),
  ];
  if (lacks.length === 0) {
    const because = `${link.group} and ${link.certificate} are taken on`;
    return { verdict: "goes on", what: "link", who, because };
  }
  const because = `${lacks.join(" and ")} end${lacks.length === 1 ? "s" : ""}: its sidecar is told, renews with ${to.identity.id} and connects again with ${next[0] ?? "nothing"}`;
  return { verdict: "renews", what: "link", who, because };
}

/** Of a client that nobody can tell what to use; undefined if it goes on. */
function clientVerdict(
  { group, key_exchange: exchange }: Pick<LinkDocument, "group" | "key_exchange">,
  next: readonly string[],
  offered: readonly string[],
): Pick<PlanRow, "verdict" | "because" | "remedy"> | undefined {
  if (next.includes(group)) return undefined;
  const untried = next.filter((id) => !offered.includes(id));
  const isClassical = exchange === "classical";
  // Whoever has a hybrid group of this listener was led to it: one that came without has none of them.
  if (isClassical && untried.length === 0) {
    return {
      verdict: "breaks",
      because: `it came over ${group}, so it has none of ${next.join(", ")}`,
      remedy: "update its TLS library, or put a sidecar (latticegate connect) in front of it",
    };
  }
  return {
    verdict: "may break",
    because: `it came over ${group}; whether it has ${(isClassical ? untried : next).join(" or ")} isn't known`,
    remedy: "try it first with a client of that kind, or put a sidecar (latticegate connect) in front of it",
  };
}

interface WebFacts extends Pick<ListenerDocument, "key_exchange"> {
  /** What it takes before the change. */
  readonly groups: readonly string[];
}

/**
 * Clients with tokens that called lately and have no link now; sidecars follow by themselves.
 * @param web the listeners they may come to; without one they come nowhere, whatever the profile
 */
function callerRows(
  callers: readonly SeenCaller[],
  web: readonly WebFacts[],
  to: Profile,
): readonly PlanRow[] {
  if (web.length === 0) return [];
  const next = web.flatMap((listener) => groupsUnder(listener, to));
  const offered = web.flatMap(({ groups }) => groups);
  return callers
    .filter(({ caller }) => !caller.startsWith("spiffe://"))
    .flatMap((seen): readonly PlanRow[] => {
      const exchange = seen.isClassical ? "classical" : "hybrid";
      const why = clientVerdict({ group: seen.group, key_exchange: exchange }, next, offered);
      if (why === undefined) return [];
      const because = `${why.because}; last seen ${new Date(seen.atUnixMs).toISOString()}`;
      return [{ ...why, because, what: "caller", who: seen.caller }];
    });
}

function serverRow(server: ServerDocument, from: Profile, to: Profile): PlanRow {
  const row = { what: "server", who: server.name } as const;
  const { offers, how, negotiated } = server;
  if (offers === null) return { ...row, verdict: "goes on", because: `${how}: no TLS, before or after` };
  if (how === "peer") return { ...row, ...exposedVerdict(server, from, to) };
  const groups = webGroups(to, offers === "profile and classical");
  return { ...row, ...otherVerdict(negotiated?.group ?? undefined, groups) };
}

type Judged = Pick<PlanRow, "verdict" | "because" | "remedy">;

/** Of a server behind `expose`, which follows its gateway. */
function exposedVerdict({ negotiated, peer }: ServerDocument, from: Profile, to: Profile): Judged {
  const group = negotiated?.group ?? undefined;
  const key = negotiated?.server_key ?? from.identity.id;
  const isSame = group === undefined ? sameIds(from.groups, to.groups) : has(to.groups, group);
  if (isSame && has(to.identities, key)) {
    return { verdict: "goes on", because: `${group ?? "what is offered to it"} is taken on` };
  }
  const next = to.groups[0]?.id ?? "nothing";
  return {
    verdict: "renews",
    because: `${peer ?? "it"} is told, renews with ${to.identity.id} and is reached again with ${next}`,
  };
}

/** Of a server that is somebody else's. */
function otherVerdict(group: string | undefined, offered: readonly KeyExchangeSuite[]): Judged {
  if (group === undefined) return { verdict: "goes on", because: "it wasn't reached yet" };
  if (has(offered, group)) return { verdict: "goes on", because: `${group} is offered on` };
  return {
    verdict: "may break",
    because: `it was last reached by ${group}; without one of ${offered.map(({ id }) => id).join(", ")} it isn't reached any more`,
    remedy: "ask who runs it, or put it behind `latticegate expose`",
  };
}

function has(rows: readonly Pick<KeyExchangeSuite, "id">[], id: string): boolean {
  return rows.some((row) => row.id === id);
}

function sameIds(a: readonly KeyExchangeSuite[], b: readonly KeyExchangeSuite[]): boolean {
  return a.length === b.length && a.every(({ id }) => has(b, id));
}
