/** Works on drafts of rules in a thread of its own: calls don't wait while somebody types. */
import path from "node:path";
import { parentPort, workerData } from "node:worker_threads";

import { sha256Base64url } from "../../crypto/hash.ts";
import { Refusal } from "../../kernel/refusal.ts";
import type { DraftAnswer, DraftKind, DraftMessage, DraftWork } from "./draft-orders.ts";
import { checkDraft, replayDraft, testDraft } from "./drafts.ts";
import { explainAsked } from "./explain-asked.ts";
import { patchOf, ruleSource } from "./rule-source.ts";

const { file } = workerData as { readonly file: string };

type Works = {
  readonly [K in DraftKind]: (order: DraftWork[K][0]) => DraftWork[K][1] | Promise<DraftWork[K][1]>;
};

const works: Works = {
  source: () => {
    const { kind, file: at, text, documents } = ruleSource(file);
    const name = at === undefined ? null : path.basename(at);
    return { kind, file: name, text, digest: sha256Base64url(JSON.stringify(documents)) };
  },
  check: ({ text }) => checkDraft(text, file),
  test: (order) => testDraft(order, file),
  diff: (order) => replayDraft(order, file),
  explain: (order) => explainAsked(order, file),
  patch: ({ text }) => {
    refuseErrors(text);
    const source = ruleSource(file);
    const name = source.file === undefined ? null : path.basename(source.file);
    return { file: name, patch: patchOf(source, text) };
  },
};

/** Nobody takes away a change that wouldn't load. @throws Refusal `bad_config` that names the first mistake */
function refuseErrors(text: string): void {
  const first = checkDraft(text, file).findings.find(({ severity }) => severity === "error");
  if (first === undefined) return;
  const { line, column, wrong, mend } = first;
  throw new Refusal("bad_config", `Line ${line}, column ${column}: ${wrong} ${mend}`);
}

parentPort?.on("message", (message: DraftMessage) => void reply(message));

async function reply({ kind, order }: DraftMessage): Promise<void> {
  const work = works[kind] as (order: unknown) => DraftWork[DraftKind][1] | Promise<DraftWork[DraftKind][1]>;
  const answer = await answered(async () => await work(order));
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread has no origin
  parentPort?.postMessage(answer);
}

async function answered(work: () => Promise<DraftWork[DraftKind][1]>): Promise<DraftAnswer> {
  try {
    return { kind: "done", answer: await work() };
  } catch (error) {
    if (error instanceof Refusal) return { kind: "refusal", code: error.code, message: error.message };
    return { kind: "fault", stack: error instanceof Error ? (error.stack ?? error.message) : "no error" };
  }
}
