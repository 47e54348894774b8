/** Restrictions, proposals and the kill switch as the API says them. */
import { z } from "zod";

import { killSources } from "../../host/store/state-responses.ts";
import { restrictionKinds } from "../../respond/restriction.ts";

const kind = z.enum(restrictionKinds);

const scopeAnswer = z.object({
  caller: z.string().exactOptional(),
  /** On whose behalf a client with a token asks. */
  user: z.string().exactOptional(),
  session: z.string().exactOptional(),
  server: z.string().exactOptional(),
  tool: z.string().exactOptional(),
});

export const responseAnswer = z.object({
  id: z.string(),
  action: kind,
  scope: scopeAnswer,
  until: z.iso.datetime(),
  limit: z.object({ calls: z.number(), perMs: z.number() }).exactOptional(),
  /** What it becomes then, in order; empty where it ends. */
  next: z.array(z.object({ action: kind, until: z.iso.datetime() })),
  because: z.string(),
  by: z.string(),
  since: z.iso.datetime(),
  incident: z.string().exactOptional(),
  /** Call whose finding it was. */
  cause: z.string().exactOptional(),
});

export const killAnswer = z.object({
  /** Sources of the kill switch that are on; empty: calls pass. */
  stopped: z.array(
    z.object({
      source: z.enum(killSources),
      by: z.string(),
      because: z.string(),
      sinceUnixMs: z.number(),
    }),
  ),
});

export const proposalAnswer = z.object({
  id: z.string(),
  playbook: z.string(),
  scope: scopeAnswer,
  because: z.string(),
  cause: z.string(),
  from: z.array(z.string()).exactOptional(),
  votes: z.array(
    z.object({
      by: z.string(),
      login: z.string(),
      what: z.enum(["approve", "deny"]),
      atUnixMs: z.number(),
      reason: z.string().exactOptional(),
    }),
  ),
  state: z.enum(["waiting", "approved", "denied", "expired"]),
  /** In order, what it would be. */
  actions: z.array(z.string()),
  have: z.int(),
  need: z.int(),
  asked: z.string(),
  expires: z.string(),
});
