/**
 * A witness's evidence: both heads with their signatures, the proof that should have led from one to the other, and
 * the keys that signed them. Text, since it is to convince people too (docs/formats/witness.md).
 */
import { fromUtf8, toBase64, utf8 } from "../kernel/bytes.ts";
import { type IncidentKind, incidentKinds } from "./witness.ts";
import { readProofLines } from "./witness-answer.ts";

export interface Incident {
  readonly what: IncidentKind;
  readonly atUnixMs: number;
  readonly says: string;
  /** The last head that the witness had taken, as a note; empty if it had none. */
  readonly kept: Uint8Array;
  /** What it was shown then; empty if nothing was. */
  readonly shown: Uint8Array;
  readonly proof: readonly Uint8Array[];
  /** The log key file of the newest generations that were known. */
  readonly keys: string;
  /** Log key files of the generation that signed either head, which may be older than those; empty if none did. */
  readonly keptSignedBy: string;
  readonly shownSignedBy: string;
}

const format = "dev.latticegate/log-incident@v1";
/** Two notes, sixteen generations of keys and two more, and a proof. */
export const maxIncidentBytes = 768 * 1024;

export function incidentBytes(incident: Incident): Uint8Array {
  const { what, atUnixMs, says, kept, shown, proof, keys, keptSignedBy, shownSignedBy } = incident;
  const head = [format, `kind ${what}`, `at ${new Date(atUnixMs).toISOString()}`, `says ${says}`];
  const section = (name: string, text: string): string => `\n-- ${name} --\n${text}`;
  return utf8(
    [
      `${head.join("\n")}\n`,
      section("kept", fromUtf8(kept) ?? ""),
      section("shown", fromUtf8(shown) ?? ""),
      section("proof", proof.map((hash) => `${toBase64(hash)}\n`).join("")),
      section("keys", keys),
      section("kept signed by", keptSignedBy),
      section("shown signed by", shownSignedBy),
    ].join(""),
  );
}

/** Undefined if it is no such file. */
export function readIncident(bytes: Uint8Array): Incident | undefined {
  const text = bytes.length > maxIncidentBytes ? undefined : fromUtf8(bytes);
  // No line of a note, a proof or a key file begins like this.
  const [head = "", ...sections] = (text ?? "").split(
    /\n-- (?:kept|shown|proof|keys|kept signed by|shown signed by) --\n/,
  );
  const [, kind, at = "", says = ""] = headPattern.exec(head) ?? [];
  const what = incidentKinds.find((each) => each === kind);
  const evidence = readEvidence(sections);
  if (what === undefined || evidence === undefined) return undefined;
  return { what, atUnixMs: Date.parse(at), says, ...evidence };
}

function readEvidence(sections: readonly string[]): Omit<Incident, "what" | "atUnixMs" | "says"> | undefined {
  // The last two came later than the others.
  if (sections.length !== 4 && sections.length !== 6) return undefined;
  const [kept = "", shown = "", hashes = "", keys = "", keptSignedBy = "", shownSignedBy = ""] = sections;
  const proof = readProofLines(hashes.split("\n").slice(0, -1));
  return proof && { kept: utf8(kept), shown: utf8(shown), proof, keys, keptSignedBy, shownSignedBy };
}

const headPattern =
  /^dev\.latticegate\/log-incident@v1\nkind (\S+)\nat (\d{4}-\d\d-\d\dT[\d:.]+Z)\nsays (.*)\n$/;
