/** What is answered at this end, or by the server: what other ends ask about signatures never reaches a server. */
import { utf8 } from "../kernel/bytes.ts";
import type { Answer, Journaled } from "./call.ts";
import { isAboutSignatures } from "./open.ts";
import type { Ports } from "./ports.ts";
import type { World } from "./world.ts";

export async function answered(call: Journaled, world: World, ports: Ports): Promise<Answer> {
  if (!isAboutSignatures(call)) return await ports.upstreams.forward(call);
  const { signatures } = ports;
  const terms = world.signatures.get(call.server);
  if (signatures === undefined || terms === undefined || terms.use === "off") return methodNotFound(call);
  if (terms.end === "serving") return await signatures.answer(call, terms);
  return await signatures.pass(call, () => ports.upstreams.forward(call), terms);
}

/** As any end says it that knows nothing of signatures: 404 in the modern era, an error in the body alone before. */
function methodNotFound({ frame }: Journaled): Answer {
  const { id, era } = frame?.kind === "request" ? frame : { id: null, era: "legacy" as const };
  const error = { code: -32601, message: "Method not found" };
  return {
    kind: "whole",
    status: era === "modern" ? 404 : 200,
    headers: ["content-type", "application/json"],
    body: utf8(JSON.stringify({ jsonrpc: "2.0", id, error })),
  };
}
