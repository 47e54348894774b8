/**
 * The rules, and what their conditions ask for by name, while the gateway runs: read again when a file they stand in is
 * replaced, and taken up whole or not at all. What else the file says counts from the next start.
 */
import { randomUUIDv7 } from "node:crypto";

import type { Journal } from "../gate/ports.ts";
import { watchFiles } from "../host/store/watched-files.ts";
import { sha256Base64url } from "../crypto/hash.ts";
import type { Clock } from "../kernel/clock.ts";
import type { Log } from "../kernel/log.ts";
import { Refusal } from "../kernel/refusal.ts";
import type { PolicyDocument } from "../policy/rules.ts";
import type { SurroundingsDocument } from "../policy/surroundings.ts";
import { type Config, loadConfig } from "./config.ts";
import { surroundingsIn } from "./config/surroundings.ts";

export interface RulesInForce {
  readonly rules: readonly PolicyDocument[];
  readonly surroundings: SurroundingsDocument;
}

export interface FollowedPolicies {
  readonly current: () => RulesInForce;
  /** Called after others were taken up. */
  readonly onChange: (told: () => void) => void;
  /** Looks at the files now. Never rejects. */
  readonly look: () => Promise<void>;
  readonly stop: () => void;
}

interface Following {
  readonly journal: Pick<Journal, "append">;
  /** Whose log it is. */
  readonly principal: string;
  readonly clock: Clock;
  readonly log: Log;
}

export function followPolicies(config: Config, following: Following): FollowedPolicies {
  let inForce = rulesIn(config);
  let refused = "";
  let told = (): void => {};
  let turn = Promise.resolve();
  const look = async (): Promise<void> => {
    try {
      const next = rulesIn(loadConfig(config.file));
      refused = "";
      const change = changeOf(inForce, next);
      if (change === undefined) return;
      // INVARIANT: on record before a call is judged by it.
      await record(change, following);
      inForce = next;
      following.log.info("policy.changed", change);
      told();
    } catch (error) {
      const reason = error instanceof Refusal ? error.message : "what was read can't be recorded";
      // Told once: it is looked at again when the file changes.
      if (reason !== refused) following.log.error("policy.refused", { file: config.file, reason });
      refused = reason;
    }
  };
  const files = [config.file, ...(config.policiesFile === undefined ? [] : [config.policiesFile])];
  const lookInTurn = (): Promise<void> => (turn = turn.then(look));
  const watching = watchFiles(files, () => void lookInTurn());
  return {
    current: () => inForce,
    onChange: (next) => (told = next),
    look: lookInTurn,
    stop: watching.stop,
  };
}

function rulesIn(config: Config): RulesInForce {
  return { rules: config.policies, surroundings: surroundingsIn(config) };
}

/** What is told of a change: names, and hashes of all that counts; undefined if there is none. */
function changeOf(before: RulesInForce, after: RulesInForce): Readonly<Record<string, string>> | undefined {
  const [was, is] = [digestOf(before), digestOf(after)];
  if (was === is) return undefined;
  const [old, now] = [byName(before), byName(after)];
  const names = {
    added: [...now.keys()].filter((name) => !old.has(name)),
    removed: [...old.keys()].filter((name) => !now.has(name)),
    changed: [...now].flatMap(([name, text]) => (old.has(name) && old.get(name) !== text ? [name] : [])),
  };
  const said = Object.entries(names).flatMap(([what, list]) =>
    list.length === 0 ? [] : [[what, list.join(" ").slice(0, maxNamesLength)] as const],
  );
  return { before: was, after: is, rules: String(now.size), ...Object.fromEntries(said) };
}

/** Of an entry's fact; the digests say the rest. */
const maxNamesLength = 2000;

function byName({ rules }: RulesInForce): ReadonlyMap<string, string> {
  return new Map(rules.map((rule) => [rule.name, JSON.stringify(rule)]));
}

function digestOf(inForce: RulesInForce): string {
  return sha256Base64url(JSON.stringify(inForce));
}

async function record(
  facts: Readonly<Record<string, string>>,
  { journal, principal, clock }: Following,
): Promise<void> {
  const about = { callId: randomUUIDv7(), principal, tool: null, outcome: "allowed" } as const;
  await journal.append({ event: "policy.change", atUnixMs: clock.nowUnixMs(), ...about, facts });
}
