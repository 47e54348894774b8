/**
 * WebAuthn (W3C Web Authentication Level 3), as passkeys need it: what a browser is asked, and whether what it answers is
 * right. Discoverable credentials only, and only where the authenticator verified that it is its person.
 */
import type {
  AuthenticationResponseJSON,
  PublicKeyCredentialCreationOptionsJSON,
  PublicKeyCredentialRequestOptionsJSON,
  RegistrationResponseJSON,
} from "@simplewebauthn/server";

import { type CoseAlgorithm, passkeyAlgorithms } from "../../crypto/suites/cose.ts";
import { fromBase64url, fromUtf8 } from "../../kernel/bytes.ts";
import { Refusal } from "../../kernel/refusal.ts";
import type { Passkey } from "../store/state-people.ts";

/** Where a passkey is used. */
export interface PasskeyPage {
  /** `https://gate.acme.example:8443` */
  readonly origin: string;
  /** The RP ID: the origin's host, without its port. */
  readonly host: string;
}

export interface NewPasskeyQuestion {
  /** base64url */
  readonly challenge: string;
  readonly page: PasskeyPage;
  /** As devices show it in their lists. */
  readonly person: string;
  /** base64url */
  readonly handle: string;
  /** What that person has for this host: no authenticator makes a second one. */
  readonly known: readonly Passkey[];
  readonly timeoutMs: number;
}

/** The browser's answer to a question, its credential unread. */
type Answer<T extends RegistrationResponseJSON | AuthenticationResponseJSON> = Omit<
  T,
  "clientExtensionResults" | "authenticatorAttachment"
>;
export type RegistrationAnswer = Answer<RegistrationResponseJSON>;
export type LoginAnswer = Answer<AuthenticationResponseJSON>;

interface Expected {
  readonly challenge: string;
  readonly page: PasskeyPage;
}

type Registered = Pick<Passkey, "id" | "publicKey" | "algorithm" | "counter" | "transports" | "isSynced">;

// It takes a sixth of a second to load, and most gateways are started more often than somebody uses a passkey.
const library = () => import("@simplewebauthn/server");
const helpers = () => import("@simplewebauthn/server/helpers");

export async function askForNewPasskey(
  question: NewPasskeyQuestion,
): Promise<PublicKeyCredentialCreationOptionsJSON> {
  const { challenge, page, person, handle, known, timeoutMs } = question;
  const { generateRegistrationOptions } = await library();
  return await generateRegistrationOptions({
    rpName: "Latticegate",
    rpID: page.host,
    userName: person,
    userDisplayName: person,
    userID: bytesOf(handle),
    challenge: bytesOf(challenge),
    timeout: timeoutMs,
    attestationType: "none",
    excludeCredentials: known.map(({ id, transports }) => ({ id, transports: [...transports] })),
    authenticatorSelection: { residentKey: "required", userVerification: "required" },
    supportedAlgorithmIDs: passkeyAlgorithms.map(({ number }) => number),
  });
}

/** @param page where the passkey shall be used */
export async function askForPasskey(
  { challenge, page }: Expected,
  timeoutMs: number,
): Promise<PublicKeyCredentialRequestOptionsJSON> {
  const { generateAuthenticationOptions } = await library();
  return await generateAuthenticationOptions({
    rpID: page.host,
    challenge: bytesOf(challenge),
    timeout: timeoutMs,
    userVerification: "required",
  });
}

/**
 * What an answer says it answers; worth nothing by itself.
 * @throws Refusal `denied` if it says nothing, or was given in another site's frame
 */
export function challengeIn(clientDataJSON: string): string {
  const data = clientDataOf(clientDataJSON);
  if (data?.crossOrigin === true) throw notTaken("cross_origin", "It was used in another site's page.");
  if (typeof data?.challenge === "string") return data.challenge;
  throw notTaken("unreadable", "It doesn't say what it answers.");
}

/** @throws Refusal `denied` with the reason */
export async function checkedRegistration(
  answer: RegistrationAnswer,
  { challenge, page }: Expected,
): Promise<Registered> {
  const algorithms: readonly CoseAlgorithm[] = passkeyAlgorithms;
  const { verifyRegistrationResponse } = await library();
  const { decodeCredentialPublicKey, cose } = await helpers();
  await checkAttestation(answer);
  return await explained(async () => {
    const { verified, registrationInfo } = await verifyRegistrationResponse({
      response: { ...answer, clientExtensionResults: {} },
      expectedChallenge: challenge,
      expectedOrigin: page.origin,
      expectedRPID: page.host,
      requireUserVerification: true,
      supportedAlgorithmIDs: algorithms.map(({ number }) => number),
    });
    if (!verified) throw notTaken("attestation", "What its maker says of it isn't right.");
    const { credential, credentialBackedUp } = registrationInfo;
    const number = Number(decodeCredentialPublicKey(credential.publicKey).get(cose.COSEKEYS.alg));
    const algorithm = algorithms.find((each) => each.number === number)?.name ?? "";
    const { id, publicKey, counter, transports = [] } = credential;
    return { id, publicKey, algorithm, counter, transports, isSynced: credentialBackedUp };
  });
}

/** @throws Refusal `denied` with the reason */
export async function checkedLogin(
  answer: LoginAnswer,
  { challenge, page }: Expected,
  passkey: Passkey,
): Promise<Pick<Passkey, "counter" | "isSynced">> {
  const { verifyAuthenticationResponse } = await library();
  return await explained(async () => {
    const { verified, authenticationInfo } = await verifyAuthenticationResponse({
      response: { ...answer, clientExtensionResults: {} },
      expectedChallenge: challenge,
      expectedOrigin: page.origin,
      expectedRPID: page.host,
      requireUserVerification: true,
      credential: {
        id: passkey.id,
        publicKey: passkey.publicKey,
        counter: passkey.counter,
        transports: [...passkey.transports],
      },
    });
    if (!verified) throw notTaken("signature", "Its signature isn't right.");
    return { counter: authenticationInfo.newCounter, isSynced: authenticationInfo.credentialBackedUp };
  });
}

/**
 * Nobody is asked to attest, and browsers leave out who made an authenticator, or leave its own key's word. Certificates
 * come from somebody else than a browser. INVARIANT: none is ever looked into: the library would fetch the revocation
 * lists that they name, wherever those are.
 */
async function checkAttestation({ response }: RegistrationAnswer): Promise<void> {
  const { decodeAttestationObject } = await helpers();
  const isPlain = await explained(() => {
    const bytes = bytesOf(response.attestationObject);
    const attested = decodeAttestationObject(bytes);
    const format = attested.get("fmt");
    return format === "none" || (format === "packed" && attested.get("attStmt").get("x5c") === undefined);
  });
  if (!isPlain) throw notTaken("attestation", "It brings its maker's certificates, which nobody asked for.");
}

/** What the library says, and what people and the log are told. */
const reasons: readonly (readonly [said: RegExp, why: string, text: string])[] = [
  [/response origin/, "origin", "It was used in another page than this one."],
  [/RP ID hash/, "host", "It is for another host."],
  [/could not be verified/, "unverified", "The device has to check that it is you: by PIN, finger or face."],
  [
    /response counter/i,
    "counter",
    "It counts backwards: somebody may have a copy. Remove it, and add another.",
  ],
];

async function explained<T>(check: () => T | Promise<T>): Promise<T> {
  try {
    return await check();
  } catch (cause) {
    if (cause instanceof Refusal) throw cause;
    const said = cause instanceof Error ? cause.message : "";
    const [, why, text] = reasons.find(([pattern]) => pattern.test(said)) ?? [];
    throw notTaken(why ?? "unreadable", text ?? "It isn't what was asked for.", cause);
  }
}

/** @param why one word, for the audit log */
export function notTaken(why: string, text: string, cause?: unknown): Refusal {
  return new Refusal("denied", `That passkey isn't taken. ${text}`, {
    facts: { why },
    ...(cause !== undefined && { cause }),
  });
}

function clientDataOf(
  clientDataJSON: string,
): { readonly challenge?: unknown; readonly crossOrigin?: unknown } | undefined {
  try {
    const data: unknown = JSON.parse(fromUtf8(fromBase64url(clientDataJSON) ?? new Uint8Array()) ?? "");
    return typeof data === "object" && data !== null ? data : undefined;
  } catch {
    return undefined;
  }
}

function bytesOf(base64url: string): Uint8Array<ArrayBuffer> {
  return new Uint8Array(fromBase64url(base64url) ?? []);
}
