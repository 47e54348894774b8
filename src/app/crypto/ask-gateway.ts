/** Asks the running gateway what its cryptography is at this moment. */
import { Refusal } from "../../kernel/refusal.ts";
import { runningGateway } from "../certificate-authority.ts";
import type { Config } from "../config.ts";
import { askControl } from "../control/ask-control.ts";
import { type LiveDocument, liveDocument } from "./live-document.ts";

export type Answered =
  | { readonly kind: "answered"; readonly live: LiveDocument }
  | { readonly kind: "not running" }
  /** It runs, and can't be asked. */
  | { readonly kind: "silent"; readonly why: string };

const isOlder = "it is of a version that can't be asked; start it anew with this one";

export async function askGateway(config: Config): Promise<Answered> {
  const run = await runningGateway(config.state);
  if (run === undefined) return { kind: "not running" };
  if (run.control === undefined) return { kind: "silent", why: isOlder };
  try {
    return await ask(run.control);
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    return { kind: "silent", why: `it doesn't answer: ${error.message}` };
  }
}

async function ask(socket: string): Promise<Answered> {
  const { status, body } = await askControl(socket, "GET /crypto");
  if (status === 404) return { kind: "silent", why: isOlder };
  if (status !== 200) return { kind: "silent", why: `it answers with status ${status}` };
  const live = liveDocument.safeParse(body);
  if (live.success) return { kind: "answered", live: live.data };
  return {
    kind: "silent",
    why: "it is of another version than this command; use its own, or start it anew",
  };
}
