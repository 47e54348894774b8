/** Passkeys in this browser. What speaks to its devices is loaded with the first that is used. */
import type {
  PublicKeyCredentialCreationOptionsJSON,
  PublicKeyCredentialRequestOptionsJSON,
} from "@simplewebauthn/browser";

import { change } from "./api.ts";
import { fields } from "./model/fields.ts";

const library = () => import("@simplewebauthn/browser");

/** Whether this browser has any, and the page a name: they aren't for bare addresses. */
export function arePasskeysPossible(): boolean {
  const isAddress = /^[\d.]+$|^\[/.test(location.hostname);
  return !isAddress && typeof PublicKeyCredential === "function";
}

/** Has a device make one, and the gateway keep it under that name. @throws Error in words */
export async function addPasskey(name: string): Promise<void> {
  const { startRegistration } = await library();
  const options = await change("POST", "/passkeys/start", {}, optionsIn);
  const answer = await inWords(() =>
    startRegistration({ optionsJSON: options as unknown as PublicKeyCredentialCreationOptionsJSON }),
  );
  await change("POST", "/passkeys", { name, answer });
}

/** Logs in with one that the person chooses. @throws Error in words */
export async function enterWithPasskey(): Promise<void> {
  const { startAuthentication } = await library();
  const options = await change("POST", "/session/passkey/start", {}, optionsIn);
  const answer = await inWords(() =>
    startAuthentication({ optionsJSON: options as unknown as PublicKeyCredentialRequestOptionsJSON }),
  );
  await change("POST", "/session/passkey", answer);
}

function optionsIn(answer: unknown): Readonly<Record<string, unknown>> {
  return fields(fields(answer)["options"]);
}

/** By the names of the browsers' exceptions (WebAuthn Level 3 §5.1). */
const words: Readonly<Record<string, string>> = {
  NotAllowedError: "No passkey was used: you said no, it took too long, or there is none here.",
  InvalidStateError: "This device has a passkey of yours already.",
  NotSupportedError: "No device here makes passkeys that the gateway takes.",
  ConstraintError: "The device can't check that it is you: set a PIN, finger or face on it first.",
  SecurityError: "The browser takes no passkeys on this page.",
  AbortError: "It was broken off.",
};

async function inWords<T>(ask: () => Promise<T>): Promise<T> {
  try {
    return await ask();
  } catch (cause) {
    const name = cause instanceof Error ? cause.name : "";
    throw new Error(words[name] ?? "The device didn't do it.", { cause });
  }
}
