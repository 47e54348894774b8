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
  const text = bytes.length > maxIncidentBytes ? "" : (fromUtf8(bytes) ?? "");
  // No line of a note, a proof or a key file begins like this.
  const parts = text.split(/\n-- (?:kept|shown|proof|keys) --\n/);
  const [head = "", kept = "", shown = "", proofText = "", keys = ""] = parts;
  const [first, kindLine, atLine, saysLine] = head.split("\n");
  const what = incidentKinds.find((kind) => kindLine === `kind ${kind}`);
  const atUnixMs = Date.parse(/^at (\S+)$/.exec(atLine ?? "")?.[1] ?? "");
  const says = /^says (.*)$/.exec(saysLine ?? "")?.[1];
  const proof = readProofLines(proofText.split("\n").filter((line) => line !== ""));
  if (first !== format || parts.length !== 5 || what === undefined) return undefined;
  if (says === undefined || proof === undefined || !Number.isFinite(atUnixMs)) return undefined;
  return { what, atUnixMs, says, kept: utf8(kept), shown: utf8(shown), proof, keys };
}
