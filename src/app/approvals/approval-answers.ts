/** Held calls as the API says them. */
import { z } from "zod";

const vote = z.object({
  by: z.string(),
  /** How that one proved it. */
  login: z.string(),
  what: z.enum(["approve", "deny"]),
  at: z.iso.datetime(),
  reason: z.string().exactOptional(),
});

export const approvalAnswer = z.object({
  id: z.string(),
  state: z.enum(["waiting", "approved", "denied", "used", "expired"]),
  caller: z.string(),
  /** On behalf of whom, who began first. */
  chain: z.array(z.string()),
  server: z.string(),
  method: z.string(),
  name: z.string(),
  rules: z.array(
    z.object({
      rule: z.string(),
      because: z.string(),
      approvers: z.int(),
      /** Patterns of who may; anybody who can decide at all if absent. */
      from: z.array(z.string()).exactOptional(),
    }),
  ),
  have: z.int(),
  need: z.int(),
  asked: z.iso.datetime(),
  expires: z.iso.datetime(),
  votes: z.array(vote),
  /** Each value as JSON; only of one that is looked at and isn't over. */
  arguments: z
    .array(z.object({ name: z.string(), value: z.string(), isCut: z.literal(true).exactOptional() }))
    .exactOptional(),
});
