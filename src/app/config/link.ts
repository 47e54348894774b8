/** `servers.<name>.link` in the config: what the links that lead to a server have to prove. */
import { z } from "zod";

/** ML-DSA alone, or a classical identity beside it. */
export const linkAuthentication = z.enum(["ml-dsa-mtls", "hybrid-mtls"]);

export type LinkAuthentication = z.output<typeof linkAuthentication>;

export const linkSchema = z
  .strictObject({
    authentication: linkAuthentication
      .default("ml-dsa-mtls")
      .describe(
        "`hybrid-mtls` takes calls to this server only on links whose two ends proved a classical identity beside the ML-DSA one; with a `peer`, the link to it must too.",
      ),
  })
  .prefault({})
  .describe("What the links on which calls come to this server have to prove.");
