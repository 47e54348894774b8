/** What is asked of the audit log in the control room, done: searched, verified, handed out. */
import { auditBundlePieces } from "../../audit/audit-bundle.ts";
import { Refusal } from "../../kernel/refusal.ts";
import { exportAudit } from "../audit-export.ts";
import { type AuditQuestion, type FoundCall, searchLog } from "../audit-query.ts";
import { loadConfig } from "../config.ts";
import { verifyLogFolder } from "../log-verification.ts";
import { statePaths } from "../state-folder.ts";
import { type Naming, withNames } from "../subject-names.ts";
import type { EntriesAnswer, RecordAnswer, VerdictAnswer } from "./audit-answers.ts";
import { recordOf } from "./record-routes.ts";

export type AuditOrder = { /** The config file of the gateway. */ readonly file: string } & (
  | {
      readonly kind: "search";
      readonly question: Omit<AuditQuestion, "limit">;
      readonly limit: number;
      readonly skip: number;
      /** Tells the entries themselves, too. */
      readonly records: boolean;
    }
  | { readonly kind: "verify" }
  | { readonly kind: "export"; readonly from: number; readonly to: number }
);

export type AuditResult = EntriesAnswer | VerdictAnswer | { readonly text: string };

export async function auditWork(order: AuditOrder): Promise<AuditResult> {
  const config = loadConfig(order.file);
  const paths = statePaths(config.state);
  if (order.kind === "verify")
    return verdictOf(await verifyLogFolder({ folder: paths.log, key: paths.logKey }));
  if (order.kind === "export") {
    const { from, to } = order;
    const range = { kind: "indexes", from, to } as const;
    const { bundle } = await exportAudit({ folder: paths.log, key: paths.logKey, range, wait: false });
    return { text: [...auditBundlePieces(bundle)].join("") };
  }
  const { question, limit, skip, records } = order;
  const notes: string[] = [];
  return await withNames(
    config,
    async (names) => {
      const search = {
        folder: paths.log,
        index: paths.auditIndex,
        rebuild: false,
        names,
        note: (line: string) => void notes.push(line.replace(/^audit query: /, "")),
      };
      const found = await searchLog(search, { ...question, limit: skip + limit + 1 });
      const items = found.slice(skip, skip + limit).map((call) => ({
        ...shownOf(call, names.named),
        ...(records && { records: recordsOf(call, names.named) }),
      }));
      return { items, next: found.length > skip + limit ? String(skip + limit) : null, notes };
    },
    (why) => void notes.push(`Names stay pseudonyms: ${why}`),
  );
}

function shownOf({ first, outcome }: FoundCall, named: Naming): EntriesAnswer["items"][number] {
  const { event, atUnixMs, callId, principal, tool, facts } = named(first.entry);
  const end = (outcome ?? first).entry;
  return {
    index: first.index,
    event,
    atUnixMs,
    callId,
    principal,
    tool,
    outcome: end.outcome,
    facts: { ...facts },
  };
}

function recordsOf({ first, outcome }: FoundCall, named: Naming): RecordAnswer[] {
  return [first, ...(outcome === undefined ? [] : [outcome])].map(({ index, bytes, entry }) =>
    recordOf({ index, bytes, reading: { kind: "entry", entry } }, named),
  );
}

function verdictOf(verdict: Awaited<ReturnType<typeof verifyLogFolder>>): VerdictAnswer {
  if (verdict.kind === "broken")
    return {
      isIntact: false,
      says: verdict.findings.slice(0, maxFindings).map(({ text }) => text),
      size: null,
      signedBy: [],
    };
  const { size, uncovered, pruned, headAt, signedBy } = verdict;
  return {
    isIntact: true,
    says: [
      `${size} entries are exactly what was signed, under the head of ${headAt}.`,
      ...(uncovered > 0 ? [`${uncovered} more wait for the next head.`] : []),
      ...(pruned > 0 ? [`The first ${pruned} were removed by retention.`] : []),
    ],
    size,
    signedBy: [...signedBy],
  };
}

const maxFindings = 100;

/** How far a search goes in pages: further on, other times are asked for. */
const maxSkipped = 5000;

/** @throws Refusal `bad_message` */
export function skipOf(cursor: string | undefined): number {
  const skip = Number(cursor ?? 0);
  if (Number.isInteger(skip) && skip >= 0 && skip <= maxSkipped) return skip;
  throw new Refusal(
    "bad_message",
    `query, cursor: ask for other times; a search shows ${maxSkipped} entries at most.`,
  );
}
