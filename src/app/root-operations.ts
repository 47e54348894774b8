/** What an operator does with the roots: rotate, retire, declare compromised. The running gateway follows by itself. */
import { readIfThere } from "../host/store/files.ts";
import type { KeyFolder } from "../host/store/key-folder.ts";
import { openState } from "../host/store/state-sqlite.ts";
import type { RootChange, RootRecord, RootStore } from "../host/store/state-roots.ts";
import { overlapMs, type Purpose, svidLifetimeMs } from "../identity/authority.ts";
import { gatewayIdOf } from "../identity/spiffe-id.ts";
import type { Clock } from "../kernel/clock.ts";
import { Refusal } from "../kernel/refusal.ts";
import { certificateHash, certificateFacts } from "../crypto/certificate.ts";
import type { InForce } from "../crypto/suites/in-force.ts";
import type { SignatureSuiteId } from "../crypto/suites/signatures.ts";
import type { Config } from "./config.ts";
import { eventOf, exportRoots, mustBeNext, newRoot, readRoot, type RootMaking, trustedOf } from "./roots.ts";
import { profileInForce } from "./profile-in-force.ts";
import { stragglers } from "./stragglers.ts";
import { openConfigKeys } from "./signer/gateway-signer.ts";
import { openAuthorityRoots, statePaths, withRoots } from "./state-folder.ts";

/** A generation as an operator sees it. */
export interface RootReport {
  readonly purpose: Purpose;
  readonly generation: number;
  readonly state: "issuing" | "trusted" | "announced" | "requested" | "retired" | "compromised";
  readonly suite: string;
  /** SHA-256 of the certificate, base64url; undefined before there is one. */
  readonly fingerprint: string | undefined;
  readonly createdUnixMs: number;
  readonly issuesFromUnixMs: number;
  readonly notAfterUnixMs: number | undefined;
  readonly endedUnixMs: number | undefined;
  /** PEM: the issuing certificate an outside authority signed, and what is above it; for who trusts that authority. */
  readonly outside: string | undefined;
}

export async function listRoots(config: Config, clock: Clock): Promise<readonly RootReport[]> {
  await requireAuthority(config);
  const now = { suite: profileInForce(config, clock).profile.identity.id, unixMs: clock.nowUnixMs() };
  return withRoots(config.state, (store) => {
    const roots = store.roots();
    return roots.map((root) => reportOf(root, roots, now));
  });
}

/** PEM of the roots that are trusted now. @throws Refusal `bad_state` before the first start */
export async function trustedAnchors(config: Config): Promise<Readonly<Record<Purpose, readonly string[]>>> {
  await requireAuthority(config);
  return withRoots(config.state, (store) => {
    const roots = store.roots();
    const of = (purpose: Purpose) => trustedOf(roots, purpose).map(({ certificate }) => certificate);
    return { server: of("server"), client: of("client") };
  });
}

/**
 * A new generation beside the old one. A server root issues once everybody can know it; a client root at once,
 * unless there are exposed servers, which have to hear of it as everybody else does.
 */
export async function rotateRoot(config: Config, purpose: Purpose, clock: Clock): Promise<RootReport> {
  const { store, keys, making, close } = await openStore(config, clock);
  try {
    const root = await newRoot(keys, store.roots(), purpose, making);
    const issuesFromUnixMs = issuesFrom(config, purpose, clock.nowUnixMs());
    store.change((roots, change) => {
      mustBeNext(roots, root);
      if (trustedOf(roots, purpose).filter(({ suite }) => suite === root.suite).length > 1) {
        throw stillRotating(purpose);
      }
      change.add({ ...root, issuesFromUnixMs });
      change.tell(eventOf("rotate", root, clock));
    });
    await exportRoots(statePaths(config.state), store);
    const now = { suite: making.suite, unixMs: clock.nowUnixMs() };
    return reportOf({ ...root, issuesFromUnixMs, ended: null }, store.roots(), now);
  } finally {
    close();
  }
}

/**
 * Ends all generations but the newest of the algorithm that is issued.
 * @param isEarly also if certificates of them may still be in use
 * @returns the generations that ended
 */
export async function retireRoots(
  config: Config,
  purpose: Purpose,
  options: { readonly isEarly: boolean; readonly clock: Clock },
): Promise<readonly number[]> {
  const { clock } = options;
  const { store, making, close } = await openStore(config, clock);
  try {
    const inForce = profileInForce(config, clock);
    const ended = store.change((roots, change) => {
      const trusted = trustedOf(roots, purpose);
      const newest = trusted.findLast(({ suite }) => suite === making.suite);
      if (newest === undefined || trusted.length === 1) {
        throw new Refusal("bad_state", `There is one ${purpose} root; rotate before one is retired.`);
      }
      const old = trusted.filter((root) => root !== newest);
      const newUnixMs = Math.max(newest.issuesFromUnixMs, inForce.sinceUnixMs);
      const takenUntilUnixMs = outgoingUntil(old, inForce);
      const freeUnixMs = Math.max(newUnixMs + svidLifetimeMs, takenUntilUnixMs);
      const isFree =
        freeUnixMs <= clock.nowUnixMs() ||
        (takenUntilUnixMs <= clock.nowUnixMs() && isEverybodyNew(config, newUnixMs, clock));
      if (!isFree && !options.isEarly) throw tooEarly(purpose, freeUnixMs);
      return endAll(old, "retired", change, clock);
    });
    await exportRoots(statePaths(config.state), store);
    return ended;
  } finally {
    close();
  }
}

export interface Compromise {
  readonly root: RootReport;
  readonly ended: readonly number[];
  /** SPIFFE IDs whose certificates were made void, as far as the authority gave them out. */
  readonly void: readonly string[];
}

/** Distrusts every root of that purpose at once, and makes a new one that issues at once. */
export async function replaceCompromised(
  config: Config,
  purpose: Purpose,
  clock: Clock,
): Promise<Compromise> {
  const { store, keys, making, close } = await openStore(config, clock);
  try {
    const root = await newRoot(keys, store.roots(), purpose, making);
    const ended = store.change((roots, change) => {
      mustBeNext(roots, root);
      // One that was to be signed outside was made on the same machine.
      const open = roots.filter((each) => each.purpose === purpose && each.ended === null);
      const numbers = endAll(open, "compromised", change, clock);
      change.add(root);
      change.tell(eventOf("replace", root, clock));
      return numbers;
    });
    await exportRoots(statePaths(config.state), store);
    const now = { suite: making.suite, unixMs: clock.nowUnixMs() };
    const report = reportOf({ ...root, ended: null }, store.roots(), now);
    return { root: report, ended, void: holders(config, purpose, clock.nowUnixMs()) };
  } finally {
    close();
  }
}

/** When a new root may issue. */
export function issuesFrom(config: Config, purpose: Purpose, nowUnixMs: number): number {
  const mustWait = purpose === "server" || holders(config, "server", nowUnixMs).length > 0;
  return nowUnixMs + (mustWait ? overlapMs : 0);
}

export interface OpenStore {
  readonly store: RootStore;
  readonly keys: KeyFolder;
  readonly making: RootMaking;
  readonly close: () => void;
}

export async function openStore(config: Config, clock: Clock): Promise<OpenStore> {
  await requireAuthority(config);
  const { keys, close } = await openConfigKeys(config);
  try {
    const suite = profileInForce(config, clock).profile.identity.id;
    const making = { trustDomain: config.trust_domain, suite, clock };
    const store = await openAuthorityRoots(config.state, keys, making);
    const closeBoth = (): void => {
      store.close();
      close();
    };
    return { store, keys, making, close: closeBoth };
  } catch (error) {
    close();
    throw error;
  }
}

export function stillRotating(purpose: Purpose): Refusal {
  return new Refusal(
    "bad_state",
    `Two ${purpose} roots are trusted already; end the old one with "latticegate ca retire --for ${purpose}" first.`,
  );
}

function endAll(
  roots: readonly RootRecord[],
  how: "retired" | "compromised",
  change: RootChange,
  clock: Clock,
): readonly number[] {
  for (const root of roots) {
    change.end(root, { how, atUnixMs: clock.nowUnixMs() });
    change.tell(eventOf(how === "retired" ? "retire" : "compromised", root, clock));
  }
  return roots.map(({ generation }) => generation);
}

/** Until when one of these roots has to stay because its algorithm is still taken; 0 for none. */
function outgoingUntil(roots: readonly RootRecord[], { profile, outgoing }: InForce): number {
  const suites = new Set(roots.map(({ suite }) => suite).filter((suite) => suite !== profile.identity.id));
  const deadlines = outgoing
    .filter((before) => before.profile.identities.some(({ id }) => suites.has(id)))
    .map(({ untilUnixMs }) => untilUnixMs);
  return Math.max(0, ...deadlines);
}

/** Whether nobody is left with a certificate of before that moment. */
function isEverybodyNew(config: Config, sinceUnixMs: number, clock: Clock): boolean {
  const state = openState(statePaths(config.state).database);
  try {
    return (
      sinceUnixMs <= clock.nowUnixMs() &&
      stragglers(state, config.trust_domain, sinceUnixMs, clock).length === 0
    );
  } finally {
    state.close();
  }
}

/** Who holds a certificate of that purpose that hasn't ended, the gateway's own left out. */
function holders(config: Config, purpose: Purpose, nowUnixMs: number): readonly string[] {
  const state = openState(statePaths(config.state).database);
  try {
    const own = gatewayIdOf(config.trust_domain);
    return state.holders(purpose, nowUnixMs).filter((spiffeId) => spiffeId !== own);
  } finally {
    state.close();
  }
}

/** When it is, and the algorithm that is issued. */
interface Now {
  readonly suite: SignatureSuiteId;
  readonly unixMs: number;
}

function reportOf(root: RootRecord, roots: readonly RootRecord[], now: Now): RootReport {
  const certificate = root.certificate === null ? undefined : readRoot(root.certificate);
  return {
    purpose: root.purpose,
    generation: root.generation,
    state: stateOf(root, roots, now),
    suite: root.suite,
    fingerprint: certificate && certificateHash(certificate),
    createdUnixMs: root.createdUnixMs,
    issuesFromUnixMs: root.issuesFromUnixMs,
    notAfterUnixMs: certificate && certificateFacts(certificate).notAfterUnixMs,
    endedUnixMs: root.ended?.atUnixMs,
    outside: root.outside ?? undefined,
  };
}

function stateOf(root: RootRecord, roots: readonly RootRecord[], now: Now): RootReport["state"] {
  if (root.ended !== null) return root.ended.how;
  if (root.certificate === null) return "requested";
  const trusted = trustedOf(roots, root.purpose).filter(({ suite }) => suite === now.suite);
  const issuing = trusted.findLast((each) => each.issuesFromUnixMs <= now.unixMs) ?? trusted[0];
  if (root.suite !== now.suite) return "trusted";
  if (issuing?.generation === root.generation) return "issuing";
  return root.generation > (issuing?.generation ?? 0) ? "announced" : "trusted";
}

async function requireAuthority(config: Config): Promise<void> {
  if ((await readIfThere(statePaths(config.state).trustDomain)) !== undefined) return;
  throw new Refusal("bad_state", `There is no authority in ${config.state} yet; run "latticegate up" once.`);
}

function tooEarly(purpose: Purpose, freeUnixMs: number): Refusal {
  return new Refusal(
    "bad_state",
    `Certificates of the old ${purpose} root may be in use until ${new Date(freeUnixMs).toISOString()}. Wait, or end it now with --danger-early: whoever wasn't renewed since the rotation must join again.`,
  );
}
