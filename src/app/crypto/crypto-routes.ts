/** Cryptography in the control API beside its state: clocks, profiles, a change in two steps, peers, the migration. */
import { randomUUID } from "node:crypto";

import { z } from "zod";

import { page, pageOf, pageQuery } from "../../control/paging.ts";
import { download, type Route, route } from "../../control/route.ts";
import { sha256Base64url } from "../../crypto/hash.ts";
import { directions } from "../../host/store/state-peers.ts";
import { defaultAssumptions } from "../../inventory/mosca.ts";
import { migrationPlan } from "../../inventory/plan.ts";
import { cbomOf } from "../../inventory/reports/cbom.ts";
import type { Clock } from "../../kernel/clock.ts";
import { Refusal } from "../../kernel/refusal.ts";
import type { Config } from "../config.ts";
import { keptInventory } from "../inventory/keep-inventory.ts";
import { acceptPeer, listPeers } from "../peer-operations.ts";
import { version } from "../version.ts";
import { clocksIn } from "./clocks.ts";
import {
  appliedAnswer,
  clockAnswer,
  migrationAnswer,
  peerAnswer,
  planAnswer,
  profilesAnswer,
} from "./crypto-answers.ts";
import { cryptoFacts } from "./crypto-facts.ts";
import type { LiveDocument } from "./live-document.ts";
import { applyShown, shownPlan } from "./profile-change.ts";
import { statusDocument, type StatusDocument } from "./status-document.ts";
import { profileRows } from "./suite-rows.ts";

interface CryptoPlace {
  readonly config: Config;
  readonly clock: Clock;
  /** What this gateway says of itself. */
  readonly live: () => LiveDocument;
}

const tag = "crypto";
const because = z.string().trim().min(1).max(1000);
const wish = {
  profile: z.string().min(1).max(64),
  /** How long what only the old profile has is still taken: from a second to thirty days; two hours by default. */
  overlap: z.string().max(16).exactOptional(),
};

/** Names of peers may be longer than a cursor. */
const keyOf = (what: unknown): string => sha256Base64url(JSON.stringify(what));

export function cryptoRoutes(place: CryptoPlace): readonly Route[] {
  return [...reading(place), ...changing(place), ...ofPeers(place), ...ofMigration(place)];
}

async function statusOf({ config, clock, live }: CryptoPlace): Promise<StatusDocument> {
  return statusDocument(await cryptoFacts(config, clock, live()));
}

function reading(place: CryptoPlace): readonly Route[] {
  return [
    route({
      method: "GET",
      path: "/crypto/certificates",
      summary: "Certificates, roots, tokens and manifests with their ends, the first to end first.",
      tag,
      role: "viewer",
      query: z.object(pageQuery),
      answer: pageOf(clockAnswer),
      handle: async ({ query }) => page(clocksIn(await statusOf(place), place.config), query, keyOf),
    }),
    route({
      method: "GET",
      path: "/crypto/profiles",
      summary: "The profile in force, those that could be, and the weakest spots of what is in use.",
      tag,
      role: "viewer",
      answer: profilesAnswer,
      handle: async () => profilesOf(await statusOf(place), place),
    }),
  ];
}

function profilesOf(
  { profile, weak_spots: weakSpots }: StatusDocument,
  { config, clock }: CryptoPlace,
): z.output<typeof profilesAnswer> {
  return {
    configured: profile.configured,
    inForce: profile.profile.name,
    since: profile.since,
    outgoing: profile.outgoing.map((each) => ({ profile: each.profile.name, until: each.until })),
    profiles: profileRows(config, clock.nowUnixMs()).map(
      ({ profile: { name, ...own }, summary, forbidden }) => ({
        name,
        summary,
        groups: [...own.groups, ...own.classical_groups],
        identities: [...own.identities],
        ciphers: [...own.ciphers],
        log: [...own.log],
        forbidden: [...forbidden],
      }),
    ),
    weakSpots: [...weakSpots],
  };
}

function changing(place: CryptoPlace): readonly Route[] {
  return [
    route({
      method: "POST",
      path: "/crypto/plan",
      summary: "What another profile would change and whom it would break; changes nothing.",
      tag,
      role: "viewer",
      body: z.strictObject(wish),
      answer: planAnswer,
      handle: ({ body }) => shownPlan(place, body),
    }),
    route({
      method: "POST",
      path: "/crypto/apply",
      summary: "Applies the profile of a plan that was shown; refused if the plan is another one by now.",
      tag,
      role: "operator",
      body: z.strictObject({
        ...wish,
        planDigest: z.string().min(1).max(64),
        /** Whether what the plan says that breaks may break. */
        breaks: z.boolean().default(false),
        because,
      }),
      answer: appliedAnswer,
      touches: "crypto",
      handle: ({ body, login: { name: by } }) => applyShown(place, { ...body, by }),
    }),
  ];
}

function ofPeers({ config, clock }: CryptoPlace): readonly Route[] {
  return [
    route({
      method: "GET",
      path: "/crypto/peers",
      summary: "What peers were seen to be capable of, and what of their newest links is less.",
      tag,
      role: "viewer",
      query: z.object(pageQuery),
      answer: pageOf(peerAnswer),
      handle: ({ query }) =>
        page(listPeers(config), query, ({ direction, peer }) => keyOf([direction, peer])),
    }),
    route({
      method: "POST",
      path: "/crypto/peers/accept",
      summary: "What the newest link of a peer showed counts from now on.",
      tag,
      role: "operator",
      body: z.strictObject({
        peer: z.string().min(1).max(2048),
        direction: z.enum(directions).exactOptional(),
      }),
      answer: peerAnswer,
      touches: "crypto",
      handle: ({ body }) => {
        const done = acceptPeer(config, body.peer, body.direction, clock);
        if (done !== undefined) return done;
        throw new Refusal("bad_state", "There is nothing to accept: it shows what it was seen with before.");
      },
    }),
  ];
}

/** Of a phase, as many are listed; `latticegate inventory plan` has all of them. */
const maxSteps = 50;

function ofMigration({ config, clock }: CryptoPlace): readonly Route[] {
  const place = { stateFolder: config.state, config };
  return [
    route({
      method: "GET",
      path: "/crypto/migration",
      summary: "The way to post-quantum cryptography in phases, by what was scanned and kept.",
      tag,
      role: "viewer",
      query: z.object({
        quantumYear: z.coerce.number().int().min(2025).max(2200).default(defaultAssumptions.quantumYear),
        migrationYears: z.coerce.number().int().min(0).max(50).default(defaultAssumptions.migrationYears),
      }),
      answer: migrationAnswer,
      handle: async ({ query }) => {
        const { inventory, progress } = await keptInventory(place);
        const plan = migrationPlan(inventory, progress, query);
        const phases = plan.phases.map(({ steps, ...phase }) => ({
          ...phase,
          steps: steps.slice(0, maxSteps),
          more: Math.max(0, steps.length - maxSteps),
        }));
        return { ...plan, phases };
      },
    }),
    download({
      method: "GET",
      path: "/inventory.cbom",
      summary: "The inventory as a cryptography bill of materials (CycloneDX 1.7).",
      tag,
      role: "viewer",
      answer: "application/vnd.cyclonedx+json",
      handle: async () => {
        const { inventory } = await keptInventory(place);
        const timestamp = new Date(clock.nowUnixMs()).toISOString();
        const facts = { serialNumber: `urn:uuid:${randomUUID()}`, timestamp, version };
        return {
          name: "inventory.cbom.json",
          body: `${JSON.stringify(cbomOf(inventory, facts), null, 2)}\n`,
        };
      },
    }),
  ];
}
