/** The gateway as the calling end towards servers behind `expose`, for callers that don't sign themselves. */
import { type CallingEnd, callingEnd } from "../../host/calling/calling-end.ts";
import { faultReports } from "../../host/calling/calling-options.ts";
import type { Send } from "../../host/net/patient-send.ts";
import type { PinStore } from "../../host/store/state-pins.ts";
import type { Clock } from "../../kernel/clock.ts";
import type { Log } from "../../kernel/log.ts";
import type { ConfigDocument } from "../config.ts";
import type { ServerAtPeer } from "../upstreams.ts";
import type { MessageKeys } from "./message-keys.ts";

/** Undefined where the operator wants no signatures. */
export type PeerCalling = (to: {
  readonly name: string;
  readonly server: ServerAtPeer;
  readonly send: Send;
}) => CallingEnd | undefined;

interface PeerCallingOptions {
  readonly gatewayId: string;
  readonly keys: MessageKeys;
  readonly settings: ConfigDocument["signatures"];
  readonly pins: PinStore;
  /** Called when a pin was changed here. */
  readonly onPins: () => void;
  readonly maxEventBytes: number;
  readonly clock: Clock;
  readonly log: Log;
}

export function peerCalling(options: PeerCallingOptions): PeerCalling {
  const { gatewayId, keys, settings, pins, onPins, maxEventBytes, clock, log } = options;
  const watched: Pick<PinStore, "of" | "meet" | "cut"> = {
    of: pins.of,
    meet: (...met) => {
      const before = pins.of(met[0]);
      const pin = pins.meet(...met);
      if (pin.keys !== before?.keys || pin.refused !== before?.refused) onPins();
      return pin;
    },
    cut: (...named) => {
      const wasCut = pins.cut(...named);
      if (wasCut) onPins();
      return wasCut;
    },
  };
  return ({ name, server, send }) => {
    const use = server.signatures ?? settings.use;
    if (use === "off" || settings.mode === "none") return undefined;
    const { pathname, search } = new URL(server.url);
    return callingEnd({
      issuer: gatewayId,
      signers: keys.signers,
      name,
      target: server.peer,
      peer: server.peer,
      ledTo: () => server.peer,
      lead: () => {},
      pins: watched,
      hasSigned: () => pins.of(server.peer) !== undefined,
      settings: { use, mode: settings.mode, pins: settings.pins, acceptsChanges: false },
      faults: faultReports(),
      send,
      isCall: ({ path }) => path === pathname + search,
      clients: "many",
      passesOthers: true,
      maxEventBytes,
      clock,
      log,
    });
  };
}
