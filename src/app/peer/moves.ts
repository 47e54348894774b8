/** When a machine moves to another network, or wakes up: what it had open before leads nowhere any more. */
import { ownAddresses } from "../../host/peer/own-networks.ts";
import type { Clock } from "../../kernel/clock.ts";

const lookMs = 1000;
/** By the clock on the wall, which goes on while a machine sleeps: a timer that is late by so much wasn't late. */
const sleptMs = 8000;

/** @param act is told. @returns stops looking */
export function onMoves(clock: Clock, act: () => void): () => void {
  let known = ownAddresses().join();
  let lookedUnixMs = clock.nowUnixMs();
  const timer = setInterval(() => {
    const addresses = ownAddresses().join();
    const nowUnixMs = clock.nowUnixMs();
    const isElsewhere = addresses !== known || nowUnixMs - lookedUnixMs > sleptMs;
    known = addresses;
    lookedUnixMs = nowUnixMs;
    if (isElsewhere) act();
  }, lookMs).unref();
  return () => clearInterval(timer);
}
