/**
 * Opens a TLS link over a path that may be bad (docs/guide/paths.md): as configured, then with a small hello, then with
 * smaller segments, until one of them leads there. Earlier tries go on meanwhile, so that a slow path loses nothing by it.
 */
import tls from "node:tls";

import { smallHello } from "../../crypto/suites/key-exchange.ts";
import type { Refusal } from "../../kernel/refusal.ts";
import { onAbort } from "../on-abort.ts";
import {
  isSameWay,
  type KnownPaths,
  knownPaths,
  type Tried,
  type Way,
  wayAfter,
  ways,
} from "./known-paths.ts";
import { attempt, type LinkTarget } from "./link-attempt.ts";
import { noWay, tooWeak } from "./path-refusals.ts";
import { whySegmentsAreFixed } from "./segment-size.ts";

/** How a link is opened that isn't told otherwise. */
export const connectTimeoutMs = 10_000;

interface OpenLimits {
  /** For all tries together; `connectTimeoutMs` by default. */
  readonly timeoutMs?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Resolves with a link on which the handshake is done and nothing was sent. */
export type LinkOpener = (target: LinkTarget, limits?: OpenLimits) => Promise<tls.TLSSocket>;

const patienceMs = 1000;
/** Where it is known what works if this doesn't. */
const shortPatienceMs = 250;
/** What earlier tries are still given when a later one was refused. */
const lastGraceMs = 2000;
const maxAttempts = ways.length + 2;

/** @param options of every link; what they offer is what a link may negotiate */
export function linkOpener(options: tls.ConnectionOptions, paths: KnownPaths = knownPaths): LinkOpener {
  const hellos = helloKinds(options);
  return (target, limits = {}) => new Opening(target, { hellos, paths, limits }).link;
}

interface Hellos {
  readonly whole: tls.ConnectionOptions;
  /** Absent where no hybrid group is offered. */
  readonly small?: { readonly options: () => tls.ConnectionOptions; readonly hybrids: readonly string[] };
}

/** One secure context for all links: each of its own would read the keys and roots again, and hold them. */
function helloKinds(options: tls.ConnectionOptions): Hellos {
  const whole = { ...options, secureContext: tls.createSecureContext(options) };
  const retry = smallHello(options.ecdhCurve);
  if (retry === undefined) return { whole };
  let small: tls.ConnectionOptions | undefined;
  const make = (): tls.ConnectionOptions => {
    const limited = { ...options, ecdhCurve: retry.curves, minVersion: "TLSv1.3" } as const;
    return { ...limited, secureContext: tls.createSecureContext(limited) };
  };
  return { whole, small: { options: () => (small ??= make()), hybrids: retry.hybrids } };
}

interface Verdict {
  readonly error: Error;
  /** A server that refuses, or is down, says nothing about the path. */
  readonly how: "by the other end" | "for its path";
}

/** The opening of one link, until the first try that succeeds or the end of them all. */
class Opening {
  readonly #target: LinkTarget;
  readonly #destination: string;
  readonly #hellos: Hellos;
  readonly #paths: KnownPaths;
  readonly #done = Promise.withResolvers<tls.TLSSocket>();
  readonly #running = new Map<() => void, Way>();
  readonly #tried: Tried[] = [];
  readonly #stopListening: (() => void) | undefined;
  readonly #deadline: NodeJS.Timeout;
  #grace: NodeJS.Timeout | undefined;
  #attempts = 0;
  #fallback: Way | undefined;
  /** What no other try will make up for. */
  #verdict: Verdict | undefined;
  #isSearching = false;
  /** There is no further way; what runs may still lead there. */
  #isExhausted = false;
  #isOver = false;
  #found: ((way: Way | undefined) => void) | undefined;

  constructor(
    target: LinkTarget,
    parts: { readonly hellos: Hellos; readonly paths: KnownPaths; readonly limits: OpenLimits },
  ) {
    const { timeoutMs = connectTimeoutMs, signal } = parts.limits;
    this.#target = target;
    this.#destination = `${target.host}:${target.port}`;
    this.#hellos = parts.hellos;
    this.#paths = parts.paths;
    this.#deadline = setTimeout(() => void this.#fail(), timeoutMs);
    const { way, fallback } = this.#paths.wayTo(this.#destination);
    this.#fallback = fallback;
    this.#stopListening =
      signal && onAbort(signal, () => this.#settle(() => this.#done.reject(signal.reason)));
    this.#begin(this.#can(way) ? way : ways[0]);
  }

  get link(): Promise<tls.TLSSocket> {
    return this.#done.promise;
  }

  #begin(way: Way): void {
    if (this.#isOver) return;
    const { small, whole } = this.#hellos;
    this.#attempts += 1;
    const patience = this.#fallback === undefined ? patienceMs : shortPatienceMs;
    const options = way.hello === "small" && small !== undefined ? small.options() : whole;
    const spec = { target: this.#target, way, tls: options, patienceMs: patience };
    const giveUp = attempt(spec, {
      opened: (link) => this.#opened(way, link, giveUp),
      reset: () => {
        this.#running.delete(giveUp);
        void this.#goOn({ way, met: "reset" });
      },
      gone: () => {
        this.#running.delete(giveUp);
        if (this.#isExhausted) this.#failIfAlone();
      },
      troubled: (met) => void this.#goOn({ way, met }),
      failed: (error) => {
        this.#running.delete(giveUp);
        this.#refused(error, "by the other end");
      },
    });
    this.#running.set(giveUp, way);
  }

  #opened(way: Way, link: tls.TLSSocket, giveUp: () => void): void {
    this.#running.delete(giveUp);
    link.on("error", () => link.destroy()); // For what comes before its user listens.
    const weak = way.hello === "small" ? this.#weakness(link) : undefined;
    if (weak !== undefined) {
      link.destroy();
      this.#refused(weak, "for its path");
      return;
    }
    this.#settle(() => {
      // What the first try reached needed no other, however long it took.
      if (isSameWay(way, ways[0])) this.#paths.reachedAsConfigured(this.#destination);
      else if (this.#tried.length > 0) this.#paths.learned(this.#destination, way, this.#tried);
      this.#found?.(way);
      this.#done.resolve(link);
    });
  }

  /**
   * INVARIANT: what a small hello negotiates is hybrid, whatever the profile would take otherwise: who can break the
   * whole hello must not get a weaker link for it.
   */
  #weakness(link: tls.TLSSocket): Refusal | undefined {
    const info = link.getEphemeralKeyInfo();
    const group = info !== null && "name" in info ? String(info.name) : "an unknown group";
    if (this.#hellos.small?.hybrids.includes(group) === true) return undefined;
    return tooWeak(this.#destination, group, this.#tried);
  }

  /** The next way; links that are opened meanwhile wait for what is found. */
  async #goOn(tried: Tried): Promise<void> {
    if (this.#isOver || this.#verdict !== undefined) return;
    this.#tried.push(tried);
    const other = this.#isSearching ? undefined : this.#paths.detourTo(this.#destination);
    if (other !== undefined) {
      const found = await other;
      this.#take(found);
      return;
    }
    if (!this.#isSearching) {
      this.#isSearching = true;
      this.#found = this.#paths.beginDetour(this.#destination);
    }
    this.#take(await this.#next(tried));
  }

  #take(next: Way | undefined): void {
    if (next !== undefined && this.#attempts < maxAttempts) {
      this.#begin(next);
      return;
    }
    this.#isExhausted = true;
    this.#failIfAlone();
  }

  #failIfAlone(): void {
    if (this.#running.size === 0) void this.#fail();
  }

  async #next(tried: Tried): Promise<Way | undefined> {
    const fallback = this.#fallback;
    this.#fallback = undefined;
    if (fallback !== undefined && this.#can(fallback)) return fallback;
    return wayAfter(tried, {
      sendSmallHello: this.#hellos.small !== undefined,
      lowerSegments: (await whySegmentsAreFixed()) === undefined,
    });
  }

  #can(way: Way): boolean {
    return way.hello === "whole" || this.#hellos.small !== undefined;
  }

  #refused(error: Error, how: Verdict["how"]): void {
    this.#verdict ??= { error, how };
    this.#isExhausted = true;
    // Besides the deadline there is; whichever comes first.
    this.#grace ??= setTimeout(() => void this.#fail(), lastGraceMs);
    this.#failIfAlone();
  }

  async #fail(): Promise<void> {
    const { error, how } = this.#verdict ?? {
      error: await noWay(this.#destination, this.#tried),
      how: "for its path",
    };
    this.#settle(() => {
      if (this.#tried.length > 0 && how === "for its path") {
        this.#paths.gaveUp(this.#destination, this.#tried);
      }
      this.#done.reject(error);
    });
  }

  #settle(act: () => void): void {
    if (this.#isOver) return;
    this.#isOver = true;
    clearTimeout(this.#deadline);
    clearTimeout(this.#grace);
    this.#stopListening?.();
    act();
    this.#found?.(undefined); // Where nothing was found; else it has been said.
    for (const giveUp of this.#running.keys()) giveUp();
  }
}
