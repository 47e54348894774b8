/** The rule document: what one rule of the `policies` list can say. What its parts mean together is `rules.ts`. */
import { z } from "zod";

import { parseDurationMs } from "../kernel/units.ts";
import { limits } from "../expr/limits.ts";
import { linkConditions } from "./link-conditions.ts";
import { isTarget } from "./patterns.ts";
import { isPointerPattern } from "./redaction.ts";
import { signatureDemand } from "./signature-demand.ts";

const pattern = z.string().min(1).max(2048);
const patterns = z.array(pattern).min(1).max(1000);
const targets = z.array(pattern.refine(isTarget, 'expected "server/name", or "*" for all')).min(1).max(1000);

/** What a rule does to what it matches. Of several, the strictest counts. */
export const effects = ["allow", "deny", "cut", "hold", "read_only", "redact", "step_up"] as const;
export type Effect = (typeof effects)[number];

const minExpiryMs = 10_000;
const maxExpiryMs = 7 * 24 * 3_600_000;

const expiry = z
  .string()
  .default("15m")
  .transform((text, context) => {
    const value = parseDurationMs(text);
    if (value !== undefined && value >= minExpiryMs && value <= maxExpiryMs) return value;
    context.addIssue({ code: "custom", message: `expected a duration from "10s" to "7d", found "${text}"` });
    return z.NEVER;
  });

const approval = z.strictObject({
  approvers: z.int().min(1).max(10).default(1).describe("How many different people have to approve."),
  from: patterns
    .optional()
    .describe("Who may approve, by the names the log has; anybody with an operator's login by default."),
  expires: expiry.describe("How long the call may wait, and how long an approval counts, e.g. `15m`."),
});

const pointers = z
  .array(
    z
      .string()
      .max(512)
      .refine(isPointerPattern, "expected a JSON pointer such as /patient/ssn; * is any member"),
  )
  .min(1)
  .max(100);

const redact = z
  .strictObject({
    arguments: pointers
      .optional()
      .describe("What is taken out of the call's arguments before the server sees them."),
    answer: pointers
      .optional()
      .describe(
        "What is taken out of a tool's `structuredContent`, and of text in its `content` that is JSON.",
      ),
    replace_by: z.string().max(100).default("[redacted]").describe("What stands there instead."),
  })
  .refine((terms) => terms.arguments !== undefined || terms.answer !== undefined, {
    error: "expected arguments, answer or both",
  });

const stepUp = z
  .strictObject({
    signature: signatureDemand.optional().describe("How the call and its answer must be signed at least."),
    link: linkConditions.optional().describe("What the link it comes on must be."),
  })
  .refine((terms) => terms.signature !== undefined || terms.link !== undefined, {
    error: "expected signature, link or both",
  });

const name = z
  .string()
  .regex(/^[a-z0-9][a-z0-9._-]{0,127}$/)
  .describe("What the rule is called in decisions and the audit log; unique.");
const condition = z.string().min(1).max(limits.textChars);
const because = z.string().min(1).max(500).describe("Why the rule exists; shown to callers it denies.");
const mode = z
  .enum(["enforce", "shadow"])
  .default("enforce")
  .describe("`enforce`; or `shadow`: what it would do is recorded, and not done.");
const hook =
  "What the rule is about: `call`, as without it; `connection`, before TLS, when nothing is known but the address and the client's first message; `link`, once its handshake proved who it is.";

/** One rule about calls. */
export const ruleSchema = z
  .strictObject({
    on: z.literal("call").optional().describe(hook),
    name,
    callers: patterns.describe(
      'Callers the rule is about: SPIFFE IDs, or `oauth:ISSUER/client/CLIENT` for those with access tokens; "*" stands for any run of characters.',
    ),
    on_behalf_of: patterns
      .optional()
      .describe(
        "Only calls on behalf of others: for `allow`, who began must be one of these; for every other effect, anybody they are on behalf of.",
      ),
    delegated: z
      .enum(["allowed", "never"])
      .optional()
      .describe(
        "`allowed`, as without it; `never`: what this rule allows can't be done on behalf of others, nor by them through others.",
      ),
    tools: targets.optional().describe("Tools as `server/tool`; `*` as above."),
    resources: targets.optional().describe("Resources as `server/uri`; `*` as above."),
    prompts: targets.optional().describe("Prompts as `server/prompt`; `*` as above."),
    methods: targets
      .optional()
      .describe(
        "Of rules that deny: what servers ask of clients, tasks and subscriptions, as `server/method`, e.g. `*/sampling/createMessage`.",
      ),
    link: linkConditions
      .optional()
      .describe(
        "Only calls on links of which all of this is true; what a rule allows elsewhere, it allows not there.",
      ),
    signature: signatureDemand
      .optional()
      .describe(
        "Only messages signed with at least this; what the rule allows, it allows to no others. Other rules may allow them.",
      ),
    when: condition
      .optional()
      .describe(
        "A CEL condition on the call (docs/guide/conditions.md). One that errs makes an `allow` not count, and every other effect count.",
      ),
    effect: z
      .enum(effects)
      .describe(
        "`allow`; `deny`, which wins over all; `cut`, which ends the caller's link too; `hold` for people to approve; `read_only`: only tools that are labelled so pass; `redact`; `step_up`: only a better signature or link passes.",
      ),
    because,
    mode,
    approval: approval.optional().describe("Of `hold`: who approves, and until when."),
    redact: redact.optional().describe("Of `redact`: what is taken out."),
    step_up: stepUp.optional().describe("Of `step_up`: what the call must bring."),
  })
  .refine(({ tools, resources, prompts, methods }) => [tools, resources, prompts, methods].some(Boolean), {
    message: "a rule names tools, resources, prompts or methods",
  })
  .refine(({ methods, effect }) => methods === undefined || effect === "deny" || effect === "cut", {
    path: ["methods"],
    error: "`methods` belong to rules that deny or cut: whoever may use a server may do what they name",
  })
  .refine((rule) => rule.signature === undefined || rule.effect === "allow", {
    path: ["signature"],
    error:
      "`signature` belongs to rules that allow; to demand it of what others allow, use the effect `step_up`",
  })
  .refine((rule) => rule.approval === undefined || rule.effect === "hold", {
    path: ["approval"],
    error: "`approval` belongs to the effect `hold`",
  })
  .refine((rule) => (rule.redact === undefined) === (rule.effect !== "redact"), {
    path: ["redact"],
    error: "`redact` belongs to the effect `redact`, which says there what is taken out",
  })
  .refine((rule) => (rule.step_up === undefined) === (rule.effect !== "step_up"), {
    path: ["step_up"],
    error: "`step_up` belongs to the effect `step_up`, which says there what a call must bring",
  })
  .refine(
    (rule) => rule.delegated !== "never" || (rule.effect === "allow" && rule.on_behalf_of === undefined),
    {
      path: ["delegated"],
      error:
        '`never` belongs to rules that allow, without `on_behalf_of`; to deny what is delegated, write on_behalf_of: ["*"]',
    },
  );

export type RuleDocument = z.infer<typeof ruleSchema>;

const denying = z
  .literal("deny", { error: "a connection or link is let on, or denied: the effect is `deny`" })
  .describe("`deny`: what no rule denies is let on, as far as its admission goes.");

/** One rule about connections, before a key operation is done for them. */
const connectionRule = z.strictObject({
  on: z.literal("connection").describe(hook),
  name,
  when: condition.describe("A CEL condition on the connection: `hello`, `place`, `now`, `time`, `quantum`."),
  effect: denying,
  because,
  mode,
});

/** One rule about links, when their peer is proven, and for as long as they are open. */
const linkRule = z.strictObject({
  on: z.literal("link").describe(hook),
  name,
  callers: patterns.describe("Who has proven to be at the other end; patterns as of calls."),
  link: linkConditions.optional().describe("Only links of which all of this is true."),
  when: condition
    .optional()
    .describe("A CEL condition on the link: `caller`, `link`, and all that connections have."),
  effect: denying,
  because,
  mode,
});

/** One rule of the `policies` list. */
export const policySchema = z.discriminatedUnion("on", [ruleSchema, connectionRule, linkRule], {
  error: ({ code }) =>
    code === "invalid_union" ? "expected `call`, as without it, `connection` or `link`" : undefined,
});

export type PolicyDocument = z.infer<typeof policySchema>;
export type LinkRuleDocument = z.infer<typeof connectionRule> | z.infer<typeof linkRule>;

/** Whether it is about calls. */
export function isCallRule(document: PolicyDocument): document is RuleDocument {
  return document.on === undefined || document.on === "call";
}
