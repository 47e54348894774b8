/** Message signatures at a server behind `expose`: its own keys and pins, in its own state folder. */
import type { Journal, Signatures } from "../../gate/ports.ts";
import type { PinnedSigners, SignatureTerms } from "../../gate/world.ts";
import { openPins } from "../../host/store/state-pins.ts";
import type { Clock } from "../../kernel/clock.ts";
import type { Log } from "../../kernel/log.ts";
import type { SignatureSettings } from "../config/signatures.ts";
import type { SidecarIdentity } from "../sidecar-identity.ts";
import { statePaths } from "../state-folder.ts";
import { messageKeys } from "./message-keys.ts";
import { observedPins } from "./observed-pins.ts";
import { pinnedSigners, signatureDesk } from "./signature-desk.ts";
import { exposedSignatures } from "./signature-terms.ts";

export interface ExposedDesk {
  readonly signatures: Signatures;
  readonly terms: SignatureTerms;
  /** As the pins are now. */
  readonly signers: () => PinnedSigners;
  readonly fingerprint: string;
  /** Called whenever the pins have changed. */
  readonly onChange: (act: () => void) => void;
  readonly stop: () => Promise<void>;
}

interface ExposedDeskOptions {
  readonly identity: SidecarIdentity;
  readonly state: string;
  readonly signatures: SignatureSettings;
  readonly readOnly: readonly string[];
  readonly journal: Journal;
  readonly clock: Clock;
  readonly log: Log;
}

/** How soon what a command did to the pins is in force. */
const pinWatchMs = 100;

export async function openExposedDesk(options: ExposedDeskOptions): Promise<ExposedDesk> {
  const { identity, signatures: settings, readOnly, journal, clock, log } = options;
  const keys = await messageKeys(identity.keys);
  const pins = openPins(statePaths(options.state).database);
  let changed = (): void => {};
  const observed = observedPins(pins, () => changed());
  const desk = signatureDesk({
    id: identity.spiffeId,
    keys,
    algorithm: () => identity.profile.identity.id,
    pins: observed,
    policy: settings.pins,
    journal,
    clock,
    log,
  });
  let seen = pins.version();
  const timer = setInterval(() => {
    try {
      const now = pins.version();
      if (now === seen) return;
      desk.refresh();
      changed();
      seen = now;
    } catch (error) {
      // Tried again at the next tick; until then the pins count that there are.
      log.error("state.unreadable", { reason: error instanceof Error ? error.message : "unknown" });
    }
  }, pinWatchMs).unref();
  const { spiffeId, gateway } = identity;
  return {
    signatures: desk,
    terms: exposedSignatures(settings, { spiffeId, gatewayId: gateway.spiffeId, readOnly }),
    signers: () => pinnedSigners(pins, settings.pins),
    fingerprint: keys.keySet.fingerprint,
    onChange: (act) => (changed = act),
    stop: async () => {
      clearInterval(timer);
      await desk.stop();
      pins.close();
    },
  };
}
