/** `latticegate/verify`: checks an audit log from its files and public key alone; no IO of its own. */
export { type AuditBundle, type AuditBundleReading, readAuditBundle } from "../audit/audit-bundle.ts";
export type { BundleFinding } from "../audit/bundle-entries.ts";
export { type Entry, type EntryReading, readEntry } from "../audit/entry.ts";
export type { LogFiles } from "../audit/log-walk.ts";
export { type ReceiptTrust, type ReceiptVerdict, verifyReceipt } from "../audit/receipt.ts";
export {
  proveRenewed,
  readRenewedEntry,
  renewedEntryBytes,
  type RenewedEntryReading,
} from "../audit/renewed-entry.ts";
export type { Renewal } from "../audit/renewal.ts";
export {
  type Finding,
  type GenerationSpan,
  type Verdict,
  verifyLog,
  type VerifyOptions,
} from "../audit/verify.ts";
export type { KeptHeadRelation } from "../audit/kept-head.ts";
export { type BundleTrust, type BundleVerdict, verifyBundle } from "../audit/verify-audit-bundle.ts";
export { type Anchor, type StandingVerdict, verifyStanding } from "../audit/verify-standing.ts";
export { type Hashes } from "../crypto/hash.ts";
export { type LogGeneration, type LogKey, readLogKey } from "../crypto/log-key.ts";
export type { NoteVerifier } from "../crypto/note-keys.ts";
export { type Fallen, readFallen, type Standing, standingWithout } from "../crypto/suites/fallen.ts";
