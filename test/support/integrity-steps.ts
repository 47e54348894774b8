/** What tests of attacks do and look at, again and again. */
import assert from "node:assert/strict";

import { approvePin } from "../../src/app/signatures/pin-operations.ts";
import { systemClock } from "../../src/host/system.ts";
import type { SignatureMode } from "../../src/model/message-proof.ts";
import type { Told } from "./bank.ts";
import type { Cleanup } from "./cleanup.ts";
import { eventually } from "./gateway.ts";
import { ids, integrityScene, type IntegrityScene, type SceneOptions } from "./integrity-scene.ts";
import type { Attack } from "./meddling.ts";
import { type Finding, foundFaults, newFindings, toldFaults } from "./signature-findings.ts";

/** Where somebody stands, between which ends. */
export type Stand = Pick<SceneOptions, "place" | "servedBy">;

export async function signing(
  t: Cleanup,
  stand: Stand,
  mode: Exclude<SignatureMode, "none">,
): Promise<IntegrityScene> {
  const connect = { patienceMs: 3000 };
  const scene = await integrityScene(t, { ...stand, connect, signatures: { use: "required", mode } });
  await works(scene);
  // At the end of the caller's own link, which he can make too, only approved keys stay whatever comes.
  if (stand.servedBy === "gateway") await approve(scene);
  return scene;
}

interface Attempted {
  readonly told: readonly Told[];
  readonly hasLanded: boolean;
  /** What was found before. */
  readonly known: readonly Finding[];
}

export async function attempted(
  scene: IntegrityScene,
  { meddling, victim, landed }: Attack,
  then: "stops" | "goes on" = "stops",
): Promise<Attempted> {
  const { man, client, bank } = scene;
  const [before, known] = [bank.done.length, await foundFaults(scene)];
  man.meddle(meddling());
  const told = await victim(client);
  if (then === "stops") man.meddle({});
  return { told, hasLanded: landed(told, bank.done.slice(before)), known };
}

/** Somebody has a word for it: the client is told, and an end finds it, or hears of it. */
export async function named(
  scene: IntegrityScene,
  told: readonly Told[],
  known: readonly Finding[],
): Promise<readonly string[]> {
  let found: readonly Finding[] = [];
  await eventually("a finding", async () => {
    found = newFindings(known, await foundFaults(scene));
    return found.length > 0;
  });
  return [...toldFaults(told), ...found].map(({ at, as, fault }) => `${at}: ${as} ${fault}`);
}

export function pay({ client }: IntegrityScene): Promise<Told> {
  return client.pay("alice", "1");
}

function isPaid({ text }: Told): boolean {
  return text.includes("paid 1 to alice");
}

export async function works(scene: IntegrityScene): Promise<void> {
  await eventually("a call that works", async () => isPaid(await pay(scene)));
}

/** Nothing goes this way now. */
export function isCut(told: Told): boolean {
  return toldFaults([told]).some(({ as }) => as === "route_cut");
}

/** Until a person says otherwise. */
export function isForGood(told: Told): boolean {
  return isCut(told) && toldFaults([told]).some(({ fault }) => fault === "wrong_batch");
}

/** What was forged may come to light at one end after another: a person says so as often as it does. */
export async function worksOnceApproved(scene: IntegrityScene): Promise<void> {
  await eventually("a call that works", async () => {
    const told = await pay(scene);
    if (isForGood(told)) await approve(scene);
    return isPaid(told);
  });
}

async function approve({ house, exposed, sidecar }: IntegrityScene): Promise<void> {
  const known = [
    { name: ids.gateway, fingerprint: fingerprintIn(house.log, "signatures.keys") },
    { name: ids.server, fingerprint: exposed.fingerprint },
    { name: ids.sidecar, fingerprint: fingerprintOf(sidecar) },
  ];
  for (const state of [house.config.state, exposed.state, sidecar.state])
    for (const pin of known) await approvePin(state, pin, systemClock);
}

/** Of its message keys, as it logs it. */
export function fingerprintOf({ lines }: IntegrityScene["sidecar"]): string {
  return fingerprintIn(lines, "signatures.ready");
}

function fingerprintIn(lines: readonly string[], event: string): string {
  const logged = lines.map((line) => JSON.parse(line) as { event: string; fingerprint?: string });
  return logged.find((line) => line.event === event)?.fingerprint ?? assert.fail("no fingerprint");
}

export function textsOf(told: readonly Told[]): string {
  return told.map(({ text }) => text.slice(-300)).join("\n");
}
