/** What commands and time change is put in force on what is open: links, calls, certificates, what is remembered. */
import { whyStopped } from "../gate/stages.ts";
import type { ApprovalDesk } from "./approvals/approval-desk.ts";
import type { renewing } from "./credentials.ts";
import type { Base } from "./data-plane.ts";
import type { PeerWatch } from "./peer-watch.ts";
import type { RootWatch } from "./root-watch.ts";
import type { Serving } from "./serve.ts";
import type { SignatureDesk } from "./signatures/signature-desk.ts";
import type { WatchedWorld } from "./watched-world.ts";

/** Puts in force what commands changed, now and whenever they did. */
export function enforceChanges(
  { world, records, freshKeysSince, onErasure, tools }: Base,
  parts: {
    readonly watch: RootWatch;
    readonly renewal: ReturnType<typeof renewing>;
    readonly reviewed: readonly { readonly review: () => void }[];
    readonly doors: readonly { readonly endAll: Serving["endAll"] }[];
    readonly peers: PeerWatch;
    readonly signatures: SignatureDesk;
    readonly approvals: ApprovalDesk;
  },
): void {
  const { watch, renewal, reviewed, peers, signatures, approvals } = parts;
  let freshKeys = freshKeysSince();
  const stop = stopping(world, parts.doors);
  const enforce = (): void => {
    stop();
    watch.refresh();
    if (freshKeysSince() > freshKeys) renewal.now();
    freshKeys = freshKeysSince();
    for (const { review } of reviewed) review();
    peers.refresh();
    signatures.refresh();
    // The gateway's identity can't be taken from it, only what may have been stolen of it.
    if (watch.isRevoked(world.current().trust)) renewal.now();
    void records.revoked();
    tools.record();
    approvals.record();
  };
  onErasure(peers.forget);
  world.onChange(enforce);
  enforce(); // What was changed while no gateway ran, or while this one started.
}

/** Ends what is under way when all calls are stopped, once: those that come are refused. */
function stopping(world: WatchedWorld, doors: readonly { readonly endAll: Serving["endAll"] }[]): () => void {
  let isStopped = false;
  return () => {
    const why = whyStopped(world.current());
    if (why !== undefined && !isStopped) for (const { endAll } of doors) endAll(why);
    isStopped = why !== undefined;
  };
}
