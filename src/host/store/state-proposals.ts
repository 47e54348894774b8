/**
 * What playbooks propose and people approve, in the state database.
 *
 * Durability: each change is on disk when the call returns. Concurrency: every change is one transaction. Bounds: of
 * those that wait, in all and about one caller; those that are over are forgotten after 30 days.
 */
import { openDatabase, transaction } from "./database.ts";
import type { ActionName } from "../../respond/actions.ts";
import type { Limit, Scope } from "../../respond/restriction.ts";

interface ProposedStage {
  readonly action: ActionName;
  readonly forMs: number;
  readonly limit?: Limit;
}

export interface Proposal {
  readonly id: string;
  readonly playbook: string;
  readonly scope: Scope;
  /** In order; the times begin when it is approved. */
  readonly stages: readonly ProposedStage[];
  readonly because: string;
  /** The call whose finding it was. */
  readonly cause: string;
  readonly askedUnixMs: number;
  readonly expiresUnixMs: number;
  readonly approvers: number;
  /** Patterns of who may; anybody who can decide at all if absent. */
  readonly from?: readonly string[];
  readonly votes: readonly ProposalVote[];
  readonly state: "waiting" | "approved" | "denied";
  /** It is approved, and nobody has seen yet that it was done. */
  readonly isUndone?: true;
}

interface ProposalVote {
  /** `operator`, or `person:NAME`. */
  readonly by: string;
  readonly login: string;
  readonly what: "approve" | "deny";
  readonly atUnixMs: number;
  readonly reason?: string;
}

export interface ProposalStore {
  /** @returns `known` if the same waits already; `full` if too many wait */
  readonly add: (proposal: Proposal) => "added" | "known" | "full";
  /** Newest first. */
  readonly list: () => readonly Proposal[];
  /** @returns what `change` made of it, which is what is kept; undefined if there is none @throws what `change` throws */
  readonly change: (id: string, change: (proposal: Proposal) => Proposal) => Proposal | undefined;
  readonly close: () => void;
}

const maxWaiting = 200;
const maxOfCaller = 20;
const keptMs = 30 * 86_400_000;

const schema = `
  create table if not exists proposals (
    id text primary key, asked_unix_ms integer not null, text text not null
  ) strict;
`;

/** @throws Refusal `bad_state` if the file can't be opened */
export function openProposals(file: string): ProposalStore {
  const db = openDatabase(file, (opened) => opened.exec(schema));
  const list = (): readonly Proposal[] =>
    db
      .prepare("select text from proposals order by asked_unix_ms desc, id")
      .all()
      .map((row) => JSON.parse(String(row["text"])) as Proposal);
  const put = (proposal: Proposal): void => {
    const { id, askedUnixMs } = proposal;
    db.prepare("insert or replace into proposals values (?, ?, ?)").run(
      id,
      askedUnixMs,
      JSON.stringify(proposal),
    );
  };
  return {
    add: (proposal) =>
      transaction(db, () => {
        db.prepare("delete from proposals where asked_unix_ms < ?").run(proposal.askedUnixMs - keptMs);
        const waiting = list().filter((each) => isWaiting(each, proposal.askedUnixMs));
        if (waiting.some((each) => whatOf(each) === whatOf(proposal))) return "known";
        const own = waiting.filter(({ scope }) => scope.caller === proposal.scope.caller);
        if (waiting.length >= maxWaiting || own.length >= maxOfCaller) return "full";
        put(proposal);
        return "added";
      }),
    list,
    change: (id, change) =>
      transaction(db, () => {
        const found = list().find((each) => each.id === id);
        if (found === undefined) return undefined;
        const changed = change(found);
        put(changed);
        return changed;
      }),
    close: () => db.close(),
  };
}

export function isWaiting({ state, expiresUnixMs }: Proposal, nowUnixMs: number): boolean {
  return state === "waiting" && nowUnixMs < expiresUnixMs;
}

function whatOf({ playbook, scope: { caller, user, session, server, tool }, stages }: Proposal): string {
  return JSON.stringify([playbook, caller, user, session, server, tool, stages]);
}
