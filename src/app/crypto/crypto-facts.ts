/** What is known of the cryptography in use: the running gateway's word for what is open, the state folder's for the rest. */
import { type InForce, readInForce } from "../../crypto/suites/in-force.ts";
import type { Clock } from "../../kernel/clock.ts";
import type { Config } from "../config.ts";
import { type Answered, askGateway } from "./ask-gateway.ts";
import type { ListenerDocument, LiveDocument } from "./live-document.ts";
import { type StoredFacts, storedFacts } from "./stored-facts.ts";

export interface CryptoFacts {
  readonly nowUnixMs: number;
  /** What the config names. */
  readonly configured: string;
  readonly inForce: InForce;
  readonly gateway: Answered;
  /** For clients with tokens, as the config has them: what there is to know while no gateway answers. */
  readonly webListeners: readonly Pick<ListenerDocument, "name" | "key_exchange">[];
  readonly stored: StoredFacts;
}

/** @throws Refusal `bad_state` before the first start */
export async function cryptoFacts(config: Config, clock: Clock): Promise<CryptoFacts> {
  const stored = await storedFacts(config, clock);
  const gateway = await askGateway(config);
  return {
    nowUnixMs: clock.nowUnixMs(),
    configured: config.profile.name,
    inForce: gateway.kind === "answered" ? readInForce(gateway.live.in_force) : stored.inForce,
    gateway,
    webListeners: config.webListeners.map(({ url, key_exchange }) => ({ name: url, key_exchange })),
    stored,
  };
}

/** Undefined if it doesn't run or can't be asked. */
export function liveIn({ gateway }: CryptoFacts): LiveDocument | undefined {
  return gateway.kind === "answered" ? gateway.live : undefined;
}
