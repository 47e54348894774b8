/** Whether a call's receipt holds, by the code that `latticegate audit verify-receipt` runs. */
import { verifyReceipt } from "../../../src/audit/receipt.ts";
import { keysHash, readLogKey } from "../../../src/crypto/log-key.ts";
import { fromBase64, utf8 } from "../../../src/kernel/bytes.ts";

export interface GivenReceipt {
  readonly receipt: string;
  /** As the gateway says its log's public keys. */
  readonly logKey: string;
  /** In base64. */
  readonly crossings: readonly { readonly generation: number; readonly file: string }[];
  /** The log it is said to be of. */
  readonly origin: string;
  /** Fingerprint of the keys that this browser took for the log's before. */
  readonly pinned: string | undefined;
  /** What is shown, and has to be what is proven. */
  readonly shown: Shown;
}

export interface Shown {
  readonly callId: string;
  readonly event: string;
  readonly index?: number;
}

export interface ReceiptJudgement {
  readonly holds: boolean;
  /** The newest keys the gateway says. */
  readonly fingerprint: string;
  /** These aren't the keys that were pinned, nor do they follow from them. */
  readonly isOtherLog: boolean;
  /** In order, each with what was found. */
  readonly steps: readonly {
    readonly name: string;
    readonly holds: boolean | undefined;
    readonly says: string;
  }[];
}

const algorithms: Readonly<Record<string, string>> = {
  ed25519: "Ed25519",
  "ml-dsa-44": "ML-DSA-44",
  "ml-dsa-65": "ML-DSA-65",
  "ml-dsa-87": "ML-DSA-87",
  "slh-dsa-sha2-128s": "SLH-DSA-SHA2-128s",
};

/** @throws Refusal if the gateway's keys can't be read */
export function judgeReceipt({
  receipt,
  logKey,
  crossings,
  origin,
  pinned,
  shown,
}: GivenReceipt): ReceiptJudgement {
  const generations = readLogKey(logKey);
  const newest = generations.at(-1);
  if (newest === undefined) throw new Error("the gateway says no keys of its log");
  const fingerprint = keysHash(newest.keys);
  const trusted = generations.find(({ keys }) => keysHash(keys) === (pinned ?? fingerprint));
  const keyStep = {
    name: "Keys",
    holds: trusted !== undefined,
    says: keysSay(pinned, trusted !== undefined),
  };
  if (trusted === undefined)
    return { holds: false, fingerprint, isOtherLog: true, steps: [keyStep, ...untried()] };
  const files = new Map(
    crossings.map(({ generation, file }) => [generation, fromBase64(file) ?? new Uint8Array()]),
  );
  const verdict = verifyReceipt(utf8(receipt), { logKey: [trusted], crossings: files });
  if (verdict.kind === "bad") {
    const broken = { name: "Proof", holds: false, says: verdict.why };
    return { holds: false, fingerprint, isOtherLog: false, steps: [keyStep, broken] };
  }
  const { index, head, entry } = verdict;
  const other = otherThan(shown, { index, ...entry });
  if (head.origin !== origin || other !== undefined) {
    const says = other ?? `it is of the log ${head.origin}, and not of ${origin}`;
    const name = other === undefined ? "Head" : "Entry";
    return {
      holds: false,
      fingerprint,
      isOtherLog: other === undefined,
      steps: [keyStep, { name, holds: false, says }],
    };
  }
  const signedBy = head.signedBy.map((kind) => algorithms[kind] ?? kind).join(", ");
  const steps = [
    keyStep,
    { name: "Head", holds: true, says: `${head.size} entries of ${head.origin}, signed with ${signedBy}` },
    {
      name: "Place",
      holds: true,
      says: `entry ${index} is under that head: its path of hashes leads to the root`,
    },
    {
      name: "Entry",
      holds: true,
      says: `${entry.event}, ${entry.outcome}: unchanged since it was written`,
    },
  ];
  return { holds: true, fingerprint, isOtherLog: false, steps };
}

function keysSay(pinned: string | undefined, isTrusted: boolean): string {
  if (pinned === undefined)
    return "taken for the log's from now on: compare the fingerprint below with the one that latticegate audit keys prints";
  return isTrusted
    ? "the keys that this browser knows of the log"
    : "not the keys that this browser knows of the log";
}

/** A genuine receipt of another entry proves nothing of the one that is shown. */
function otherThan(shown: Shown, proven: Required<Shown>): string | undefined {
  const isSame =
    shown.callId === proven.callId &&
    shown.event === proven.event &&
    (shown.index ?? proven.index) === proven.index;
  return isSame
    ? undefined
    : `it proves entry ${proven.index}, ${proven.event} of ${proven.callId}, which isn't the one that is shown`;
}

function untried(): ReceiptJudgement["steps"] {
  return ["Head", "Place", "Entry"].map((name) => ({ name, holds: undefined, says: "not looked at" }));
}
