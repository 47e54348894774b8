/**
 * Promised signatures, by the route on which they came: each is to be kept within a second, by a statement that says
 * its very leaf. A route on which one wasn't is suspended until it is, or until nobody can keep it any more.
 */
import { attestWithinMs, type BatchRegister, batchRegister } from "../../integrity/batch-register.ts";
import type { LeafRange } from "../../integrity/batch.ts";
import { longestMemoryMs } from "../../integrity/replay.ts";
import type { Route } from "../../gate/ports.ts";
import type { Clock } from "../../kernel/clock.ts";
import type { PromisedProof, SignatureFault } from "../../model/message-proof.ts";

export interface KeptPromises {
  readonly note: (
    promise: PromisedProof,
    route: Route,
    nowUnixMs: number,
  ) => SignatureFault | "busy" | undefined;
  /** It was refused: nobody waits for its signature any more. */
  readonly drop: (promise: PromisedProof, route: Route) => void;
  /** A statement that holds. @returns what it contradicts */
  readonly cover: (route: Route, range: LeafRange, nowUnixMs: number) => readonly PromisedProof[];
  readonly isSuspended: (route: Route, nowUnixMs: number) => boolean;
  /** What was promised before can't be kept, a person says. */
  readonly giveUp: (signer: string, nowUnixMs: number) => void;
  /**
   * An end that began anew can't keep what it promised before. It counts when that is said for the first time: nobody
   * can have promises forgotten by making it say so again.
   */
  readonly began: (route: Route, sinceUnixMs: number, nowUnixMs: number) => void;
  readonly stop: () => void;
}

/** @param onOverdue told of each promise that is overdue, of each route until it is well again */
export function keptPromises(clock: Clock, onOverdue: OnOverdue): KeptPromises {
  const register = batchRegister();
  const routes = new Map<string, Route>();
  /** Since when the signers are the same, as they said last. */
  const beginnings = new Map<string, number>();
  const overdue = overdueRoutes(register, routes, onOverdue);
  let timer: NodeJS.Timeout | undefined;
  const look = (): void => {
    timer = undefined;
    overdue.look(clock.nowUnixMs());
    schedule();
  };
  const schedule = (): void => {
    const next = timer === undefined ? register.nextOverdueUnixMs() : undefined;
    if (next === undefined) return;
    const dueMs = next - clock.nowUnixMs();
    // What is overdue already is looked at now and then; it may be covered at any time.
    timer = setTimeout(look, dueMs > 0 ? Math.min(dueMs, attestWithinMs) : lookAgainMs).unref();
  };
  return {
    note: (promise, route, nowUnixMs) => {
      const name = nameOf(route);
      if (!routes.has(name)) {
        if (routes.size >= maxRoutes) tidy(routes, (each) => register.overdue(Infinity, each).length > 0);
        if (routes.size >= maxRoutes) return "busy";
        routes.set(name, route);
      }
      const noted = register.note({ ...promise, signer: name }, nowUnixMs);
      if (noted === "full") return "busy";
      if (noted === "wrong_batch") return noted;
      schedule();
      return undefined;
    },
    drop: (promise, route) => register.drop({ ...promise, signer: nameOf(route) }),
    cover: (route, range, nowUnixMs) => {
      const contradicted = register.cover(nameOf(route), range, nowUnixMs);
      return contradicted.map((promise) => ({ ...promise, signer: route.signer }));
    },
    isSuspended: (route, nowUnixMs) => overdue.isOverdue(nameOf(route), nowUnixMs),
    giveUp: (signer, nowUnixMs) => {
      for (const [name, route] of routes) if (route.signer === signer) overdue.forgive(name, nowUnixMs);
    },
    began: (route, sinceUnixMs, nowUnixMs) => {
      const name = nameOf(route);
      if ((beginnings.get(name) ?? -Infinity) >= sinceUnixMs) return;
      if (beginnings.size >= maxRoutes)
        for (const oldest of beginnings.keys().take(1)) beginnings.delete(oldest);
      beginnings.set(name, sinceUnixMs);
      if (routes.has(name)) overdue.forgive(name, Math.min(nowUnixMs, sinceUnixMs + restartLeewayMs));
    },
    stop: () => clearTimeout(timer),
  };
}

type OnOverdue = (promise: PromisedProof, route: Route) => void;

function overdueRoutes(register: BatchRegister, routes: ReadonlyMap<string, Route>, onOverdue: OnOverdue) {
  /** Those on which it was told. */
  const suspended = new Set<string>();
  /** Until when what is overdue on them was promised before its signer began anew. */
  const forgiven = new Map<string, number>();
  const tell = (promise: PromisedProof | undefined): void => {
    const route = promise && routes.get(promise.signer);
    if (promise === undefined || route === undefined || suspended.has(promise.signer)) return;
    suspended.add(promise.signer);
    onOverdue({ ...promise, signer: route.signer }, route);
  };
  /** What is forgiven is on record all the same. */
  const settle = (name: string, now: number): void => {
    const until = forgiven.get(name);
    if (until === undefined) return;
    tell(register.overdue(Math.min(now, until), name)[0]);
    register.giveUp(name, Math.min(now, until));
    if (until <= now) forgiven.delete(name);
  };
  const isOverdue = (name: string, now: number): boolean => {
    settle(name, now);
    const overdue = register.overdue(now, name);
    if (overdue.length === 0) return false;
    if (overdue.some(({ signedAtUnixMs }) => signedAtUnixMs + longestMemoryMs > now)) return true;
    register.giveUp(name, now); // Their claims have expired: no statement could say them any more.
    return register.overdue(now, name).length > 0;
  };
  return {
    isOverdue,
    forgive: (name: string, now: number): void => {
      forgiven.set(name, now + attestWithinMs);
      settle(name, now);
    },
    look: (now: number): void => {
      for (const name of forgiven.keys()) settle(name, now);
      for (const promise of register.overdue(now)) tell(promise);
      for (const name of suspended) if (!isOverdue(name, now)) suspended.delete(name);
    },
  };
}

const lookAgainMs = 250;
/** A signer's clock may differ by that; by more, and it waits until what it promised has expired. */
const restartLeewayMs = 5000;
/** Callers times servers, of those that have promises just now. */
const maxRoutes = 65_536;

/** Neither a SPIFFE ID nor a server's name has a line break. */
function nameOf({ signer, audience }: Route): string {
  return `${signer}\n${audience}`;
}

function tidy(routes: Map<string, Route>, isInUse: (name: string) => boolean): void {
  for (const name of routes.keys()) if (!isInUse(name)) routes.delete(name);
}
