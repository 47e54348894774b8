/**
 * Where else the state database speaks of a caller or user by name: what is there only for the record goes when the
 * subject is erased, what is in force stays.
 */
import type { DatabaseSync } from "node:sqlite";

import { renewalGraceMs } from "../../identity/renewal.ts";

/** What speaks of an id and is in force. */
export interface StayingRecord {
  readonly what: string;
  readonly rows: number;
}

/** While an enrolment may be under way that a revocation has to stop. */
const revocationMatterMs = 600_000;

/** Of one table. Statements take the id as :id, that it may stand quoted among others as :quoted, and the time as :now. */
interface PersonalRows {
  readonly table: string;
  /** Rows that are there only for the record. */
  readonly record?: string;
  /** Rows that are in force, and what they are. */
  readonly inForce?: { readonly where: string; readonly what: string };
}

const tables = [
  {
    table: "certificates",
    record: `spiffe_id = :id and not_after_unix_ms <= :now - ${renewalGraceMs}`,
    inForce: {
      where: `spiffe_id = :id and not_after_unix_ms > :now - ${renewalGraceMs}`,
      what: "certificates that count, or that could be renewed",
    },
  },
  {
    table: "join_grants",
    record: "spiffe_id = :id and (used_unix_ms is not null or expires_unix_ms <= :now)",
    inForce: {
      where: "spiffe_id = :id and used_unix_ms is null and expires_unix_ms > :now",
      what: "join tokens that can be redeemed",
    },
  },
  {
    table: "revocations",
    record: `spiffe_id = :id and recorded_unix_ms is not null and at_unix_ms <= :now - ${revocationMatterMs}`,
    inForce: {
      where: `spiffe_id = :id and (recorded_unix_ms is null or at_unix_ms > :now - ${revocationMatterMs})`,
      what: "revocations of the last ten minutes, or not in the audit log yet",
    },
  },
  { table: "shut_out", inForce: { where: "spiffe_id = :id", what: "its being shut out (ca readmit)" } },
  {
    table: "upstream_grants",
    inForce: {
      where: "holder = :id or instr(holder, :quoted) > 0",
      what: "grants at servers (grants revoke)",
    },
  },
  {
    table: "key_pins",
    inForce: { where: "name = :id", what: "its pinned message keys (pins forget)" },
  },
  { table: "key_signers", inForce: { where: "name = :id", what: "that it signs messages (pins forget)" } },
  {
    table: "approvals",
    record: "(caller = :id or instr(chain, :quoted) > 0) and state not in ('waiting', 'approved')",
    inForce: {
      where: "(caller = :id or instr(chain, :quoted) > 0) and state in ('waiting', 'approved')",
      what: "calls that wait for approval (approvals deny)",
    },
  },
  { table: "approval_events", record: "recorded = 1 and (caller = :id or instr(facts, :id) > 0)" },
  { table: "incidents", record: "instr(text, :quoted) > 0" },
  { table: "incidents_held_back", record: "instr(text, :quoted) > 0" },
  {
    table: "incident_suppressions",
    inForce: { where: "instr(text, :quoted) > 0", what: "suppressions (incidents lift-suppression)" },
  },
  { table: "pin_events", record: "recorded = 1 and instr(facts, :id) > 0" },
  { table: "peer_events", record: "recorded = 1 and instr(facts, :id) > 0" },
  {
    table: "peer_memory",
    record: `direction = 'incoming' and (peer = :id or instr(peer, :id || ' for ') = 1
      or instr(peer || ',', ' for ' || :id || ',') > 0 or instr(peer || ',', ', ' || :id || ',') > 0)`,
  },
] as const satisfies readonly PersonalRows[];

/** Within a transaction: deletes what is only on record of that id. */
export function forgetRecords(db: DatabaseSync, id: string, nowUnixMs: number): void {
  for (const { table, record } of present(db)) {
    if (record !== undefined)
      db.prepare(`delete from ${table} where ${record}`).run(values(record, id, nowUnixMs));
  }
}

export function stayingRecords(db: DatabaseSync, id: string, nowUnixMs: number): readonly StayingRecord[] {
  return present(db).flatMap(({ table, inForce }) => {
    if (inForce === undefined) return [];
    const { where, what } = inForce;
    const row = db
      .prepare(`select count(*) as n from ${table} where ${where}`)
      .get(values(where, id, nowUnixMs));
    const rows = Number(row?.["n"] ?? 0);
    return rows === 0 ? [] : [{ what, rows }];
  });
}

/** The state of an exposed server has few of them. */
function present(db: DatabaseSync): readonly PersonalRows[] {
  const isThere = db.prepare("select 1 from sqlite_master where type = 'table' and name = ?");
  return tables.filter(({ table }) => isThere.get(table) !== undefined);
}

/** SQLite takes no parameter that a statement doesn't have. */
function values(statement: string, id: string, now: number): Record<string, string | number> {
  const all = { id, quoted: JSON.stringify(id), now };
  return Object.fromEntries(Object.entries(all).filter(([name]) => statement.includes(`:${name}`)));
}
