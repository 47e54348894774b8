/** What another profile would change, and whom it would break: values in, values out. */
import { forbiddenIn, type Profile, type ProfileDocument } from "../../crypto/suites/profiles.ts";
import { overlapMs } from "../../identity/authority.ts";
import type { CryptoFacts } from "./crypto-facts.ts";
import { liveRows } from "./plan-live.ts";
import { storedRows } from "./plan-stored.ts";
import { standingOf } from "./suite-rows.ts";

/**
 * `goes on`: as it is. `renews`: changes by itself. `may break`: breaks unless the other end has what isn't known of
 * it. `breaks`: somebody has to do something.
 */
export type Verdict = "goes on" | "renews" | "may break" | "breaks";

export interface PlanRow {
  readonly verdict: Verdict;
  readonly what:
    | "profile"
    | "gateway"
    | "listener"
    | "link"
    | "caller"
    | "certificate"
    | "server"
    | "issuer"
    | "root"
    | "log"
    | "delegation"
    | "join token";
  /** Which one, or whose. */
  readonly who: string;
  readonly because: string;
  /** What a person would do about it. */
  readonly remedy?: string;
}

/** What a profile has of one kind that the other hasn't; the classical identity beside each stays what it is. */
interface Change {
  readonly what: keyof ProfileDocument;
  readonly gone: readonly string[];
  readonly added: readonly string[];
}

export interface Plan {
  readonly from: string;
  readonly to: string;
  /** False if the profile can't be applied at all today. */
  readonly is_possible: boolean;
  readonly changes: readonly Change[];
  /** Places of the config that rule the profile out: with its name in it as well, the file isn't loaded. */
  readonly config_conflicts: readonly string[];
  /** The worst first. */
  readonly rows: readonly PlanRow[];
}

const order = ["breaks", "may break", "renews", "goes on"] as const satisfies readonly Verdict[];

/**
 * @param facts as they are under `from`
 * @param forMs how long what only `from` has is still taken
 */
export function planChange(facts: CryptoFacts, from: Profile, to: Profile, forMs: number = overlapMs): Plan {
  const forbidden = forbiddenIn(to, facts.nowUnixMs);
  const rows = [
    ...forbidden.map((id) => forbiddenRow(id, to, facts.nowUnixMs)),
    ...liveRows(facts, from, to),
    ...storedRows(facts, { from, to, endUnixMs: facts.nowUnixMs + forMs }),
  ];
  return {
    from: from.name,
    to: to.name,
    is_possible: forbidden.length === 0,
    changes: changesBetween(from.document, to.document),
    config_conflicts: to.classicalGroups.length === 0 ? facts.preferring : [],
    rows: rows.toSorted((a, b) => order.indexOf(a.verdict) - order.indexOf(b.verdict)),
  };
}

export function doesBreak({ rows }: Pick<Plan, "rows">): boolean {
  return rows.some(({ verdict }) => verdict === "breaks" || verdict === "may break");
}

function forbiddenRow(id: string, to: Profile, nowUnixMs: number): PlanRow {
  const row = standingOf(id, nowUnixMs);
  return {
    verdict: "breaks",
    what: "profile",
    who: to.name,
    because: `it can't be applied: ${id} is forbidden since ${row?.forbidden_from ?? "today"} (${row?.source ?? "no source"})`,
    remedy: `write a profile of your own that is based on it, without ${id}, under crypto.profiles`,
  };
}

const lists = ["groups", "classical_groups", "identities", "ciphers", "log"] as const;
const words = ["hash"] as const;

function changesBetween(from: ProfileDocument, to: ProfileDocument): readonly Change[] {
  const listed = lists.map((what): Change => {
    const [old, next]: readonly (readonly string[])[] = [from[what], to[what]];
    return {
      what,
      gone: (old ?? []).filter((id) => next?.includes(id) !== true),
      added: (next ?? []).filter((id) => old?.includes(id) !== true),
    };
  });
  const single = words.map((what): Change => {
    const isSame = from[what] === to[what];
    return { what, gone: isSame ? [] : [from[what]], added: isSame ? [] : [to[what]] };
  });
  return [...listed, ...single].filter(({ gone, added }) => gone.length + added.length > 0);
}
