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
  /** Places of the config that say `hybrid-preferred`, which asks for a profile with classical groups. */
  readonly preferring: readonly string[];
  readonly stored: StoredFacts;
}

/**
 * @param live what the gateway says of itself, where that is the one who asks
 * @throws Refusal `bad_state` before the first start
 */
export async function cryptoFacts(config: Config, clock: Clock, live?: LiveDocument): Promise<CryptoFacts> {
  const stored = await storedFacts(config, clock);
  const gateway: Answered = live === undefined ? await askGateway(config) : { kind: "answered", live };
  return {
    nowUnixMs: clock.nowUnixMs(),
    configured: config.profile.name,
    inForce: gateway.kind === "answered" ? readInForce(gateway.live.in_force) : stored.inForce,
    gateway,
    webListeners: config.webListeners.map(({ url, key_exchange }) => ({ name: url, key_exchange })),
    preferring: preferringIn(config),
    stored,
  };
}

function preferringIn({ listen, classicalServers, webListeners, servers }: Config): readonly string[] {
  const isPreferred = (dial: string | undefined): boolean => dial === "hybrid-preferred";
  return [
    ...(classicalServers === undefined ? [] : [`listen (${listen})`]),
    ...webListeners.flatMap(({ url, key_exchange: dial }) => (isPreferred(dial) ? [`listen (${url})`] : [])),
    ...Object.entries(servers).flatMap(([name, { link }]) =>
      isPreferred(link.key_exchange) ? [`servers.${name}`] : [],
    ),
  ];
}

/** Undefined if it doesn't run or can't be asked. */
export function liveIn({ gateway }: CryptoFacts): LiveDocument | undefined {
  return gateway.kind === "answered" ? gateway.live : undefined;
}
