/** A sidecar as the calling end of message signatures: its keys, its pins, and what it tells its client of refusals. */
import { callingEnd } from "../../host/calling/calling-end.ts";
import { type CallingSettings, faultReports } from "../../host/calling/calling-options.ts";
import type { HttpAnswer, HttpRequest } from "../../host/net/http-exchange.ts";
import type { Send } from "../../host/net/patient-send.ts";
import { openPins } from "../../host/store/state-pins.ts";
import { openRoutes } from "../../host/store/state-routes.ts";
import { refusedAnswer } from "../../gate/refuse.ts";
import { signatureCodes } from "../../gate/signature-refusals.ts";
import type { Clock } from "../../kernel/clock.ts";
import type { Log } from "../../kernel/log.ts";
import { Refusal } from "../../kernel/refusal.ts";
import { type Frame, tryReadFrame } from "../../wire/frame.ts";
import { defaultSignatures, type SignatureSettings } from "../config/signatures.ts";
import type { SidecarIdentity } from "../sidecar-identity.ts";
import { statePaths } from "../state-folder.ts";
import { messageKeys } from "./message-keys.ts";

export interface SidecarCallingOptions {
  readonly identity: Pick<SidecarIdentity, "spiffeId" | "gateway" | "keys">;
  readonly state: string;
  /** As people name it. */
  readonly target: string;
  readonly url: URL;
  /** Whose link it is. */
  readonly peer: string;
  readonly clients: "one" | "many";
  readonly signatures?: SignatureSettings | undefined;
  readonly maxEventBytes: number;
  readonly clock: Clock;
  readonly log: Log;
}

export interface SidecarCalling {
  readonly send: Send;
  readonly stop: () => Promise<void>;
}

/** @param send as it is, where nothing is to be signed */
export async function sidecarCalling(send: Send, options: SidecarCallingOptions): Promise<SidecarCalling> {
  const settings = settingsOf(options.signatures ?? defaultSignatures);
  if (settings === undefined) return { send, stop: () => Promise.resolve() };
  const { identity, state, target, url, peer, clients, maxEventBytes, clock, log } = options;
  const { signers, keySet } = await messageKeys(identity.keys);
  const { database } = statePaths(state);
  const [pins, routes] = [openPins(database), openRoutes(database)];
  const path = url.pathname + url.search;
  const isGateway = peer === identity.gateway.spiffeId;
  const ledTo = (): string | undefined => routes.issuerOf(target);
  const calling = callingEnd({
    clients,
    maxEventBytes,
    clock,
    log,
    send,
    settings,
    signers,
    issuer: identity.spiffeId,
    name: target,
    target: isGateway ? `${peer}?server=${url.pathname.split("/").at(-1) ?? ""}` : peer,
    ...(isGateway ? { changer: peer } : { peer }),
    ledTo,
    lead: (issuer) => {
      if (ledTo() !== issuer) routes.lead(target, issuer);
    },
    pins,
    hasSigned: () => {
      const issuer = isGateway ? ledTo() : peer;
      return issuer !== undefined && pins.of(issuer) !== undefined;
    },
    faults: faultReports(),
    isCall: (request) => request.path === path,
  });
  log.info("signatures.ready", { spiffeId: identity.spiffeId, fingerprint: keySet.fingerprint });
  return {
    send: async (request) => {
      try {
        return await calling.exchange(request);
      } catch (error) {
        return told(request, error);
      }
    },
    stop: async () => {
      await calling.stop();
      routes.close();
      pins.close();
    },
  };
}

/** Undefined where this end signs nothing. */
function settingsOf({ use, mode, pins, acceptsChanges }: SignatureSettings): CallingSettings | undefined {
  return use === "off" || mode === "none" ? undefined : { use, mode, pins, acceptsChanges };
}

const ofSignatures: ReadonlySet<string> = new Set(signatureCodes);

/** What is refused for a signature is the answer to the client's own request; clients take it in no other way. */
function told({ body }: HttpRequest, error: unknown): HttpAnswer {
  const frame: Frame | undefined = body && tryReadFrame(body);
  if (frame?.kind !== "request" || !(error instanceof Refusal) || !ofSignatures.has(error.code)) throw error;
  const { status, headers, body: said } = refusedAnswer({ id: "", frame }, error);
  return { kind: "whole", status, headers: [...headers], body: said };
}
