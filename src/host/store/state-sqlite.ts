/**
 * Small shared facts on node:sqlite: join grants, issued certificates, revocations. Commands and the
 * running gateway open the same file; each change is one transaction, on disk when the call returns.
 */
import { DatabaseSync } from "node:sqlite";

import { type JoinGrant, redeem } from "../../identity/join-token.ts";
import { Refusal } from "../../kernel/refusal.ts";
import { type WorkloadRecords, workloadRecords } from "./state-tokens.ts";

export interface IssuedCertificate {
  readonly serial: string;
  readonly spiffeId: string;
  readonly purpose: string;
  readonly notAfterUnixMs: number;
}

export interface StateStore extends WorkloadRecords {
  readonly addGrant: (grant: JoinGrant) => void;
  /** Marks the grant as used. @throws Refusal `bad_join_token` if it can't be redeemed (any more) */
  readonly takeGrant: (secretHash: string, nowUnixMs: number) => JoinGrant;
  readonly addCertificate: (certificate: IssuedCertificate) => void;
  readonly certificates: () => readonly IssuedCertificate[];
  /** Whether that SPIFFE ID was ever given a certificate whose purpose begins like that. */
  readonly wasCertified: (spiffeId: string, purposePrefix: string) => boolean;
  /** Revokes a serial number, or all certificates of a SPIFFE ID; returns the serials now revoked. */
  readonly revoke: (what: string, nowUnixMs: number) => readonly string[];
  readonly revokedSerials: () => ReadonlySet<string>;
  /** All that `work` writes, or nothing of it. */
  readonly atomically: <T>(work: () => T) => T;
  /** Changes when another process has written. */
  readonly version: () => number;
  readonly close: () => void;
}

const schema = `
  create table if not exists join_grants (
    secret_hash text primary key, spiffe_id text not null, purpose text not null,
    expires_unix_ms integer not null, used_unix_ms integer
  ) strict;
  create table if not exists certificates (
    serial text primary key, spiffe_id text not null, purpose text not null,
    not_after_unix_ms integer not null, revoked_unix_ms integer
  ) strict;
  create index if not exists certificates_by_id on certificates (spiffe_id);
`;

/** @throws Refusal `bad_state` if the file can't be opened or isn't ours */
export function openState(file: string): StateStore {
  const db = open(file);
  const workloads = workloadRecords(db);
  return {
    ...joinGrants(db),
    ...certificateRecords(db, workloads.shutOut),
    ...workloads,
    atomically: (work) => transaction(db, work),
    version: () => Number(db.prepare("pragma data_version").get()?.["data_version"]),
    close: () => db.close(),
  };
}

function joinGrants(db: DatabaseSync): Pick<StateStore, "addGrant" | "takeGrant"> {
  const find = db.prepare(
    "select spiffe_id, purpose, expires_unix_ms, used_unix_ms from join_grants where secret_hash = ?",
  );
  return {
    addGrant: ({ secretHash, spiffeId, purpose, expiresUnixMs }) => {
      db.prepare("insert into join_grants values (?, ?, ?, ?, null)").run(
        secretHash,
        spiffeId,
        purpose,
        expiresUnixMs,
      );
    },
    takeGrant: (secretHash, nowUnixMs) =>
      transaction(db, () => {
        const row = find.get(secretHash);
        const grant = redeem(row === undefined ? undefined : grantOf(secretHash, row), nowUnixMs);
        db.prepare("update join_grants set used_unix_ms = ? where secret_hash = ?").run(
          nowUnixMs,
          secretHash,
        );
        return grant;
      }),
  };
}

function certificateRecords(
  db: DatabaseSync,
  shutOut: WorkloadRecords["shutOut"],
): Pick<StateStore, "addCertificate" | "certificates" | "wasCertified" | "revoke" | "revokedSerials"> {
  return {
    addCertificate: ({ serial, spiffeId, purpose, notAfterUnixMs }) => {
      db.prepare("insert into certificates values (?, ?, ?, ?, null)").run(
        serial,
        spiffeId,
        purpose,
        notAfterUnixMs,
      );
    },
    certificates: () =>
      db
        .prepare(
          "select serial, spiffe_id, purpose, not_after_unix_ms from certificates order by not_after_unix_ms desc limit 1000",
        )
        .all()
        .map((row) => ({
          serial: String(row["serial"]),
          spiffeId: String(row["spiffe_id"]),
          purpose: String(row["purpose"]),
          notAfterUnixMs: Number(row["not_after_unix_ms"]),
        })),
    wasCertified: (spiffeId, purposePrefix) =>
      db
        .prepare("select 1 from certificates where spiffe_id = ? and instr(purpose, ?) = 1 limit 1")
        .get(spiffeId, purposePrefix) !== undefined,
    revoke: (what, nowUnixMs) => {
      // An identity that is revoked can't come back with a token that was made for it before.
      db.prepare("update join_grants set used_unix_ms = ? where spiffe_id = ? and used_unix_ms is null").run(
        nowUnixMs,
        what,
      );
      // Nor by proving itself anew, as workloads do by themselves.
      if (what.startsWith("spiffe://")) shutOut(what, nowUnixMs);
      return db
        .prepare(
          `update certificates set revoked_unix_ms = ?
           where (serial = ? or spiffe_id = ?) and revoked_unix_ms is null returning serial`,
        )
        .all(nowUnixMs, what, what)
        .map((row) => String(row["serial"]));
    },
    revokedSerials: () =>
      new Set(
        db
          .prepare("select serial from certificates where revoked_unix_ms is not null")
          .all()
          .map((row) => String(row["serial"])),
      ),
  };
}

function open(file: string): DatabaseSync {
  try {
    const db = new DatabaseSync(file, { timeout: 5000 });
    db.exec("pragma journal_mode = wal; pragma synchronous = full;");
    db.exec(schema);
    return db;
  } catch (cause) {
    throw new Refusal("bad_state", `${file} can't be opened as the state database.`, { cause });
  }
}

function transaction<T>(db: DatabaseSync, work: () => T): T {
  db.exec("begin immediate");
  try {
    const result = work();
    db.exec("commit");
    return result;
  } catch (error) {
    db.exec("rollback");
    throw error;
  }
}

function grantOf(secretHash: string, row: Record<string, unknown>): JoinGrant {
  const used = row["used_unix_ms"];
  return {
    secretHash,
    spiffeId: String(row["spiffe_id"]),
    purpose: row["purpose"] === "server" ? "server" : "client",
    expiresUnixMs: Number(row["expires_unix_ms"]),
    usedUnixMs: used === null ? null : Number(used),
  };
}
