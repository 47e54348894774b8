/** `response` in the config: what is done about findings by itself. */
import { z } from "zod";

export const responseSchema = z
  .strictObject({
    playbooks: z
      .string()
      .min(1)
      .default("shipped")
      .describe(
        "`shipped`: the playbooks that come with the program; a file of playbooks, relative to the config file, which replaces those of the same name and adds others; `off` for none.",
      ),
  })
  .prefault({})
  .describe("What is done about findings by itself (docs/guide/playbooks.md).");
