/** Commands as clients of the control API: by the socket of the state folder. */
import { Pool } from "undici";

import { problemSchema } from "../../control/problem.ts";
import { collected, exchange } from "../../host/net/http-exchange.ts";
import { fromUtf8, utf8 } from "../../kernel/bytes.ts";
import { Refusal } from "../../kernel/refusal.ts";

const limits = { answerTimeoutMs: 10_000, answerBytes: 16 * 1024 * 1024 };

export interface ControlAnswer {
  readonly status: number;
  /** What its JSON says; undefined if it is none. */
  readonly body: unknown;
}

/**
 * @param name `POST /kill`, below /api/v1
 * @throws Refusal if nobody answers
 */
export async function askControl(socket: string, name: string, sent?: unknown): Promise<ControlAnswer> {
  const [method = "GET", path = "/"] = name.split(" ");
  const pool = new Pool("http://localhost", { socketPath: socket });
  try {
    const answer = await collected(
      await exchange(
        pool,
        {
          method,
          path: `/api/v1${path}`,
          headers: sent === undefined ? [] : ["content-type", "application/json"],
          ...(sent !== undefined && { body: utf8(JSON.stringify(sent)) }),
        },
        limits,
      ),
    );
    return { status: answer.status, body: answer.kind === "whole" ? json(answer.body) : undefined };
  } finally {
    await pool.destroy();
  }
}

/** @throws Refusal `bad_state` with what the gateway says */
export function mustBeDone({ status, body }: ControlAnswer): unknown {
  if (status === 200) return body;
  const { data } = problemSchema.safeParse(body);
  throw new Refusal("bad_state", data?.detail ?? `The gateway's API answers with status ${status}.`);
}

function json(body: Uint8Array): unknown {
  try {
    return JSON.parse(fromUtf8(body) ?? "");
  } catch {
    return undefined;
  }
}
