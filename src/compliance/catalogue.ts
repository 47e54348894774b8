/** The frameworks a deployment is held against, in the order of the report. */
import type { Framework } from "./control.ts";
import { aiAct } from "./frameworks/ai-act.ts";
import { cosai } from "./frameworks/cosai.ts";
import { cswp39 } from "./frameworks/cswp39.ts";
import { gdpr } from "./frameworks/gdpr.ts";
import { nsa } from "./frameworks/nsa.ts";
import { owaspAsi } from "./frameworks/owasp-asi.ts";
import { owaspMcp } from "./frameworks/owasp-mcp.ts";
import { soc2 } from "./frameworks/soc2.ts";

export const frameworks = [
  cosai,
  nsa,
  owaspMcp,
  owaspAsi,
  soc2,
  gdpr,
  aiAct,
  cswp39,
] as const satisfies readonly Framework[];
