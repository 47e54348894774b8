/** Cryptography as the API has it: what is in use, what ends when, a change of profile in two steps, peers, the migration. */
import { pathText } from "./peer-path.ts";
import { revealed } from "../../../src/wire/hidden-text.ts";
import { fields, items, list, number, text, texts } from "./fields.ts";

export interface Link {
  readonly listener: string;
  readonly callers: readonly string[];
  readonly remote: string;
  readonly group: string;
  readonly isHybrid: boolean;
  readonly certificate: string;
  readonly classical: string;
  /** Of a peer: `local`, `direct` or `relayed`. */
  readonly path: string;
}

export interface Server {
  readonly name: string;
  readonly how: string;
  readonly target: string;
  readonly isLocal: boolean;
  /** `TLSv1.3, X25519MLKEM768`; empty before the first link, and without TLS. */
  readonly negotiated: string;
  readonly group: string;
  /** Of a peer, while there is a link: how it is reached, in words. */
  readonly path: string;
}

export interface Live {
  readonly links: readonly Link[];
  readonly servers: readonly Server[];
  readonly listeners: readonly {
    readonly name: string;
    readonly groups: readonly string[];
    readonly certificates: readonly string[];
    readonly authentication: string;
  }[];
}

export function readLive(value: unknown): Live {
  const { links, servers, listeners } = fields(value);
  return {
    links: list(links).map((link) => ({
      listener: text(link["listener"]),
      callers: texts(link["callers"]).map(revealed),
      remote: text(link["remote"]),
      group: text(link["group"]),
      isHybrid: link["key_exchange"] === "hybrid",
      certificate: text(link["certificate"]),
      classical: text(link["classical"]),
      path: text(fields(link["path"])["kind"]),
    })),
    servers: list(servers).map((server) => {
      const { version, group, server_key: key } = fields(server["negotiated"]);
      return {
        name: text(server["name"]),
        how: text(server["how"]),
        target: revealed(text(server["target"])),
        isLocal: server["local"] === true,
        group: text(group),
        path: pathText(server["path"]),
        negotiated: [version, group, key].map(text).filter(Boolean).join(", "),
      };
    }),
    listeners: list(listeners).map((each) => ({
      name: text(each["name"]),
      groups: texts(each["groups"]),
      certificates: [...texts(each["certificates"]), ...texts(each["classical"])],
      authentication: text(each["authentication"]),
    })),
  };
}

/** Links that are alike, counted: the weakest first, then the most. */
export interface LinkKind extends Link {
  readonly count: number;
}

export function linkKinds(links: readonly Link[]): readonly LinkKind[] {
  const kinds = new Map<string, LinkKind>();
  for (const link of links) {
    const key = JSON.stringify([link.listener, link.group, link.certificate, link.classical, link.path]);
    const known = kinds.get(key);
    const callers = [...new Set([...(known?.callers ?? []), ...link.callers])];
    kinds.set(key, { ...link, callers, count: (known?.count ?? 0) + 1 });
  }
  return [...kinds.values()].toSorted((a, b) => Number(a.isHybrid) - Number(b.isHybrid) || b.count - a.count);
}

/** How strong a server's link is, in a word. */
export function serverPosture({
  how,
  isLocal,
  group,
}: Server): "hybrid" | "classical" | "plain" | "local" | "unknown" {
  if (how === "stdio") return "local";
  if (how === "http" || how === "forward") return isLocal ? "local" : "plain";
  if (group === "") return "unknown";
  return /mlkem/i.test(group) ? "hybrid" : "classical";
}

export interface Clock {
  readonly kind: string;
  readonly who: string;
  readonly what: string;
  readonly algorithm: string;
  /** ISO 8601; empty of what has no end. */
  readonly until: string;
  readonly renewal: string;
}

export function readClocks(value: unknown): readonly Clock[] {
  return items(value).map((clock) => ({
    kind: text(clock["kind"]),
    who: revealed(text(clock["who"])),
    what: revealed(text(clock["what"])),
    algorithm: text(clock["algorithm"]),
    until: text(clock["until"]),
    renewal: text(clock["renewal"]),
  }));
}

const hourMs = 3_600_000;

/** What is over is bad; what ends within an hour, or of roots within a month, is to be looked at. */
export function clockTone({ kind, until }: Clock, nowUnixMs: number): "plain" | "warn" | "bad" {
  if (until === "") return "plain";
  const leftMs = Date.parse(until) - nowUnixMs;
  if (leftMs <= 0) return "bad";
  const soonMs = { root: 30 * 24 * hourMs, manifest: 7 * 24 * hourMs, own: hourMs / 12 }[kind] ?? 0;
  return leftMs < soonMs ? "warn" : "plain";
}

export interface Profiles {
  readonly configured: string;
  readonly inForce: string;
  readonly since: string;
  readonly outgoing: readonly { readonly profile: string; readonly until: string }[];
  readonly profiles: readonly {
    readonly name: string;
    readonly summary: string;
    readonly groups: readonly string[];
    readonly identities: readonly string[];
    readonly forbidden: readonly string[];
  }[];
  readonly weakSpots: readonly { readonly level: string; readonly where: string; readonly why: string }[];
}

export function readProfiles(value: unknown): Profiles {
  const { configured, inForce, since, outgoing, profiles, weakSpots } = fields(value);
  return {
    configured: text(configured),
    inForce: text(inForce),
    since: text(since),
    outgoing: list(outgoing).map(({ profile, until }) => ({ profile: text(profile), until: text(until) })),
    profiles: list(profiles).map((each) => ({
      name: text(each["name"]),
      summary: text(each["summary"]),
      groups: texts(each["groups"]),
      identities: texts(each["identities"]),
      forbidden: texts(each["forbidden"]),
    })),
    weakSpots: list(weakSpots).map(({ level, where, why }) => ({
      level: text(level),
      where: revealed(text(where)),
      why: revealed(text(why)),
    })),
  };
}

export interface PlanRow {
  readonly verdict: string;
  readonly what: string;
  readonly who: string;
  readonly because: string;
  readonly remedy: string;
  readonly count: number;
}

export interface Plan {
  readonly from: string;
  readonly to: string;
  readonly isPossible: boolean;
  readonly doesBreak: boolean;
  readonly changes: readonly {
    readonly what: string;
    readonly gone: readonly string[];
    readonly added: readonly string[];
  }[];
  readonly conflicts: readonly string[];
  readonly rows: readonly PlanRow[];
  readonly more: number;
  readonly digest: string;
}

export function readPlan(value: unknown): Plan {
  const plan = fields(value);
  return {
    from: text(plan["from"]),
    to: text(plan["to"]),
    isPossible: plan["isPossible"] === true,
    doesBreak: plan["doesBreak"] === true,
    changes: list(plan["changes"]).map(({ what, gone, added }) => ({
      what: text(what).replaceAll("_", " "),
      gone: texts(gone),
      added: texts(added),
    })),
    conflicts: texts(plan["configConflicts"]),
    rows: list(plan["rows"]).map((row) => ({
      verdict: text(row["verdict"]),
      what: text(row["what"]),
      who: revealed(text(row["who"])),
      because: revealed(text(row["because"])),
      remedy: revealed(text(row["remedy"])),
      count: number(row["count"]),
    })),
    more: number(plan["more"]),
    digest: text(plan["planDigest"]),
  };
}

/** In one sentence, what a plan comes to. */
export function planSays({ from, to, isPossible, changes, rows }: Plan): string {
  if (!isPossible) return `${to} can't be applied.`;
  if (changes.length === 0) return `${to} has what ${from} has: nothing changes.`;
  const of = (verdict: string): number =>
    rows.filter((row) => row.verdict === verdict).reduce((sum, row) => sum + row.count, 0);
  const [breaks, may] = [of("breaks"), of("may break")];
  if (breaks + may === 0) return "Nothing breaks.";
  return (
    [...(breaks > 0 ? [`${breaks} would break`] : []), ...(may > 0 ? [`${may} may break`] : [])].join(", ") +
    "."
  );
}

export interface Peer {
  readonly direction: string;
  readonly peer: string;
  readonly best: string;
  readonly last: string;
  readonly lastSeen: string;
  readonly links: number;
  readonly regressions: readonly {
    readonly kind: string;
    readonly says: string;
    readonly isRefused: boolean;
  }[];
}

/** Those that are less than they were first. */
export function readPeers(value: unknown): readonly Peer[] {
  return items(value)
    .map((peer) => ({
      direction: text(peer["direction"]),
      peer: revealed(text(peer["peer"])),
      best: text(peer["best"]),
      last: text(peer["last"]),
      lastSeen: text(peer["lastSeen"]),
      links: number(peer["links"]),
      regressions: list(peer["regressions"]).map((each) => ({
        kind: text(each["kind"]),
        says: revealed(text(each["says"])),
        isRefused: each["verdict"] === "refuse",
      })),
    }))
    .toSorted((a, b) => b.regressions.length - a.regressions.length);
}

export interface Migration {
  readonly quantumYear: number;
  readonly urgency: readonly {
    readonly dataClass: string;
    readonly servers: number;
    readonly lateByYears: number;
    readonly isAssumed: boolean;
  }[];
  readonly phases: readonly {
    readonly id: string;
    readonly title: string;
    readonly more: number;
    readonly steps: readonly {
      readonly at: string;
      readonly owner: string;
      readonly why: string;
      readonly how: readonly string[];
      readonly doneWhen: string;
    }[];
  }[];
  /** Now. */
  readonly progress: {
    readonly servers: number;
    readonly hybridServers: number;
    readonly links: number;
    readonly hybridLinks: number;
    readonly atUnixMs: number;
  };
}

export function readMigration(value: unknown): Migration {
  const { assumptions, urgency, phases, progress } = fields(value);
  const last = list(progress).at(-1) ?? {};
  return {
    quantumYear: number(fields(assumptions)["quantumYear"]),
    urgency: list(urgency).map((each) => ({
      dataClass: text(each["dataClass"]),
      servers: number(each["servers"]),
      lateByYears: number(each["lateByYears"]),
      isAssumed: each["isAssumed"] === true,
    })),
    phases: list(phases).map((phase) => ({
      id: text(phase["id"]),
      title: text(phase["title"]),
      more: number(phase["more"]),
      steps: list(phase["steps"]).map((step) => ({
        at: revealed(text(step["at"])),
        owner: revealed(text(step["owner"])),
        why: revealed(text(step["why"])),
        how: texts(step["how"]).map(revealed),
        doneWhen: revealed(text(step["doneWhen"])),
      })),
    })),
    progress: {
      servers: number(last["servers"]),
      hybridServers: number(last["hybridServers"]),
      links: number(last["links"]),
      hybridLinks: number(last["hybridLinks"]),
      atUnixMs: number(last["atUnixMs"]),
    },
  };
}

/** Calls by TLS group over time, the most used first: what stays is drawn, of what is rare all together. */
export interface SuitesOverTime {
  readonly times: readonly number[];
  readonly series: readonly { readonly group: string; readonly values: readonly number[] }[];
}

const maxSeries = 5;

export function readSuites(value: unknown): SuitesOverTime {
  const { points, totals } = fields(value);
  const all = list(points);
  const groups = Object.entries(fields(fields(totals)["suites"]))
    .toSorted(([, a], [, b]) => number(b) - number(a))
    .map(([group]) => group);
  const named = groups.slice(0, maxSeries);
  const rest = groups.slice(maxSeries);
  const of = (point: Readonly<Record<string, unknown>>, group: string): number =>
    number(fields(point["suites"])[group]);
  return {
    times: all.map((point) => number(point["atUnixMs"]) / 1000),
    series: [
      ...named.map((group) => ({ group, values: all.map((point) => of(point, group)) })),
      ...(rest.length === 0
        ? []
        : [
            {
              group: "others",
              values: all.map((point) => rest.reduce((sum, group) => sum + of(point, group), 0)),
            },
          ]),
    ],
  };
}
