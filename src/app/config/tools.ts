/** `servers.NAME.tools` in the config: what a server's tools are held to once they were seen. */
import { z } from "zod";

import { acceptedChanges } from "../../integrity/tools/tool-pins.ts";

/** SHA-256, base64url. */
export const fingerprint = z
  .string()
  .regex(/^[A-Za-z0-9_-]{43}$/, "expected a fingerprint as `latticegate tools sign` prints it");

export const toolPinning = z.enum(["first-use", "approve", "off"]);

export type ToolPinning = z.output<typeof toolPinning>;

export const toolsSchema = z
  .strictObject({
    pin: toolPinning
      .default("first-use")
      .describe(
        "`first-use` takes the tools as they are when they are first listed, `approve` hides each until `latticegate tools approve`; what changes later is shown as it was pinned, isn't called, and is a finding. `off` shows everything as it comes.",
      ),
    accept: z
      .array(z.enum(acceptedChanges))
      .default([])
      .describe("Kinds of changes that are taken up by themselves, and recorded; none by default."),
    manifest: z
      .string()
      .min(1)
      .optional()
      .describe(
        "File with the server's signed manifest, which approves what it names if `publishers` has its keys; relative to the config file.",
      ),
    publishers: z
      .array(fingerprint)
      .default([])
      .describe(
        "Fingerprints of the keys whose manifests count for this server, from a file or from the server itself.",
      ),
  })
  .prefault({})
  .describe("What its tools are held to.");
