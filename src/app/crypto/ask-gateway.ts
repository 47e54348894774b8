/** Asks the running gateway what its cryptography is at this moment, where it serves its page's API. */
import { Pool } from "undici";

import { collected, exchange } from "../../host/net/http-exchange.ts";
import { fromUtf8 } from "../../kernel/bytes.ts";
import { Refusal } from "../../kernel/refusal.ts";
import { runningGateway } from "../certificate-authority.ts";
import type { Config } from "../config.ts";
import { type LiveDocument, liveDocument } from "./live-document.ts";

export type Answered =
  | { readonly kind: "answered"; readonly live: LiveDocument }
  | { readonly kind: "not running" }
  /** It runs, and can't be asked. */
  | { readonly kind: "silent"; readonly why: string };

/** Each of 8192 links is described in some 300 bytes. */
const limits = { answerTimeoutMs: 10_000, answerBytes: 16 * 1024 * 1024 };

const isOlder = "it is of a version that can't be asked; start it anew with this one";

export async function askGateway(config: Config): Promise<Answered> {
  const run = await runningGateway(config.state);
  if (run === undefined) return { kind: "not running" };
  if (run.api === undefined) return { kind: "silent", why: isOlder };
  try {
    return await ask(run.api);
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    return { kind: "silent", why: `it doesn't answer: ${error.message}` };
  }
}

/** @param api URL, with this start's token in its fragment */
async function ask(api: string): Promise<Answered> {
  const url = new URL(api);
  const token = new URLSearchParams(url.hash.slice(1)).get("token") ?? "";
  const pool = new Pool(url.origin);
  try {
    const headers = ["authorization", `Bearer ${token}`];
    const answer = await collected(
      await exchange(pool, { method: "GET", path: "/api/v1/crypto", headers }, limits),
    );
    if (answer.kind !== "whole") return { kind: "silent", why: "its answer is none" };
    if (answer.status === 404) return { kind: "silent", why: isOlder };
    if (answer.status !== 200) return { kind: "silent", why: `it answers with status ${answer.status}` };
    const live = liveDocument.safeParse(json(answer.body));
    if (live.success) return { kind: "answered", live: live.data };
    return {
      kind: "silent",
      why: "it is of another version than this command; use its own, or start it anew",
    };
  } finally {
    await pool.destroy();
  }
}

function json(body: Uint8Array): unknown {
  try {
    return JSON.parse(fromUtf8(body) ?? "");
  } catch {
    return undefined;
  }
}
