/**
 * The files that somebody was handed and the fingerprint that they have from elsewhere → what the page says. The rules
 * are those of `latticegate audit verify-bundle` and `verify-receipt`: the same code.
 */
import { type AuditBundle, readAuditBundle } from "../../../src/audit/audit-bundle.ts";
import { type Entry, readEntry } from "../../../src/audit/entry.ts";
import { verifyReceipt } from "../../../src/audit/receipt.ts";
import { type BundleVerdict, verifyBundle } from "../../../src/audit/verify-audit-bundle.ts";
import { keysHash, type LogKey, readLogKey } from "../../../src/crypto/log-key.ts";
import { fromUtf8 } from "../../../src/kernel/bytes.ts";

export interface Given {
  /** A bundle; or a receipt and the log key file that it needs. */
  readonly files: readonly Uint8Array[];
  readonly fingerprint: string;
}

interface Row {
  readonly index: number;
  readonly isBroken: boolean;
  readonly when: string;
  readonly event: string;
  readonly outcome: string;
  readonly who: string;
  readonly what: string;
}

export interface Judgement {
  readonly isIntact: boolean;
  /** The answer in one sentence. */
  readonly says: string;
  /** What was verified, by name. */
  readonly facts: readonly (readonly [string, string])[];
  /** Sentences about what is wrong. */
  readonly findings: readonly string[];
  readonly rows: readonly Row[];
  /** Entries there are, shown or not. */
  readonly count: number;
}

/** Entries shown; more are for other tools. */
const maxRows = 300;

/** Never throws, whatever the files are. */
export function judge({ files, fingerprint }: Given): Judgement {
  const [receipts, others] = [files.filter(isReceipt), files.filter((file) => !isReceipt(file))];
  const [receipt, bundle] = [receipts[0], others[0]];
  if (receipt !== undefined && receipts.length === 1 && others.length <= 1) {
    return judgeReceipt(receipt, bundle, fingerprint);
  }
  if (bundle === undefined || files.length > 1) {
    return no(["Expected one bundle, or one receipt and the log key file."]);
  }
  return judgeBundleFile(bundle, fingerprint);
}

function judgeBundleFile(bytes: Uint8Array, fingerprint: string): Judgement {
  const verdict = verifyBundle(bytes, { fingerprint });
  const reading = readAuditBundle(bytes);
  const findings = verdict.kind === "broken" ? verdict.findings : [];
  if (reading.kind === "bad") return no(findings.map(({ text }) => text));
  const broken = new Set(findings.flatMap(({ what, index }) => (what === "root" ? [] : (index ?? []))));
  const { bundle } = reading;
  const shown = { rows: rowsOf(bundle, broken), count: bundle.entries.length };
  if (verdict.kind === "broken") return { ...no(findings.map(({ text }) => text)), ...shown };
  return { isIntact: true, says: saysOf(verdict), facts: factsOf(verdict), findings: [], ...shown };
}

function saysOf({ first, count, origin }: BundleVerdict & { readonly kind: "intact" }): string {
  const which = count === 1 ? `Entry ${first} is` : `Entries ${first} to ${first + count - 1} are`;
  return `${which} exactly what the log ${origin} was signed over: nothing was changed, removed, added or put in another order.`;
}

function factsOf(verdict: BundleVerdict & { readonly kind: "intact" }): Judgement["facts"] {
  const { origin, first, count, size, headAtUnixS, signedBy, generation, givenGeneration } = verdict;
  return [
    ["Log", origin],
    ["Entries", `${first} to ${first + count - 1} (${count})`],
    ["Signed head", `covers the log's first ${size} entries`],
    ["Signed at", timeOf(headAtUnixS)],
    ["Signed with", signedBy.map(algorithm).join(", ")],
    ["Generation of keys", keysOf(generation, givenGeneration)],
  ];
}

function judgeReceipt(bytes: Uint8Array, keyFile: Uint8Array | undefined, fingerprint: string): Judgement {
  const wanted = fingerprint.replaceAll(/[\s:]/g, "").toLowerCase();
  const logKey = keyFile === undefined ? undefined : logKeyIn(keyFile);
  if (logKey === undefined) return no(["A receipt doesn't bring its log's keys: add the log key file."]);
  const generation = logKey.find(({ keys }) => keysHash(keys) === wanted);
  if (generation === undefined) return no(["No keys in the key file have the fingerprint that you gave."]);
  const verdict = verifyReceipt(bytes, { logKey: [generation] });
  if (verdict.kind === "bad") return no([`The receipt doesn't hold: ${verdict.why}.`]);
  const { entry, index, head } = verdict;
  return {
    isIntact: true,
    says: `This entry stands at place ${index} in the log ${head.origin}, as it was signed.`,
    facts: [
      ["Log", head.origin],
      ["Signed head", `covers the log's first ${head.size} entries`],
      ["Signed at", timeOf(head.atUnixS)],
      ["Signed with", head.signedBy.map(algorithm).join(", ")],
      ["Generation of keys", keysOf(head.generations.at(-1) ?? generation.number, generation.number)],
      ...Object.entries(entry.facts).map(([name, value]) => [`Says: ${name}`, value] as const),
    ],
    findings: [],
    rows: [rowOf(index, entry, false)],
    count: 1,
  };
}

function isReceipt(bytes: Uint8Array): boolean {
  return fromUtf8(bytes.subarray(0, 20)) === "c2sp.org/tlog-proof@";
}

function logKeyIn(bytes: Uint8Array): LogKey | undefined {
  try {
    return readLogKey(fromUtf8(bytes) ?? "");
  } catch {
    return undefined;
  }
}

function no(findings: readonly string[]): Judgement {
  const says = "This can't be relied on: it isn't, or can't be shown to be, what the log was signed over.";
  return { isIntact: false, says, facts: [], findings, rows: [], count: 0 };
}

/** The first entries, and those that are broken with their neighbours. */
function rowsOf({ entries, first }: AuditBundle, broken: ReadonlySet<number>): readonly Row[] {
  const near = [...broken].flatMap((index) => [index - 1, index, index + 1]).map((index) => index - first);
  const places = new Set([...near, ...Array.from({ length: maxRows }, (_, i) => i)]);
  const shown = [...places].filter((at) => at >= 0 && at < entries.length).sort((a, b) => a - b);
  return shown.map((at) => {
    const reading = readEntry(new TextEncoder().encode(entries[at]));
    const index = first + at;
    if (reading.kind === "entry") return rowOf(index, reading.entry, broken.has(index));
    return { ...blank, index, isBroken: true, what: `unreadable: ${reading.why}` };
  });
}

const blank = { when: "", event: "", outcome: "", who: "" } as const;

function rowOf(
  index: number,
  { atUnixMs, event, outcome, principal, tool, facts }: Entry,
  isBroken: boolean,
): Row {
  const what = tool ?? [facts["server"], facts["method"]].filter((part) => part !== undefined).join(" ");
  return { index, isBroken, when: new Date(atUnixMs).toISOString(), event, outcome, who: principal, what };
}

function timeOf(unixS: number | undefined): string {
  const ms = unixS === undefined ? Number.NaN : unixS * 1000;
  return Math.abs(ms) < 8.64e15 ? new Date(ms).toISOString() : "no signature says when";
}

function keysOf(signed: number, given: number): string {
  return signed === given
    ? `${signed}, the one with your fingerprint`
    : `${signed}, which follows from generation ${given}, the one with your fingerprint`;
}

const algorithms: Readonly<Record<string, string>> = {
  ed25519: "Ed25519",
  "ml-dsa-44": "ML-DSA-44",
  "ml-dsa-65": "ML-DSA-65",
  "ml-dsa-87": "ML-DSA-87",
  "slh-dsa-sha2-128s": "SLH-DSA-SHA2-128s",
};

function algorithm(kind: string): string {
  return algorithms[kind] ?? kind;
}
