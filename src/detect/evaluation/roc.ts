/** How well scores tell attacks from what is benign. */

export interface Scores {
  readonly attacks: readonly number[];
  readonly benign: readonly number[];
}

/** Area under the ROC curve: how often an attack scores higher than something benign, ties as half. NaN without both. */
export function auc({ attacks, benign }: Scores): number {
  const all = [
    ...attacks.map((score) => ({ score, isAttack: true })),
    ...benign.map((score) => ({ score, isAttack: false })),
  ].toSorted((a, b) => a.score - b.score);
  let ranks = 0;
  for (let from = 0; from < all.length;) {
    let to = from;
    while (to < all.length && all[to]?.score === all[from]?.score) to++;
    const inTie = all.slice(from, to).filter(({ isAttack }) => isAttack).length;
    ranks += (inTie * (from + to + 1)) / 2;
    from = to;
  }
  return (ranks - (attacks.length * (attacks.length + 1)) / 2) / (attacks.length * benign.length);
}

/** The share of attacks above the threshold that at most this share of what is benign is above. NaN without both. */
export function tprAt({ attacks, benign }: Scores, fpr: number): number {
  if (benign.length === 0 || attacks.length === 0) return Number.NaN;
  const threshold = benign.toSorted((a, b) => b - a)[Math.floor(fpr * benign.length)] ?? -Infinity;
  return attacks.filter((score) => score > threshold).length / attacks.length;
}
