/**
 * Certificates given out, their families, and revocations. Each certificate knows the first one of the line of
 * renewals it stands in: its family, which is revoked as a whole.
 */
import type { DatabaseSync } from "node:sqlite";

import { Refusal } from "../../kernel/refusal.ts";
import { transaction } from "./database.ts";

interface IssuedCertificate {
  readonly serial: string;
  readonly spiffeId: string;
  readonly purpose: string;
  readonly notAfterUnixMs: number;
}

interface NewCertificate extends IssuedCertificate {
  /** Serial of the certificate this one takes the place of; absent for the first of a family. */
  readonly renewedFrom?: string;
  /** Algorithm of its key. */
  readonly keyAlgorithm?: string;
  /** `lastRevocation` as it was before the right to this certificate was looked at; absent for the gateway's own. */
  readonly asOf?: number;
}

export interface ListedCertificate extends IssuedCertificate {
  /** `superseded`: it was renewed, and still counts until it ends. */
  readonly state: "valid" | "superseded" | "revoked" | "ended";
}

/** What an identity holds of one purpose and algorithm that counts and hasn't ended. */
export interface HeldCertificate {
  readonly spiffeId: string;
  readonly purpose: string;
  /** Undefined of one from before it was written down. */
  readonly keyAlgorithm: string | undefined;
  /** Those that were renewed count until they end. */
  readonly certificates: number;
  /** Of the last to end. */
  readonly notAfterUnixMs: number;
}

/** What one command revoked. */
export interface Revocation {
  /** UUID; the call id of its entry in the audit log. */
  readonly id: string;
  readonly spiffeId: string;
  /** The serial that was named, if one was: then its family is revoked, and no other of the identity. */
  readonly serial: string | undefined;
  readonly atUnixMs: number;
  /** Certificates that still counted. */
  readonly certificates: number;
  /** Join tokens that were still worth something. */
  readonly joinTokens: number;
  /** It could have proven itself anew until now, or come with access tokens. */
  readonly isShutOut?: boolean;
}

/** A revoked certificate that hasn't ended. */
export interface RevokedCertificate {
  readonly serial: string;
  readonly notAfterUnixMs: number;
}

export interface CertificateRecords {
  /** @throws Refusal `bad_certificate` or `bad_join_token` if its family or its identity was revoked meanwhile */
  readonly addCertificate: (certificate: NewCertificate) => void;
  /** Whether that SPIFFE ID was ever given a certificate whose purpose begins like that. */
  readonly wasCertified: (spiffeId: string, purposePrefix: string) => boolean;
  /** The newest thousand. */
  readonly certificates: (nowUnixMs: number) => readonly ListedCertificate[];
  /** All that count and haven't ended, by identity, purpose and algorithm. */
  readonly held: (nowUnixMs: number) => readonly HeldCertificate[];
  /** SPIFFE IDs with a certificate for exactly that purpose that hasn't ended, all of them. */
  readonly holders: (purpose: string, nowUnixMs: number) => readonly string[];
  /**
   * Who holds a certificate that hasn't ended and wasn't revoked, whose family has none that was made since then.
   * @param but SPIFFE IDs that don't count
   */
  readonly stragglers: (
    since: { readonly unixMs: number; readonly lifetimeMs: number },
    nowUnixMs: number,
    but: readonly string[],
  ) => readonly string[];
  /** Revokes the family of a serial number, or all of a SPIFFE ID and its unused join tokens; undefined for what isn't known. */
  readonly revoke: (
    what: string,
    at: { readonly id: string; readonly nowUnixMs: number; readonly isShutOut?: boolean },
  ) => Revocation | undefined;
  /** Lower-case hex. */
  readonly revokedSerials: () => ReadonlySet<string>;
  readonly revokedCertificates: (nowUnixMs: number) => readonly RevokedCertificate[];
  /** Grows with each revocation. */
  readonly lastRevocation: () => number;
  /** Revocations the audit log hasn't got yet, oldest first. */
  readonly unrecorded: () => readonly Revocation[];
  readonly markRecorded: (id: string, nowUnixMs: number) => void;
}

export const certificateSchema = `
  create table if not exists certificates (
    serial text primary key, spiffe_id text not null, purpose text not null,
    not_after_unix_ms integer not null, revoked_unix_ms integer, family text not null default '',
    key_algorithm text
  ) strict;
  create index if not exists certificates_by_id on certificates (spiffe_id);
  create table if not exists revocations (
    seq integer primary key autoincrement, id text not null unique, spiffe_id text not null,
    serial text, at_unix_ms integer not null, certificates integer not null, join_tokens integer not null,
    recorded_unix_ms integer
  ) strict;
`;

/** Brings a database of before families, or before algorithms, to the present. */
export function migrateCertificates(db: DatabaseSync): void {
  const column = db.prepare("select 1 from pragma_table_info('certificates') where name = ?");
  const has = (name: string): boolean => column.get(name) !== undefined;
  if (!has("family")) {
    transaction(db, () => {
      if (has("family")) return; // Another process was quicker.
      db.exec("alter table certificates add column family text not null default ''");
      // Who was renewed from whom wasn't written down: what counts of an identity for one purpose is one family.
      db.exec(`update certificates set family =
        (select min(other.serial) from certificates other
         where other.spiffe_id = certificates.spiffe_id and other.purpose = certificates.purpose
         and (other.revoked_unix_ms is null) = (certificates.revoked_unix_ms is null))`);
    });
  }
  if (!has("key_algorithm")) {
    transaction(db, () => {
      if (!has("key_algorithm")) db.exec("alter table certificates add column key_algorithm text");
    });
  }
  db.exec("create index if not exists certificates_by_family on certificates (family)");
}

export function certificateRecords(db: DatabaseSync): CertificateRecords {
  return { ...issued(db), stragglers: stragglersIn(db), ...revocations(db) };
}

type Issued = Pick<
  CertificateRecords,
  "addCertificate" | "wasCertified" | "certificates" | "held" | "holders"
>;

function issued(db: DatabaseSync): Issued {
  const familyOf = db.prepare("select family from certificates where serial = ?");
  const isFamilyRevoked = db.prepare(
    "select 1 from certificates where family = ? and revoked_unix_ms is not null limit 1",
  );
  const isIdentityRevokedSince = db.prepare(
    "select 1 from revocations where seq > ? and spiffe_id = ? and serial is null limit 1",
  );
  const insert = db.prepare(
    "insert into certificates (serial, spiffe_id, purpose, not_after_unix_ms, family, key_algorithm) values (?, ?, ?, ?, ?, ?)",
  );
  return {
    // INVARIANT: looking and writing are one transaction, so no revocation falls between them.
    addCertificate: (certificate) =>
      transaction(db, () => {
        const { serial, spiffeId, purpose, notAfterUnixMs, keyAlgorithm, renewedFrom, asOf } = certificate;
        // A certificate that isn't known begins a family: the database may be an older one, restored.
        const family =
          renewedFrom === undefined ? serial : String(familyOf.get(renewedFrom)?.["family"] ?? renewedFrom);
        const isRevoked =
          isFamilyRevoked.get(family) !== undefined ||
          (asOf !== undefined && isIdentityRevokedSince.get(asOf, spiffeId) !== undefined);
        if (isRevoked) throw revokedMeanwhile(certificate);
        insert.run(serial, spiffeId, purpose, notAfterUnixMs, family, keyAlgorithm ?? null);
      }),
    wasCertified: (spiffeId, purposePrefix) =>
      db
        .prepare("select 1 from certificates where spiffe_id = ? and instr(purpose, ?) = 1 limit 1")
        .get(spiffeId, purposePrefix) !== undefined,
    certificates: (nowUnixMs) =>
      db
        .prepare(
          `select serial, spiffe_id, purpose, not_after_unix_ms, case
             when revoked_unix_ms is not null then 'revoked'
             when not_after_unix_ms <= ? then 'ended'
             when exists (select 1 from certificates newer where newer.family = certificates.family and newer.purpose = certificates.purpose
                          and newer.rowid > certificates.rowid) then 'superseded'
             else 'valid' end as state
           from certificates order by not_after_unix_ms desc limit 1000`,
        )
        .all(nowUnixMs)
        .map((row) => ({
          serial: String(row["serial"]),
          spiffeId: String(row["spiffe_id"]),
          purpose: String(row["purpose"]),
          notAfterUnixMs: Number(row["not_after_unix_ms"]),
          state: String(row["state"]) as ListedCertificate["state"],
        })),
    held: (nowUnixMs) => held(db, nowUnixMs),
    holders: (purpose, nowUnixMs) =>
      db
        .prepare(
          `select distinct spiffe_id from certificates
           where purpose = ? and not_after_unix_ms > ? order by spiffe_id`,
        )
        .all(purpose, nowUnixMs)
        .map((row) => String(row["spiffe_id"])),
  };
}

function held(db: DatabaseSync, nowUnixMs: number): readonly HeldCertificate[] {
  return db
    .prepare(
      `select spiffe_id, purpose, key_algorithm, count(*) as certificates, max(not_after_unix_ms) as last
       from certificates where revoked_unix_ms is null and not_after_unix_ms > ?
       group by spiffe_id, purpose, key_algorithm order by spiffe_id, purpose, last`,
    )
    .all(nowUnixMs)
    .map((row) => ({
      spiffeId: String(row["spiffe_id"]),
      purpose: String(row["purpose"]),
      keyAlgorithm: row["key_algorithm"] === null ? undefined : String(row["key_algorithm"]),
      certificates: Number(row["certificates"]),
      notAfterUnixMs: Number(row["last"]),
    }));
}

function stragglersIn(db: DatabaseSync): CertificateRecords["stragglers"] {
  return ({ unixMs, lifetimeMs }, nowUnixMs, but) =>
    db
      .prepare(
        `select distinct spiffe_id from certificates
         where purpose in ('client', 'server') and revoked_unix_ms is null and not_after_unix_ms > ?
         and not exists (select 1 from certificates newer where newer.family = certificates.family
           and newer.purpose = certificates.purpose and newer.not_after_unix_ms >= ?)
         order by spiffe_id`,
      )
      .all(nowUnixMs, unixMs + lifetimeMs)
      .map((row) => String(row["spiffe_id"]))
      .filter((spiffeId) => !but.includes(spiffeId));
}

function revocations(db: DatabaseSync): Omit<CertificateRecords, keyof Issued | "stragglers"> {
  const revokedSerials = db.prepare("select serial from certificates where revoked_unix_ms is not null");
  const revokedCertificates = db.prepare(
    `select serial, not_after_unix_ms from certificates
     where revoked_unix_ms is not null and not_after_unix_ms > ? order by serial`,
  );
  const last = db.prepare("select coalesce(max(seq), 0) as seq from revocations");
  const unrecorded = db.prepare("select * from revocations where recorded_unix_ms is null order by seq");
  const markRecorded = db.prepare("update revocations set recorded_unix_ms = ? where id = ?");
  return {
    revoke: (what, at) => transaction(db, () => revoke(db, what, at)),
    revokedSerials: () => new Set(revokedSerials.all().map((row) => String(row["serial"]))),
    revokedCertificates: (nowUnixMs) =>
      revokedCertificates.all(nowUnixMs).map((row) => ({
        serial: String(row["serial"]),
        notAfterUnixMs: Number(row["not_after_unix_ms"]),
      })),
    lastRevocation: () => Number(last.get()?.["seq"] ?? 0),
    unrecorded: () => unrecorded.all().map(revocationOf),
    markRecorded: (id, nowUnixMs) => void markRecorded.run(nowUnixMs, id),
  };
}

const findIdentity =
  "select spiffe_id from certificates where spiffe_id = ? union select spiffe_id from join_grants where spiffe_id = ?";
const findFamily = "select spiffe_id, family from certificates where serial = ? or family = ?";

function revoke(
  db: DatabaseSync,
  what: string,
  { id, nowUnixMs, isShutOut = false }: Parameters<CertificateRecords["revoke"]>[1],
): Revocation | undefined {
  const atUnixMs = nowUnixMs;
  // Nobody here gave out a client's tokens: of it there is nothing to be found, and only that they count no more to say.
  const isIdentity = /:\/\/|^oauth:/.test(what);
  const named = isIdentity ? what : what.toLowerCase().replaceAll(":", "");
  const known = db.prepare(isIdentity ? findIdentity : findFamily).get(named, named);
  if (known === undefined && !isShutOut) return undefined;
  const ended = db
    .prepare(
      `update certificates set revoked_unix_ms = ?
       where ${isIdentity ? "spiffe_id" : "family"} = ? and revoked_unix_ms is null returning not_after_unix_ms`,
    )
    .all(nowUnixMs, isIdentity ? named : String(known?.["family"]))
    .map((row) => Number(row["not_after_unix_ms"]));
  // An identity that is revoked can't come back with a token that was made for it before.
  const voided = isIdentity ? voidTokens(db, named, nowUnixMs) : [];
  const counts = (ends: readonly number[]): number => ends.filter((end) => end > nowUnixMs).length;
  const revocation: Revocation = {
    id,
    spiffeId: isIdentity ? named : String(known?.["spiffe_id"]),
    serial: isIdentity ? undefined : named,
    atUnixMs,
    certificates: counts(ended),
    joinTokens: counts(voided),
    isShutOut,
  };
  // Written even if nothing was left to revoke: a certificate on its way to this identity is then refused.
  return keep(db, revocation, ended.length + voided.length === 0 && !isShutOut);
}

/** @returns when each would have ended */
function voidTokens(db: DatabaseSync, spiffeId: string, nowUnixMs: number): readonly number[] {
  return db
    .prepare(
      `update join_grants set used_unix_ms = ?
       where spiffe_id = ? and used_unix_ms is null returning expires_unix_ms`,
    )
    .all(nowUnixMs, spiffeId)
    .map((row) => Number(row["expires_unix_ms"]));
}

/** @param isEmpty whether nothing came of it, so that there is nothing for the audit log */
function keep(db: DatabaseSync, revocation: Revocation, isEmpty: boolean): Revocation {
  const { id, spiffeId, serial = null, atUnixMs, certificates, joinTokens } = revocation;
  db.prepare(
    `insert into revocations (id, spiffe_id, serial, at_unix_ms, certificates, join_tokens, recorded_unix_ms)
     values (?, ?, ?, ?, ?, ?, ?)`,
  ).run(id, spiffeId, serial, atUnixMs, certificates, joinTokens, isEmpty ? atUnixMs : null);
  return revocation;
}

function revocationOf(row: Record<string, unknown>): Revocation {
  const { serial } = row;
  return {
    id: String(row["id"]),
    spiffeId: String(row["spiffe_id"]),
    serial: typeof serial === "string" ? serial : undefined,
    atUnixMs: Number(row["at_unix_ms"]),
    certificates: Number(row["certificates"]),
    joinTokens: Number(row["join_tokens"]),
  };
}

function revokedMeanwhile({ spiffeId, renewedFrom }: NewCertificate): Refusal {
  const facts = { reason: "revoked", spiffeId, ...(renewedFrom !== undefined && { serial: renewedFrom }) };
  return renewedFrom === undefined
    ? new Refusal("bad_join_token", "The identity was revoked meanwhile. Ask for a new join token.", {
        facts,
      })
    : new Refusal("bad_certificate", "The certificate can't be renewed: it is revoked.", { facts });
}
