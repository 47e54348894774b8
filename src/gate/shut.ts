/**
 * What is under way when a restriction comes into force: no more of an answer or a stream is delivered that would be
 * refused if it were asked for now. INVARIANT: a stream that is resumed doesn't say which tool it is of, so it is taken to
 * be of any that the restriction is about.
 */
import { Refusal } from "../kernel/refusal.ts";
import { decide, type Denial, type Question } from "../policy/decide.ts";
import type { Judged, Received } from "./call.ts";
import type { World } from "./world.ts";

/** Asked before each piece is delivered. @throws Refusal `denied`, `cut_off` once a restriction is about the call */
export function shutter(call: Judged, now: (() => World) | undefined): () => void {
  let open: World | undefined;
  return () => {
    const world = now?.();
    if (world === undefined || world === open) return;
    const denial = shutBy(call, call.question, world);
    if (denial !== undefined) throw new Refusal(denial.cuts === true ? "cut_off" : "denied", denial.because);
    open = world;
  };
}

/** The restriction that ends it; undefined where none does. */
export function shutBy(
  call: Pick<Received, "verb" | "header">,
  question: Question,
  { shutting, observes }: World,
): Denial | undefined {
  if (shutting === undefined || observes) return undefined;
  const isResumed = call.verb === "GET" && call.header("last-event-id") !== undefined;
  const verdict = decide(question, isResumed ? shutting.ofResumed : shutting.rules);
  if (verdict.kind === "permit") return undefined;
  // No rule of a restriction allows anything: that none does says nothing.
  return verdict.effect === undefined && verdict.erred === undefined ? undefined : verdict;
}
