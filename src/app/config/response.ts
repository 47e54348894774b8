/** `response` in the config: what becomes of findings: what is done about them, and what people are told. */
import { z } from "zod";

import { incidentsSchema } from "./incidents.ts";

export const responseSchema = z
  .strictObject({
    playbooks: z
      .string()
      .min(1)
      .default("shipped")
      .describe(
        "`shipped`: the playbooks that come with the program; a file of playbooks, relative to the config file, which replaces those of the same name and adds others; `off` for none.",
      ),
    kill_file: z
      .string()
      .min(1)
      .optional()
      .describe(
        "A file that stops all calls while it is there, relative to the config file; `kill` in the state folder by default.",
      ),
    incidents: incidentsSchema,
  })
  .prefault({})
  .describe(
    "What becomes of findings: what is done about them (docs/guide/playbooks.md), and what people are told.",
  );
