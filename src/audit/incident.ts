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
  /** The log key file that holds by both. */
  readonly keys: string;
}

const format = "dev.latticegate/log-incident@v1";
/** Two notes, sixteen generations of keys and a proof. */
export const maxIncidentBytes = 512 * 1024;

export function incidentBytes({ what, atUnixMs, says, kept, shown, proof, keys }: Incident): Uint8Array {
  const head = [format, `kind ${what}`, `at ${new Date(atUnixMs).toISOString()}`, `says ${says}`];
  const section = (name: string, text: string): string => `\n-- ${name} --\n${text}`;
  return utf8(
    [
      `${head.join("\n")}\n`,
      section("kept", fromUtf8(kept) ?? ""),
      section("shown", fromUtf8(shown) ?? ""),
      section("proof", proof.map((hash) => `${toBase64(hash)}\n`).join("")),
      section("keys", keys),
    ].join(""),
  );
}

/** Undefined if it is no such file. */
export function readIncident(bytes: Uint8Array): Incident | undefined {
  const text = bytes.length > maxIncidentBytes ? undefined : fromUtf8(bytes);
  // No line of a note, a proof or a key file begins like this.
  const [head = "", ...sections] = (text ?? "").split(/\n-- (?:kept|shown|proof|keys) --\n/);
  const [, kind, at = "", says = ""] = headPattern.exec(head) ?? [];
  const what = incidentKinds.find((each) => each === kind);
  const [kept = "", shown = "", hashes = "", keys = ""] = sections;
  const proof = readProofLines(hashes.split("\n").slice(0, -1));
  if (sections.length !== 4 || what === undefined || proof === undefined) return undefined;
  return { what, atUnixMs: Date.parse(at), says, kept: utf8(kept), shown: utf8(shown), proof, keys };
}

const headPattern =
  /^dev\.latticegate\/log-incident@v1\nkind (\S+)\nat (\d{4}-\d\d-\d\dT[\d:.]+Z)\nsays (.*)\n$/;
