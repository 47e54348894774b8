/** What unlocks the sealed keys, and the process that may hold the root and log keys instead of the gateway. */
import { z } from "zod";

import { isCredentialName } from "../../host/store/secret-source.ts";
import { secretSource } from "./values.ts";

/** Where a secret of our own process stands; never the secret itself. */
export const ownSecretSource = z.union([
  ...secretSource.options,
  z.strictObject({
    credential: z
      .string()
      .refine(isCredentialName, "expected the name of a systemd credential, without a path")
      .describe("Name of a systemd credential (LoadCredential=, LoadCredentialEncrypted=)."),
  }),
]);

export const signerSchema = z.strictObject({
  socket: z.string().min(1).describe("Unix socket of `latticegate signer`; relative to the config file."),
  secret: ownSecretSource
    .optional()
    .describe(
      "What the gateway and its signer prove themselves to each other with. By default the file `signer.key` in the state folder, made by `latticegate signer init`.",
    ),
});
