/** What rules that ask `flow` cost: an answer that is read, and arguments that are looked through, by their length. */
import { fingerprintKey } from "../src/inspect/fingerprints.ts";
import { flowMemory } from "../src/inspect/flow-memory.ts";
import { quantile } from "../src/kernel/statistics.ts";

const lengths = [300, 3000, 30_000] as const;
const rounds = 200;
const key = fingerprintKey(crypto.getRandomValues(new Uint8Array(16)));

/** Words of two to nine letters, no text twice; `seed` is where it begins. */
function prose(seed: number, chars: number): string {
  let state = seed;
  const next = (most: number): number => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    return (state >>> 16) % most;
  };
  let text = "";
  while (text.length < chars) {
    const word = Array.from({ length: 2 + next(8) }, () => String.fromCharCode(97 + next(26))).join("");
    text += next(12) === 0 ? `${word}, ${next(100_000)}. ` : `${word} `;
  }
  return text.slice(0, chars);
}

function p50Us(work: (round: number) => void): number {
  const took = Array.from({ length: rounds }, (_, round) => {
    const began = performance.now();
    work(round);
    return (performance.now() - began) * 1000;
  });
  return quantile(
    took.slice(rounds / 4).toSorted((a, b) => a - b),
    0.5,
  );
}

console.log(
  "One text, microseconds (median): an answer that is read, arguments that are looked through for it",
);
console.log("characters     read   prose   base64 of as many");
for (const chars of lengths) {
  const memory = flowMemory(key);
  const read = p50Us((round) => {
    memory.of(`s${round}`, 0).read(["pii"], { kind: "value", value: prose(round + 1, chars) }, true, 0);
  });
  const making = p50Us((round) => void prose(round + 1, chars));
  const session = memory.of("s1", 0);
  const others = Array.from({ length: rounds }, (_, round) => prose(round + 9001, chars));
  const looked = (texts: readonly string[]): number =>
    p50Us((round) => void session.carries("pii", { body: texts[round] }, () => undefined));
  const encoded = others.map((text) => Buffer.from(text).toString("base64").slice(0, chars));
  const columns = [read - making, looked(others), looked(encoded)].map((us) => us.toFixed(0).padStart(8));
  console.log(`${String(chars).padStart(10)}${columns.join("")}`);
}
