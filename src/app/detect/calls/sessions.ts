/** Recorded sessions of agents with the answers of their tools (docs/detection.md says the format). */
import { z } from "zod";

import { Refusal } from "../../../kernel/refusal.ts";
import { jsonLines } from "../json-lines.ts";

/** What isn't there or isn't as expected reads as nothing: files of others have other members. */
const callSchema = z.object({
  i: z.number().catch(0),
  t: z.string().catch(""),
  a: z.unknown().optional(),
  o: z.string().optional().catch(undefined),
  x: z.string().optional().catch(undefined),
  m: z.number().catch(0),
});

const noCall = { i: 0, t: "", m: 0 };

const sessionSchema = z.object({
  id: z.string().catch(""),
  src: z.string().catch(""),
  suite: z.string().catch("none"),
  model: z.string().catch(""),
  ut: z.string().catch(""),
  it: z.string().nullable().catch(null),
  attack: z.string().nullable().catch(null),
  sec: z.boolean().nullable().catch(null),
  prompt: z.string().optional().catch(undefined),
  nmal: z.number().catch(0),
  inj: z.array(z.string()).catch([]),
  calls: z.array(callSchema.catch(noCall)).catch([]),
});

export type SessionKind = "benign" | "goalAsUser" | "attack" | "resisted" | "partial" | "noCall" | "excluded";

export interface RecordedCall {
  /** The turn of the agent: its calls go out together. */
  readonly turn: number;
  readonly tool: string;
  readonly args: unknown;
  readonly output: string;
  readonly isHarmful: boolean;
  readonly isUnclear: boolean;
}

export interface RecordedSession {
  readonly id: string;
  readonly source: string;
  readonly suite: string;
  readonly model: string;
  readonly task: string;
  readonly injection: string | undefined;
  readonly kind: SessionKind;
  readonly prompt: string | undefined;
  readonly injected: readonly string[];
  readonly calls: readonly RecordedCall[];
}

const mostSessions = 200_000;
const mostCalls = 10_000;

/** @throws Refusal `bad_config` where a file can't be read or no line is a session */
export async function readSessions(files: {
  readonly sessions: readonly string[];
  readonly outputs: readonly string[];
}): Promise<readonly RecordedSession[]> {
  const outputs = new Map<string, string>();
  for (const file of files.outputs)
    for await (const line of jsonLines(file)) {
      const read = z.object({ h: z.string(), x: z.string() }).safeParse(line);
      if (read.success) outputs.set(read.data.h, read.data.x);
    }
  const sessions: RecordedSession[] = [];
  for (const file of files.sessions)
    for await (const line of jsonLines(file)) {
      const read = sessionSchema.safeParse(line);
      if (!read.success) continue;
      if (sessions.length >= mostSessions)
        throw new Refusal("bad_config", `${file}: more than ${mostSessions} sessions.`);
      sessions.push(recorded(read.data, outputs));
    }
  if (sessions.length === 0) throw new Refusal("bad_config", `No session in ${files.sessions.join(", ")}.`);
  return sessions;
}

function recorded(
  read: z.infer<typeof sessionSchema>,
  outputs: ReadonlyMap<string, string>,
): RecordedSession {
  return {
    id: read.id,
    source: read.src,
    suite: read.suite,
    model: read.model,
    task: read.ut,
    injection: read.it ?? undefined,
    kind: kindOf(read),
    prompt: read.prompt,
    injected: read.inj,
    calls: read.calls.slice(0, mostCalls).map(({ i, t, a, o, x, m }) => ({
      turn: i,
      tool: t,
      args: a,
      output: x ?? (o === undefined ? "" : (outputs.get(o) ?? "")),
      isHarmful: m === 1,
      isUnclear: m === 2,
    })),
  };
}

function kindOf({ it, ut, attack, sec, nmal }: z.infer<typeof sessionSchema>): SessionKind {
  if (attack?.endsWith("dos") === true) return "excluded";
  if (it === null) return ut.startsWith("injection_task") ? "goalAsUser" : "benign";
  if (sec === true) return nmal > 0 ? "attack" : "noCall";
  return nmal > 0 ? "partial" : "resisted";
}
