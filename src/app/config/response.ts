/** `response` in the config: what becomes of findings. */
import { z } from "zod";

import { incidentsSchema } from "./incidents.ts";

export const responseSchema = z
  .strictObject({ incidents: incidentsSchema })
  .prefault({})
  .describe("What becomes of what is found.");
