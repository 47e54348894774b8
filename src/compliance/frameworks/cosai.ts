/** CoSAI, Model Context Protocol Security, §3.3: four levels of assurance in eight dimensions. */
import type { Framework } from "../control.ts";
import { authorization } from "./cosai/authorization.ts";
import { definitions } from "./cosai/definitions.ts";
import { identity } from "./cosai/identity.ts";
import { isolation } from "./cosai/isolation.ts";
import { logging } from "./cosai/logging.ts";
import { state } from "./cosai/state.ts";
import { supply } from "./cosai/supply.ts";
import { transport } from "./cosai/transport.ts";

export const cosai = {
  name: "cosai",
  title: "CoSAI MCP Security, security assurance profiles",
  source:
    "https://github.com/cosai-oasis/ws4-secure-design-agentic-systems/blob/main/model-context-protocol-security.md",
  note: "As of its text for MCP 2026-07-28. Ids are ours. Where it asks for OAuth 2.1, mutual TLS counts as well.",
  controls: [
    ...identity,
    ...authorization,
    ...transport,
    ...isolation,
    ...logging,
    ...supply,
    ...definitions,
    ...state,
  ],
} as const satisfies Framework;
