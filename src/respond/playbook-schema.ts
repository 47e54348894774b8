/** The playbook document: on what, and whether, which steps are taken. What its parts mean together is `playbook.ts`. */
import { z } from "zod";

import { limits } from "../expr/limits.ts";
import { parseDurationMs } from "../kernel/units.ts";
import {
  type Action,
  type ActionName,
  actionNames,
  actions,
  isRestriction,
  strictestFirst,
  whyNotAbout,
} from "./actions.ts";
import { restrictionKinds, type Scope } from "./restriction.ts";

const minuteMs = 60_000;
const dayMs = 24 * 60 * minuteMs;

/** Of what, as far as the finding says it, a step is. */
export const stepScopes = ["caller_tool", "session", "caller", "tool", "server", "peer"] as const;
export type StepScope = (typeof stepScopes)[number];

function duration(fromMs: number, toMs: number, range: string) {
  return z.string().transform((text, context) => {
    const value = parseDurationMs(text);
    if (value !== undefined && value >= fromMs && value <= toMs) return value;
    context.addIssue({ code: "custom", message: `expected a duration ${range}, found "${text}"` });
    return z.NEVER;
  });
}

const lasting = duration(1000, 30 * dayMs, 'from "1s" to "30d"');
const window = duration(1000, dayMs, 'from "1s" to "1d"');
const patterns = z.array(z.string().min(1).max(256)).min(1).max(100);
const share = z.number().min(0.05).max(1);

const risk = z
  .strictObject({
    call: share.optional().describe("From this risk of one call on, `risk.call` of conditions."),
    session: share.optional().describe("From this risk of a session on, `risk.session` of conditions."),
  })
  .refine(({ call, session }) => call !== undefined || session !== undefined, {
    error: "expected call, session or both",
  });

const verdicts = z.strictObject({
  rules: patterns.optional().describe("Rules that refuse, by name; `*` is any run of characters."),
  reasons: patterns
    .optional()
    .describe("Reasons beside rules, as `call.outcome` of the log has them, e.g. `tool_blocked`."),
  times: z.int().min(1).max(1000).default(1).describe("How often, by one caller."),
  within: window.prefault("1m").describe("In which time."),
});

const rate = z.strictObject({
  calls: z.int().min(2).max(1000).describe("More calls than this of one tool by one caller."),
  per: window.describe("In which time."),
});

const triggers = z
  .strictObject({
    risk: risk.optional().describe("What the models say of a call, before it is decided."),
    findings: patterns.optional().describe("Kinds of findings in calls, before they are decided."),
    answers: patterns.optional().describe("Kinds of findings in what came back."),
    verdicts: verdicts.optional().describe("Calls that were refused, but not by a response."),
    regression: z
      .enum(["high", "medium", "low"])
      .optional()
      .describe("A link that is less than its peer's before, told with at least this confidence."),
    drift: z.literal(true).optional().describe("A tool isn't what it was when it was pinned."),
    tools: patterns.optional().describe("Kinds of other findings in what servers say of their tools."),
    flows: patterns.optional().describe("Kinds of findings in sizes and times on links and handshakes."),
    egress: z.literal(true).optional().describe("A server was cut off from where it sent too much."),
    signature: z.literal(true).optional().describe("The signature of a message doesn't count."),
    rate: rate.optional().describe("So many calls in a time."),
  })
  .refine((given) => Object.keys(given).length > 0, { error: "expected something that it is about" });

const approval = z.strictObject({
  approvers: z.int().min(1).max(10).default(1).describe("How many different people have to approve."),
  from: patterns
    .optional()
    .describe("Who may approve, by the names the log has; anybody with an operator's login by default."),
  expires: lasting.prefault("1h").describe("How long the proposal waits."),
});

const limit = z.strictObject({
  calls: z.int().min(1).max(100_000).describe("So many calls."),
  per: window.describe("In any time of that length."),
});

const stage = z.strictObject({
  do: z.enum(restrictionKinds).describe("What it becomes."),
  for: lasting.describe("How long."),
  limit: limit.optional().describe("Of `limit`: how much is let through."),
});

const step = z
  .strictObject({
    do: z.enum(actionNames).describe("What is done."),
    of: z
      .enum(stepScopes)
      .default("caller_tool")
      .describe(
        "Whom or what it is about. `tool` and `server` take two callers' evidence or a manifest's, and are about the caller's use of the tool alone until then.",
      ),
    for: lasting.prefault("15m").describe("How long it lasts; it is renewed while its cause goes on."),
    // oxlint-disable-next-line unicorn/no-thenable -- a list, which nobody awaits
    then: z.array(stage).max(8).default([]).describe("What it becomes afterwards, each milder than before."),
    on_failure: z
      .enum(["continue", "stop", "roll_back"])
      .default("continue")
      .describe("If it can't be done: go on, do no more, or undo what this run did."),
    limit: limit.optional().describe("Of `limit`: how much is let through."),
    approval: approval.optional().describe("People are asked first; the steps after it don't wait."),
  })
  .superRefine((given, context) => {
    for (const { at, message } of wrongIn(given))
      context.addIssue({ code: "custom", path: [...at], message });
  });

interface Wrong {
  readonly at: readonly (string | number)[];
  readonly message: string;
}

interface Staged {
  readonly do: ActionName;
  readonly limit?: unknown;
}

/** What can be told of a step before anything sets it off. */
function wrongIn({
  of,
  then,
  ...first
}: Staged & { readonly of: StepScope; readonly then: readonly Staged[] }): readonly Wrong[] {
  const stages = [first, ...then];
  return stages.flatMap((stage, index) => {
    const at = index === 0 ? [] : ["then", index - 1];
    const before = stages[index - 1];
    const about = whyNotAbout(stage.do, exampleOf[of]);
    return [
      ...(about === undefined ? [] : [{ at: [...at, "do"], message: `${about}; \`of\` says ${of}` }]),
      ...limitWrong(stage, at),
      ...(before && !isMilder(stage.do, before.do)
        ? [{ at: [...at, "do"], message: `${stage.do} isn't milder than ${before.do}, which it comes after` }]
        : []),
    ];
  });
}

function limitWrong(stage: Staged, at: Wrong["at"]): readonly Wrong[] {
  const { takes }: Action = actions[stage.do];
  if (takes === "limit" && stage.limit === undefined)
    return [{ at: [...at, "do"], message: "limit takes how much: write limit: { calls: 10, per: 1m }" }];
  if (takes !== "limit" && stage.limit !== undefined)
    return [{ at: [...at, "limit"], message: "`limit` belongs to what limits" }];
  return [];
}

function isMilder(now: ActionName, before: ActionName): boolean {
  if (!isRestriction(now) || !isRestriction(before)) return false;
  return strictestFirst.indexOf(now) > strictestFirst.indexOf(before);
}

/** What steps of that scope are about. */
const exampleOf: Readonly<Record<StepScope, Scope>> = {
  caller_tool: { caller: "c", server: "s", tool: "t" },
  session: { caller: "c", session: "s" },
  caller: { caller: "c" },
  tool: { server: "s", tool: "t" },
  server: { server: "s" },
  peer: { caller: "c" },
};

export const playbookSchema = z.strictObject({
  name: z
    .string()
    .regex(/^[a-z0-9][a-z0-9._-]{0,63}$/, "expected lower-case letters, digits, '.', '_' and '-'")
    .describe("What it is called in the log; unique. One of a shipped playbook's name replaces it."),
  because: z.string().min(1).max(300).describe("Why; shown to callers whom it keeps away."),
  on: triggers.describe("What sets it off: any of these."),
  when: z
    .string()
    .min(1)
    .max(limits.textChars)
    .optional()
    .describe(
      "A CEL condition: `signal`, and of `risk`, `findings` and `rate` all that conditions of rules see.",
    ),
  mode: z
    .enum(["enforce", "dry_run", "off"])
    .default("enforce")
    .describe("`enforce`; `dry_run`: what it would do is recorded, and not done; `off`."),
  cool_down: duration(1000, dayMs, 'from "1s" to "1d"')
    .prefault("1m")
    .describe("How long it doesn't run again for the same whom and what."),
  steps: z.array(step).min(1).max(16).describe("What is done, in order."),
});

export const playbookFileSchema = z.strictObject({
  playbooks: z.array(playbookSchema).max(200).describe("The playbooks."),
});

export type PlaybookDocument = z.output<typeof playbookSchema>;
export type StepDocument = PlaybookDocument["steps"][number];
