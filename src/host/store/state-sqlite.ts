/**
 * Small shared facts on node:sqlite: join grants, issued certificates, revocations. Commands and the
 * running gateway open the same file; each change is one transaction, on disk when the call returns.
 */
import type { DatabaseSync } from "node:sqlite";

import { type JoinGrant, redeem } from "../../identity/join-token.ts";
import {
  type CertificateRecords,
  certificateRecords,
  certificateSchema,
  migrateCertificates,
} from "./certificate-records.ts";
import { type WorkloadRecords, workloadRecords } from "./state-tokens.ts";
import { openDatabase, transaction } from "./database.ts";
import { dropGrantsOf, grantSchema } from "./state-grants.ts";
import type { HabitStore } from "../../detect/habits.ts";
import type { LabelStore } from "../../inspect/flow-memory.ts";
import { flowSchema, labelStore } from "./state-flow.ts";
import { habitSchema, habitStore } from "./state-habits.ts";
import { type PeerStore, peerSchema, peerStore } from "./state-peers.ts";
import { pinSchema, type PinStore, pinStore } from "./state-pins.ts";

export interface StateStore extends CertificateRecords, WorkloadRecords {
  readonly addGrant: (grant: JoinGrant) => void;
  /** Join tokens that can still be redeemed, without their secrets, the next to end first. */
  readonly openGrants: (
    nowUnixMs: number,
  ) => readonly Pick<JoinGrant, "spiffeId" | "purpose" | "expiresUnixMs">[];
  /** Marks the grant as used. @throws Refusal `bad_join_token` if it can't be redeemed (any more) */
  readonly takeGrant: (secretHash: string, nowUnixMs: number) => JoinGrant;
  /** All that `work` writes, or nothing of it. */
  readonly atomically: <T>(work: () => T) => T;
  /** Changes when another process has written. */
  readonly version: () => number;
  readonly peers: PeerStore;
  readonly flow: LabelStore;
  /** What is learned of callers; see `habitStore`. */
  readonly habits: (key: Uint8Array, today: () => number) => HabitStore;
  readonly pins: PinStore;
  readonly close: () => void;
}

const schema = `
  create table if not exists join_grants (
    secret_hash text primary key, spiffe_id text not null, purpose text not null,
    expires_unix_ms integer not null, used_unix_ms integer
  ) strict;
`;

/** @throws Refusal `bad_state` if the file can't be opened or isn't ours */
export function openState(file: string): StateStore {
  const db = openDatabase(file, (db) => {
    db.exec(schema + certificateSchema + grantSchema + peerSchema + pinSchema + flowSchema + habitSchema);
    migrateCertificates(db);
  });
  const version = db.prepare("pragma data_version");
  const workloads = workloadRecords(db);
  const certificates = certificateRecords(db);
  return {
    ...joinGrants(db),
    ...certificates,
    // Who is revoked can't come back by proving itself anew, as workloads do by themselves, and leaves no grants behind.
    revoke: (what, at) =>
      transaction(db, () => {
        const isShutOut = /^(spiffe:\/\/|oauth:)/.test(what) && workloads.shutOut(what, at.nowUnixMs);
        dropGrantsOf(db, what);
        return certificates.revoke(what, { ...at, isShutOut });
      }),
    ...workloads,
    atomically: (work) => transaction(db, work),
    peers: peerStore(db),
    flow: labelStore(db),
    habits: (key, today) => habitStore(db, key, today),
    pins: pinStore(db),
    version: () => Number(version.get()?.["data_version"]),
    close: () => db.close(),
  };
}

function joinGrants(db: DatabaseSync): Pick<StateStore, "addGrant" | "openGrants" | "takeGrant"> {
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
    openGrants: (nowUnixMs) =>
      db
        .prepare(
          `select spiffe_id, purpose, expires_unix_ms from join_grants
           where used_unix_ms is null and expires_unix_ms > ? order by expires_unix_ms, spiffe_id`,
        )
        .all(nowUnixMs)
        .map((row) => ({
          spiffeId: String(row["spiffe_id"]),
          purpose: row["purpose"] === "server" ? "server" : "client",
          expiresUnixMs: Number(row["expires_unix_ms"]),
        })),
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
