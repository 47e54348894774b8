/** Pins of this end, whose world follows at once when it changes one itself. */
import type { PinStore } from "../../host/store/state-pins.ts";

/** @param changed called after each change that this process makes */
export function observedPins(pins: PinStore, changed: () => void): PinStore {
  const after = <T>(result: T): T => {
    changed();
    return result;
  };
  return {
    ...pins,
    meet: (name, found, nowUnixMs) => {
      const before = JSON.stringify(pins.of(name));
      const pin = pins.meet(name, found, nowUnixMs);
      return JSON.stringify(pin) === before ? pin : after(pin);
    },
    cut: (name, because, nowUnixMs) => pins.cut(name, because, nowUnixMs) && after(true),
    approve: (name, fingerprint, nowUnixMs) => after(pins.approve(name, fingerprint, nowUnixMs)),
    forget: (name, nowUnixMs) => pins.forget(name, nowUnixMs) && after(true),
    signed: (name, nowUnixMs) => after(pins.signed(name, nowUnixMs)),
  };
}
