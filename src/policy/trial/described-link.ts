/** A connection or a link as a person describes it, with everything that isn't said set to what is usual. */
import { z } from "zod";

import { groupNumbered, keyExchangeSuites } from "../../crypto/suites/key-exchange.ts";
import type { HelloFacts } from "../facts.ts";
import type { LinkQuestion } from "../link-rules.ts";
import { surroundingsOf } from "../surroundings.ts";
import {
  callMembers,
  describedCall,
  type DescribedCall,
  factsOf,
  linkOf,
  type TrialWorld,
} from "./described-call.ts";

const groupText = z
  .string()
  .refine(
    (text) => keyExchangeSuites.some(({ id }) => id === text) || isUnknownGroup(text),
    "expected a TLS group, or the number of one that nobody knows here, such as 0x11ee",
  );

const helloMembers = z
  .strictObject({
    groups: z.array(groupText).default(["X25519MLKEM768", "X25519"]),
    key_shares: z.array(groupText).default(["X25519MLKEM768"]),
    alpn: z.array(z.string()).default(["http/1.1"]),
    server_name: z.string().default(""),
    ja4: z.string().default(""),
  })
  .prefault({})
  .describe("The client's first message.");

const { at, address, caller, claims, scopes, age, expires_in, link } = callMembers;

const connectionMembers = { on: z.literal("connection"), at, address, hello: helloMembers } as const;
const linkMembers = {
  ...connectionMembers,
  on: z.literal("link"),
  caller,
  claims,
  scopes,
  age,
  expires_in,
  link,
} as const;

/** What a description of each can say. */
export const linkDescriptions = { connection: connectionMembers, link: linkMembers } as const;

/** Connections and links as persons describe them. */
export const describedLink = z.discriminatedUnion("on", [
  z.strictObject(connectionMembers),
  z.strictObject(linkMembers),
]);
type DescribedLink = z.output<typeof describedLink>;

/** What it asks of the rules about it, in that world. */
export function linkQuestionOf(described: DescribedLink, world: TrialWorld): LinkQuestion {
  const call = asCall(described);
  const surroundings = surroundingsOf(world.surroundings);
  const all = factsOf(call, { ...world, surroundings, party: call.caller });
  const { place, now, time, quantum } = all;
  const known = { hello: helloOf(described.hello), place, now, time, quantum };
  if (described.on === "connection") return { facts: known };
  const facts = { ...known, caller: all.caller, link: all.link };
  return { proven: { caller: call.caller, posture: linkOf(call) }, facts };
}

/** A call is told in more words: of those that a link has none of, the usual ones, which nothing reads. */
function asCall(described: DescribedLink): DescribedCall {
  const { on: _on, hello: _hello, ...known } = described;
  return { ...describedCall.parse({ caller: "nobody", call: "nothing/asked" }), ...known };
}

function helloOf(hello: DescribedLink["hello"]): HelloFacts {
  const pq = hello.groups.some((name) => keyExchangeSuites.find(({ id }) => id === name)?.kind === "hybrid");
  return { ...hello, pq };
}

function isUnknownGroup(text: string): boolean {
  return /^0x[0-9a-f]{4}$/.test(text) && groupNumbered(Number(text)) === undefined;
}
