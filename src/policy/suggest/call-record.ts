/** A call as it is kept and as files have it, one a line (docs/formats/captured-calls.md). */
import { z } from "zod";

import { targetKindNames } from "../rules.ts";
import { callMembers, type DescribedCall, describedCall } from "../trial/described-call.ts";
import type { SeenCall } from "./seen-call.ts";

/** How a call was decided. `observed`: it was let through because nothing was enforced. */
const verdicts = ["allowed", "denied", "held", "observed"] as const;

const { caller, chain, args, size, link, address, at, session } = callMembers;

export const callRecord = z.strictObject({
  id: z.string().max(256).default("").describe("The call's id, by which the audit log has it."),
  at,
  caller,
  chain,
  call: z
    .string()
    .regex(/^[^/]+\/./su, 'expected "server/tool"')
    .describe("`server/tool`; of resources and prompts `server/uri` and `server/prompt`."),
  kind: z.enum(targetKindNames).default("tools"),
  args,
  size,
  link,
  address,
  session,
  verdict: z.enum(verdicts).default("allowed").describe("What was decided of it."),
  rule: z.string().max(256).default("").describe("By which rule."),
  failed: z.boolean().default(false).describe("Its answer said that it failed."),
});

export type CallRecord = z.output<typeof callRecord>;
/** As it is written. */
export type WrittenCall = z.input<typeof callRecord>;

export function seenIn(record: CallRecord): SeenCall {
  const { id, caller: who, chain: others, kind, args: given, failed } = record;
  const [server, name] = targetOf(record);
  return {
    id,
    atUnixMs: record.at,
    caller: who,
    chain: others,
    server,
    kind,
    name,
    args: given,
    failed,
  };
}

/** What the judge is asked with; what isn't kept is as usual. */
export function describedIn(record: CallRecord): DescribedCall {
  const { id: _id, verdict: _verdict, rule: _rule, failed: _failed, ...own } = record;
  return { ...usual, ...own };
}

const usual = describedCall.parse({ caller: "nobody", call: "a/b" });

/** What conditions read of a call that is kept; of all else nobody knows what it was. */
export const keptPath =
  /^(?:args|now|time|resource|quantum|call|place|session|caller\.(?:id|kind|chain|groups|issuer)|link\.(?:group|level|pq|certificate|profile|ja4|path)|tool\.(?:read_only|labels))(?:[.[]|$)/;

function targetOf({ call }: CallRecord): readonly [string, string] {
  const slash = call.indexOf("/");
  return [call.slice(0, slash), call.slice(slash + 1)];
}
