/** What an end does about message signatures (docs/guide/signatures.md): in the config, and with a sidecar's options. */
import { z } from "zod";

/** `offered`: with ends that do it too, and from then on always with those. */
export const signatureUse = z.enum(["off", "offered", "required"]);
type SignatureUse = z.output<typeof signatureUse>;

/** Whether the keys of an end count that nobody has approved. */
export const pinPolicy = z.enum(["first-use", "approved"]);
export type PinPolicy = z.output<typeof pinPolicy>;

/** `auto`: direct for tools that nobody here called read-only, batched for all else. */
export const signatureModeSetting = z.enum(["auto", "none", "batched", "direct"]);
type SignatureModeSetting = z.output<typeof signatureModeSetting>;

/** Of one end. */
export interface SignatureSettings {
  readonly use: SignatureUse;
  readonly mode: SignatureModeSetting;
  readonly pins: PinPolicy;
  /** Whether messages count that somebody on the way changed, said so, and signed itself. */
  readonly acceptsChanges: boolean;
}

export const defaultSignatures: SignatureSettings = {
  use: "offered",
  mode: "auto",
  pins: "first-use",
  acceptsChanges: false,
};

export const signaturesSchema = z
  .strictObject({
    use: signatureUse
      .default(defaultSignatures.use)
      .describe(
        "`offered` signs and verifies messages with ends that do it too, and holds each that has begun to it; `required` takes no call without; `off` knows nothing of signatures.",
      ),
    mode: signatureModeSetting
      .default(defaultSignatures.mode)
      .describe(
        "The least a signed call, and its answer, must have: `auto` is `direct` for tools not called read-only here and `batched` for all else. A policy's `signature` may ask for more.",
      ),
    pins: pinPolicy
      .default(defaultSignatures.pins)
      .describe(
        "Whether the message keys an end shows first count at once (`first-use`), or only after `latticegate pins approve`.",
      ),
  })
  .prefault({})
  .describe("Signatures of messages, end to end between sidecars, or between a sidecar and this gateway.");

/** Of one server. */
export const serverSignatures = signatureUse
  .optional()
  .describe("Message signatures for this server, instead of `signatures.use`.");

export const readOnlyTools = z
  .array(z.string().min(1).max(256))
  .max(1000)
  .default([])
  .describe(
    'Tools of this server that only read, by name; "*" stands for any run of characters. What a server says of itself never counts. Their calls may be signed in batches.',
  );
