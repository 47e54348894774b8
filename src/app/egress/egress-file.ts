/** The file of egress rules, and the same rules from options of the command line. */
import { readFileSync } from "node:fs";

import { parse } from "yaml";
import { z } from "zod";

import { type Clock as ZoneClock, utc, zoneClock } from "../../expr/time.ts";
import { Refusal } from "../../kernel/refusal.ts";
import { parseSizeBytes } from "../../kernel/units.ts";
import {
  compileEgressRules,
  type EgressRule,
  type EgressRuleDocument,
  egressRuleSchema,
} from "../../policy/egress/egress-rules.ts";

/** What a server may do on its own behalf. */
export interface EgressSettings {
  readonly rules: readonly EgressRule[];
  readonly zone: string;
  readonly clock: ZoneClock;
  /** What a destination that is being learned may be sent before it is known, in bytes. */
  readonly budgetBytes: number;
  /** How many such destinations may be met on one day. */
  readonly newPerDay: number;
}

export interface EgressSource {
  readonly file?: string | undefined;
  /** `HOST[:PORT]`, allowed. */
  readonly allow: readonly string[];
  /** Everything else is learned, with this budget, e.g. `256KiB`. */
  readonly learn?: string | undefined;
}

const size = z.string().transform((text, context) => {
  const bytes = parseSizeBytes(text);
  if (bytes !== undefined && bytes >= 4096 && bytes <= 1024 ** 3) return bytes;
  context.addIssue({ code: "custom", message: `expected a size from "4KiB" to "1GiB", found "${text}"` });
  return z.NEVER;
});

const learningSchema = z.strictObject({
  budget: size.prefault("256KiB"),
  new_per_day: z.int().min(0).max(64).default(20),
});

const fileSchema = z.strictObject({
  zone: z
    .string()
    .refine((name) => zoneClock(name) !== undefined, 'expected a zone such as "Europe/Berlin"')
    .default("UTC"),
  learning: learningSchema.prefault({}),
  rules: z.array(egressRuleSchema).max(1000).default([]),
});

/** @throws Refusal `bad_config` */
export function egressSettings({ file, allow, learn }: EgressSource): EgressSettings {
  const document = file === undefined ? fileSchema.parse({}) : documentIn(file);
  const { zone, learning, rules } = document;
  const budget = learn === undefined ? learning.budget : budgetOf(learn);
  return {
    rules: compileEgressRules([...rules, ...rulesOf(allow, learn)]),
    zone,
    clock: zoneClock(zone) ?? utc,
    budgetBytes: budget,
    newPerDay: learning.new_per_day,
  };
}

function documentIn(file: string): z.output<typeof fileSchema> {
  let document: unknown;
  try {
    document = parse(readFileSync(file, "utf8"), { maxAliasCount: 100 }) ?? {};
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : "unknown";
    throw new Refusal("bad_config", `The egress rules can't be read: ${file}: ${why}`, { cause });
  }
  const parsed = fileSchema.safeParse(document);
  if (parsed.success) return parsed.data;
  throw new Refusal("bad_config", `${file}:\n${z.prettifyError(parsed.error)}`);
}

function rulesOf(allow: readonly string[], learn: string | undefined): readonly EgressRuleDocument[] {
  const allowed = egressRuleSchema.shape.hosts.safeParse(allow);
  if (allow.length > 0 && !allowed.success) {
    throw new Refusal(
      "bad_config",
      `--allow-egress takes HOST or HOST:PORT, such as api.example.com:443 or "*.example.com"; found ${allow.map((each) => `"${each}"`).join(", ")}.`,
    );
  }
  const named = { because: "Named when the server was exposed." };
  const rules: EgressRuleDocument[] = [];
  if (allow.length > 0) rules.push({ name: "allow-egress", hosts: [...allow], effect: "allow", ...named });
  if (learn !== undefined) rules.push({ name: "learn-egress", hosts: ["*"], effect: "learn", ...named });
  return rules;
}

function budgetOf(text: string): number {
  const parsed = size.safeParse(text);
  if (parsed.success) return parsed.data;
  throw new Refusal("bad_config", `--learn-egress: ${parsed.error.issues[0]?.message ?? "no size"}.`);
}
