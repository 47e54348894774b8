/** Why a server can't be reached over TLS as it has to be, in words: what it has, what was needed, what to do. */
import { groupNamed, type KeyExchangeSuite } from "../../crypto/suites/key-exchange.ts";
import { Refusal } from "../../kernel/refusal.ts";
import { type Offer, offerOf } from "./server-offer.ts";

/** What the link was to negotiate. */
interface Wanted {
  /** Name of the profile. */
  readonly name: string;
  readonly groups: readonly KeyExchangeSuite[];
  readonly ciphers: string;
}

/** How long it is remembered what a server offers: calls that fail ask it no more often. */
const offerLifeMs = 30_000;

/** @returns for an error of a handshake, the Refusal `upstream_failed` that says it; any other error as it is */
export function explainer(
  url: URL,
  wanted: Wanted,
  resolve?: (host: string) => Promise<string>,
): (reason: unknown) => Promise<unknown> {
  let known: { readonly offer: Promise<Offer | undefined>; readonly untilMs: number } | undefined;
  return async (reason) => {
    if (!(reason instanceof Error)) return reason;
    const code = "code" in reason ? String(reason.code) : "unknown";
    const refused = (text: string): Refusal =>
      new Refusal("upstream_failed", text, {
        cause: reason,
        facts: { cause: code, reason: text, sent: false },
      });
    const flaw = certificateFlaw(code, reason.message);
    if (flaw !== undefined) {
      return refused(
        `The server's certificate isn't accepted: ${flaw}. Nothing was sent; it needs another certificate.`,
      );
    }
    if (!code.startsWith("ERR_SSL_")) return reason;
    if (known === undefined || known.untilMs < performance.now()) {
      known = { offer: offerOf(url, wanted.groups, resolve), untilMs: performance.now() + offerLifeMs };
    }
    return refused(`${whyNoLink(await known.offer, code, wanted)} Nothing was sent.`);
  };
}

const certificateFlaws: Readonly<Record<string, string>> = {
  CERT_HAS_EXPIRED: "it has expired",
  CERT_NOT_YET_VALID: "it isn't valid yet",
  ERR_TLS_CERT_ALTNAME_INVALID: "it is for another name",
  DEPTH_ZERO_SELF_SIGNED_CERT: "it is signed by itself",
  SELF_SIGNED_CERT_IN_CHAIN: "its root isn't trusted here",
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: "its root isn't trusted here",
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: "its root isn't trusted here",
};

/** Node has no code for OpenSSL's level of security. */
const weaknesses: readonly (readonly [RegExp, string])[] = [
  [/certificate key too weak/i, "a key in its chain is too short"],
  [/digest algorithm too weak/i, "it is signed with a digest that doesn't count, such as SHA-1"],
];

function certificateFlaw(code: string, message: string): string | undefined {
  const known = certificateFlaws[code];
  if (known !== undefined) return `${known} (${code})`;
  if (code !== "UNSPECIFIED") return undefined;
  return weaknesses.find(([words]) => words.test(message))?.[1];
}

function whyNoLink(offer: Offer | undefined, code: string, { name, groups, ciphers }: Wanted): string {
  if (offer === undefined) {
    const isOld = /PROTOCOL_VERSION|UNSUPPORTED_PROTOCOL/.test(code);
    return isOld
      ? `The server doesn't speak TLS 1.3 (${code}); have it updated.`
      : `The handshake with the server failed (${code}).`;
  }
  const { version, group = "no group", cipher } = offer;
  if (version !== "TLSv1.3") {
    const spoken = version.replace("TLSv", "TLS ");
    return `The server speaks ${spoken} at most, and this link needs TLS 1.3; have the server updated.`;
  }
  if (groups.every(({ id }) => id !== group)) {
    const needed = groups.map(({ id }) => id).join(", ");
    return `The server offers TLS 1.3 with ${group}, and this link needs one of ${needed}; ${remedy(group)}.`;
  }
  if (!ciphers.split(":").includes(cipher)) {
    return `The server offers ${cipher}, and the profile "${name}" needs one of ${ciphers.replaceAll(":", ", ")}; have the server updated.`;
  }
  return `The server takes ${group}, and yet the handshake failed (${code}); it may ask for a client certificate.`;
}

function remedy(offered: string): string {
  const suite = groupNamed(offered);
  if (suite === undefined) return "have the server updated";
  return suite.kind === "hybrid"
    ? `have the server updated, or take a profile that has ${offered}`
    : "have the server updated, or, under the profile `transition`, say `link: { key_exchange: hybrid-preferred }`";
}
