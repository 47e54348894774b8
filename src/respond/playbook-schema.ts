/** The playbook document: on what, and whether, which steps are taken. What its parts mean together is `playbook.ts`. */
import { z } from "zod";

import { limits } from "../expr/limits.ts";
import { parseDurationMs } from "../kernel/units.ts";
import { momentaryActions, playbookActions } from "./playbook-actions.ts";
import { restrictionKinds } from "./restriction.ts";

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

const lastingAction = z.enum(restrictionKinds);

const stage = z.strictObject({
  do: lastingAction.describe("What it becomes."),
  for: lasting.describe("How long."),
});

const step = z
  .strictObject({
    do: z.enum(playbookActions).describe("What is done."),
    of: z
      .enum(stepScopes)
      .default("caller_tool")
      .describe(
        "Whom or what it is about. `tool` and `server` take two callers' evidence or a manifest's, and are about the caller's use of the tool alone until then.",
      ),
    for: lasting.prefault("15m").describe("How long it lasts; it is renewed while its cause goes on."),
    then: z.array(stage).max(8).default([]).describe("What it becomes afterwards, each milder than before."),
    on_failure: z
      .enum(["continue", "stop", "roll_back"])
      .default("continue")
      .describe("If it can't be done: go on, do no more, or undo what this run did."),
    timeout: duration(100, 5 * minuteMs, 'from "100ms" to "5m"')
      .prefault("10s")
      .describe("After which time a step that waits for something has failed."),
    approval: approval.optional().describe("People are asked first."),
  })
  .refine((given) => given.then.length === 0 || !momentaryActions.has(given.do), {
    path: ["then"],
    error: "`then` belongs to what lasts",
  });

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
