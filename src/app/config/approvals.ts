/** `approvals` in the config: who besides the operator may approve held calls, how many may wait, and who is told. */
import { z } from "zod";

import { secretSource, secureUrl } from "./values.ts";

/** By which people are known to the config. */
export const personName = z
  .string()
  .regex(/^[a-z0-9][a-z0-9._-]{0,63}$/, "expected a name of lower-case letters, digits, '.', '_' and '-'");

const webhook = z.strictObject({
  url: secureUrl.describe("Where it is posted to, as JSON; https, or http on localhost."),
  token: secretSource
    .optional()
    .describe("Where the token stands that it is posted with (`Authorization: Bearer`); none by default."),
  link: z
    .string()
    .max(2048)
    .refine((text) => text.includes("{id}") && /^https?:\/\//.test(text), "expected a URL with {id} in it")
    .optional()
    .describe(
      "Where people look at a request, `{id}` for its id; by default the page. It only shows: to approve takes a login.",
    ),
  arguments: z
    .boolean()
    .default(false)
    .describe("Whether the call's arguments go with it; by default they stay here."),
});

/** INVARIANT: names and no patterns; what isn't a caller's own name would let somebody approve twice, or its own call. */
const callerName = z
  .string()
  .max(2048)
  .regex(
    /^(spiffe:\/\/|oauth:)[^*\s]+$/,
    "expected a caller's own name, a SPIFFE ID or oauth:ISSUER/user/SUBJECT, without *",
  );

export const ownNames = z
  .array(callerName)
  .max(100)
  .default([])
  .describe(
    "Names under which this person, or what belongs to it, calls (SPIFFE IDs, `oauth:ISSUER/user/SUBJECT`): rules' `from` may name those, and of those calls it approves none.",
  );

export const approvalsSchema = z
  .strictObject({
    people: z
      .record(
        personName,
        z.strictObject({
          token_hash: z
            .string()
            .regex(/^[A-Za-z0-9_-]{43}$/, "expected the hash that `latticegate approvals token` prints")
            .describe(
              "SHA-256 of the person's token, base64url, as `latticegate approvals token` prints it.",
            ),
          is: ownNames,
        }),
      )
      .refine(
        (people) => areDistinct(Object.values(people).map(({ token_hash: hash }) => hash)),
        "two people have one token: one of them could approve for both",
      )
      .refine(
        (people) => areDistinct(Object.values(people).flatMap(({ is }) => [...new Set(is)])),
        "two people are the same caller: list it with one of them",
      )
      .default({})
      .describe("People who may approve with a token of their own; rules call them `person:NAME`."),
    waiting: z
      .int()
      .min(1)
      .max(10_000)
      .default(1000)
      .describe("How many calls may wait for approval, or be approved and not made yet, at most."),
    waiting_per_caller: z
      .int()
      .min(1)
      .max(1000)
      .default(20)
      .describe("How many of one caller; further ones are refused without anybody being asked."),
    webhook: webhook.optional().describe("Who is told that a call waits; nobody by default."),
  })
  .prefault({})
  .describe("Approval of calls that rules with the effect `hold` hold.");

function areDistinct(texts: readonly string[]): boolean {
  return new Set(texts).size === texts.length;
}

export type ApprovalSettings = z.output<typeof approvalsSchema>;
