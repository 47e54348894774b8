/**
 * A root that was announced issues once everybody can know it: after a while, or as soon as all whose certificates
 * count have renewed since they can be told of it, which is what they are told to do.
 */
import type { RootRecord } from "../host/store/state-roots.ts";
import type { OwnIdentity } from "./own-identity.ts";
import { stragglers } from "./stragglers.ts";

const lookEveryMs = 1000;

/** Whoever was given the new root still has to take it into use. */
const lastLooks = 3;

type Watching = Pick<OwnIdentity, "roots" | "state" | "clock" | "log" | "trustDomain">;

/**
 * @param takenUpUnixMs since when a root is told to who renews; undefined if it isn't yet
 * @param changed called when a root was let issue
 */
export function settlingRoots(
  own: Watching,
  takenUpUnixMs: (root: RootRecord) => number | undefined,
  changed: () => void,
): { readonly stop: () => void } {
  const clean = new Map<string, number>();
  const look = (): void => {
    const nowUnixMs = own.clock.nowUnixMs();
    const announced = own.roots.roots().filter((root) => isAnnounced(root, nowUnixMs));
    for (const root of announced) {
      const name = `${root.purpose} ${root.generation}`;
      const since = takenUpUnixMs(root);
      // Who renewed before the doors had it was told the roots of before.
      const isKnown =
        since !== undefined && stragglers(own.state, own.trustDomain, since, own.clock).length === 0;
      clean.set(name, isKnown ? (clean.get(name) ?? 0) + 1 : 0);
      if ((clean.get(name) ?? 0) < lastLooks) continue;
      own.roots.change((_roots, change) => change.issueFrom(root, nowUnixMs));
      own.log.info("identity.root_issues", { purpose: root.purpose, generation: root.generation });
      changed();
    }
  };
  const timer = setInterval(() => {
    try {
      look();
    } catch (error) {
      // Tried again; until then the older root issues.
      own.log.error("state.unreadable", { reason: error instanceof Error ? error.message : "unknown" });
    }
  }, lookEveryMs).unref();
  return { stop: () => clearInterval(timer) };
}

function isAnnounced({ certificate, ended, issuesFromUnixMs }: RootRecord, nowUnixMs: number): boolean {
  return certificate !== null && ended === null && issuesFromUnixMs > nowUnixMs;
}
