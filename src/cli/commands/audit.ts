/** Commands about the audit log. */
import type { CommandRow } from "../command.ts";

export const auditCommands = [
  {
    name: "audit tail",
    arguments: "",
    summary: "Print the last entries of the audit log.",
    load: async () => (await import("../audit.ts")).auditTail,
  },
  {
    name: "audit show",
    arguments: "CALL-ID",
    summary: "Print everything the audit log says about one call.",
    load: async () => (await import("../audit.ts")).auditShow,
  },
  {
    name: "audit query",
    arguments: "",
    summary: "Find calls in the audit log by caller, tool, verdict, rule and time; newest first.",
    load: async () => (await import("../audit-query.ts")).auditQuery,
  },
  {
    name: "audit verify",
    arguments: "",
    summary:
      "Check a log, or a copy, with nothing but its public key: names what was changed, removed, reordered or cut.",
    load: async () => (await import("../audit.ts")).auditVerify,
  },
  {
    name: "audit receipt",
    arguments: "CALL-ID",
    summary: "Print the receipt of a call: proof, verifiable offline, of what the log says about it.",
    load: async () => (await import("../audit-receipt.ts")).auditReceipt,
  },
  {
    name: "audit verify-receipt",
    arguments: "FILE",
    summary: "Check a receipt with nothing but the log's public key, and print what it proves.",
    load: async () => (await import("../audit-receipt.ts")).auditVerifyReceipt,
  },
  {
    name: "audit keys",
    arguments: "",
    summary: "List the generations of the log's keys: which heads each signs, since when, fingerprints.",
    load: async () => (await import("../audit-keys.ts")).auditKeys,
  },
  {
    name: "audit subjects",
    arguments: "",
    summary: "List those the audit log speaks of: name, pseudonym, and when they were first seen.",
    load: async () => (await import("../audit-subjects.ts")).auditSubjects,
  },
  {
    name: "audit erase",
    arguments: "SUBJECT",
    summary:
      "Destroy the key of a caller or user, so that nothing tells any more whose entries in the log its were. The log stays whole.",
    load: async () => (await import("../audit-subjects.ts")).auditErase,
  },
  {
    name: "audit digest",
    arguments: "CALL-ID",
    summary: "Say whether a file is what was asked, or answered, in a call, by the keyed digest in the log.",
    load: async () => (await import("../audit-subjects.ts")).auditDigest,
  },
  {
    name: "audit export",
    arguments: "",
    summary:
      "Write a run of entries with all that verifies them elsewhere: by index, by time, or around one call.",
    load: async () => (await import("../audit-export.ts")).auditExport,
  },
  {
    name: "audit verify-bundle",
    arguments: "FILE",
    summary:
      "Check an exported bundle with nothing but a fingerprint of the log's keys, which the bundle must not bring.",
    load: async () => (await import("../audit-export.ts")).auditVerifyBundle,
  },
  {
    name: "audit verifier",
    arguments: "",
    summary: "Write the page that verifies bundles and receipts in any browser, offline: one file.",
    load: async () => (await import("../audit-export.ts")).auditVerifier,
  },
  {
    name: "audit witness",
    arguments: "",
    summary:
      "Look at the gateway's log once: its head must continue the last one seen; then keep and cosign it.",
    load: async () => (await import("../audit-witness.ts")).auditWitness,
  },
  {
    name: "audit witness accept",
    arguments: "",
    summary:
      "Close an incident of the log that was looked at: what was shown then is its history from now on.",
    load: async () => (await import("../audit-witness.ts")).auditWitnessAccept,
  },
  {
    name: "audit witness compare",
    arguments: "FILE|FOLDER ...",
    summary:
      "Compare heads that several witnesses kept: heads that aren't of one history prove a split view.",
    load: async () => (await import("../audit-witness.ts")).auditWitnessCompare,
  },
  {
    name: "audit witnesses",
    arguments: "",
    summary:
      "List who cosigned the log's heads: which size, when, how far behind; and the incidents they report.",
    load: async () => (await import("../audit-witnesses.ts")).auditWitnesses,
  },
  {
    name: "audit renew",
    arguments: "",
    summary:
      "Wrap the whole log under another hash and sign that, while the gateway runs or not: it stays proven when the algorithms of its time fall. Once a year, and before one is deprecated.",
    load: async () => (await import("../audit-renew.ts")).auditRenew,
  },
  {
    name: "audit renewed",
    arguments: "INDEX",
    summary:
      "Print an entry with its path to the newest renewal; or with --check FILE verify such a print with nothing but the log's key.",
    load: async () => (await import("../audit-renewed.ts")).auditRenewed,
  },
  {
    name: "assess",
    arguments: "",
    summary:
      "Hold this deployment against CoSAI, NSA, OWASP, SOC 2, GDPR, AI Act and CSWP 39, by its own log and by tests.",
    load: async () => (await import("../assess.ts")).assessCommand,
  },
  {
    name: "assess verify",
    arguments: "FILE",
    summary: "Check a report that assess wrote: its signatures, and that a page shows what was signed.",
    load: async () => (await import("../assess.ts")).assessVerify,
  },
] as const satisfies readonly CommandRow[];
