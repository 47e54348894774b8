/** What browsers say of passkeys, and what they are told, as JSON (WebAuthn Level 3 §5.1.8). */
import { z } from "zod";

import type { Passkey } from "../../host/store/state-people.ts";

/** Credential ids have 1023 bytes at most; a post-quantum signature has 4,627, such a key 2,592. */
const text = (bytes: number) =>
  z
    .string()
    .min(1)
    .max(Math.ceil((bytes * 4) / 3))
    .regex(/^[\w-]+$/, "expected base64url");

const credential = {
  id: text(1023),
  rawId: text(1023),
  type: z.literal("public-key"),
};

/** More than is named here browsers send too; it isn't looked at. */
export const registrationBody = z.object({
  ...credential,
  response: z.object({
    clientDataJSON: text(4096),
    attestationObject: text(16_384),
    transports: z
      .array(z.string().regex(/^[a-z-]{1,32}$/))
      .max(8)
      .default([]),
  }),
});

export const loginBody = z.object({
  ...credential,
  response: z.object({
    clientDataJSON: text(4096),
    authenticatorData: text(8192),
    signature: text(8192),
    userHandle: text(64),
  }),
});

/** For `navigator.credentials`, as JSON. */
export const questionAnswer = z.object({ options: z.record(z.string(), z.unknown()) });

export const passkeyAnswer = z.object({
  id: z.string(),
  name: z.string(),
  /** The page's host that it is for. */
  host: z.string(),
  /** Of its signatures. */
  algorithm: z.string(),
  /** Whether it is kept elsewhere, too: in an account of its maker's. */
  isSynced: z.boolean(),
  createdUnixMs: z.number(),
  usedUnixMs: z.number().nullable(),
});

export function told(passkey: Passkey): z.output<typeof passkeyAnswer> {
  const { id, name, host, algorithm, isSynced, createdUnixMs, usedUnixMs } = passkey;
  return { id, name, host, algorithm, isSynced, createdUnixMs, usedUnixMs: usedUnixMs ?? null };
}
