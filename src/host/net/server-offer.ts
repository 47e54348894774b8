/** What a server that turned a handshake down would take: asked in one of our own, on which nothing is ever sent. */
import tls from "node:tls";

import { keyExchangeSuites, type KeyExchangeSuite } from "../../crypto/suites/key-exchange.ts";
import { groupNameOf } from "./link-facts.ts";

export interface Offer {
  /** As Node names it, the newest it speaks. */
  readonly version: string;
  readonly group: string | undefined;
  /** IANA's name of the cipher suite. */
  readonly cipher: string;
}

const timeoutMs = 3000;

/** Groups that are in no profile, so that it can be said what there is. */
const furtherGroups = ["P-384", "P-521"];

/**
 * @param wanted groups it should have; others are taken only if it has none of them
 * @param resolve the address to connect to, by its name
 * @returns undefined if it can't be learned
 */
export async function offerOf(
  { hostname, port }: URL,
  wanted: readonly KeyExchangeSuite[],
  resolve: (host: string) => Promise<string> = (host) => Promise.resolve(host),
): Promise<Offer | undefined> {
  const host = hostname.replace(/^\[|\]$/g, "");
  const at = await resolve(host).catch(() => undefined);
  return at === undefined ? undefined : await askedOf({ host, at, port }, wanted);
}

interface Asked {
  readonly host: string;
  /** What is connected to. */
  readonly at: string;
  readonly port: string;
}

function askedOf({ host, at, port }: Asked, wanted: readonly KeyExchangeSuite[]): Promise<Offer | undefined> {
  const others = keyExchangeSuites.filter((group) => !wanted.includes(group)).map(({ id }) => id);
  return new Promise((resolve) => {
    const link = tls.connect({
      host: at,
      port: Number(port === "" ? 443 : port),
      servername: /^[\d.]+$|:/.test(host) ? "" : host,
      minVersion: "TLSv1.2",
      // Nothing is sent and nothing is believed: whoever answers may be anybody.
      rejectUnauthorized: false,
      // Old servers are to be told apart from dead ones.
      ciphers: "DEFAULT@SECLEVEL=0",
      ecdhCurve: `*${wanted.map(({ id }) => id).join(":")}/${[...others, ...furtherGroups].join(":")}`,
    });
    const settle = (offer: Offer | undefined): void => {
      resolve(offer);
      link.destroy();
    };
    link.setTimeout(timeoutMs, () => settle(undefined));
    link.once("secureConnect", () =>
      settle({
        version: link.getProtocol() ?? "unknown",
        group: groupNameOf(link),
        cipher: link.getCipher().standardName,
      }),
    );
    link.on("error", () => settle(undefined));
    link.once("close", () => settle(undefined));
  });
}
