/**
 * The extension from the side of a client that wants to know who signed: it offers the extension itself, so its sidecar
 * leaves signatures in answers, and says beside them what it found.
 */
import { metaMember } from "../wire/meta.ts";
import { extensionId } from "./envelope.ts";
import { extensionSettings } from "./extension-offer.ts";
import { objectIn, textIn } from "./fields.ts";

/** Capabilities of a client that offers it, in both places where servers of either era look; what else they hold stays. */
export function withSignatureOffer<T extends object>(
  capabilities: T,
): T & { readonly extensions: object; readonly experimental: object } {
  const { extensions, experimental } = capabilities as Readonly<Record<string, unknown>>;
  const offer = { [extensionId]: extensionSettings };
  return {
    ...capabilities,
    extensions: { ...objectIn(extensions), ...offer },
    experimental: { ...objectIn(experimental), ...offer },
  };
}

/** What the client's sidecar says of who signed an answer: the sidecar's word, which is why it runs beside the client. */
export interface AnswerSigner {
  /** SPIFFE ID. */
  readonly signed: string;
  readonly mode: "batched" | "direct";
  /** Of a direct signature: JOSE's name. */
  readonly alg?: string;
  /** Whether a person approved the signer's keys, or they were the first that were seen. */
  readonly pin: "first-use" | "approved";
}

const answerMember = "dev.latticegate/answer";
const maxNameLength = 2304;

/** What a result says of its signer; undefined if nobody signed it, or the client didn't ask. */
export function signerOf(result: unknown): AnswerSigner | undefined {
  const said = objectIn(metaMember(result, answerMember));
  const signed = textIn(said?.["signed"], maxNameLength);
  const [mode, alg, pin] = [said?.["mode"], textIn(said?.["alg"], 64), said?.["pin"]];
  if (signed === undefined || (mode !== "batched" && mode !== "direct")) return undefined;
  if (pin !== "first-use" && pin !== "approved") return undefined;
  return { signed, mode, ...(alg !== undefined && { alg }), pin };
}
