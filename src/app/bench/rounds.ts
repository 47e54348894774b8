/**
 * Measuring in rounds: every contestant in each, for a slice of its time, so that a noisy moment of the machine hits
 * all alike and ratios within a round mean something.
 */
export interface Contestant {
  readonly name: string;
  /** Its slice of a round, compared with the others' slices. */
  readonly weight: number;
  /** What is measured in it counts for nothing. */
  readonly warmUp: () => Promise<void>;
  readonly turn: (sliceMs: number) => Promise<void>;
}

/** A contestant that keeps what was measured: a sample for each round. */
export interface Recorded<Sample> extends Contestant {
  readonly samples: readonly Sample[];
}

export interface Turn {
  /** From 1; 0 warms up. */
  readonly round: number;
  readonly rounds: number;
  readonly name: string;
}

export interface Budget {
  readonly rounds: number;
  /** By `nowMs`. */
  readonly endMs: number;
  readonly nowMs: () => number;
  /** Told before each turn. */
  readonly onTurn?: (turn: Turn) => void;
}

/** Enough for just-in-time compilation to have seen the code. */
const warmUpMs = 10;
/** A slice at its shortest, when the time is up: a single fast operation says nothing but how the machine felt. */
const leastSliceMs = 5;

/** @param sample measures for about so long, once at least */
export function recorded<Sample>(
  name: string,
  weight: number,
  sample: (sliceMs: number) => Promise<Sample>,
): Recorded<Sample> {
  const samples: Sample[] = [];
  return {
    name,
    weight,
    samples,
    warmUp: async () => void (await sample(warmUpMs)),
    turn: async (sliceMs) => void samples.push(await sample(sliceMs)),
  };
}

export async function inRounds(contestants: readonly Contestant[], budget: Budget): Promise<void> {
  const { rounds, endMs, nowMs, onTurn } = budget;
  for (const { name, warmUp } of contestants) {
    onTurn?.({ round: 0, rounds, name });
    await warmUp();
  }
  for (let round = 0; round < rounds; round++) {
    const roundEndMs = nowMs() + (endMs - nowMs()) / (rounds - round);
    // Another one begins each round, so that none always follows the same neighbour.
    const first = round % contestants.length;
    const turns = [...contestants.slice(first), ...contestants.slice(0, first)];
    let weightLeft = turns.reduce((sum, { weight }) => sum + weight, 0);
    for (const { name, weight, turn } of turns) {
      onTurn?.({ round: round + 1, rounds, name });
      // Whoever was slower than its slice leaves less for the others, in this round alone.
      await turn(Math.max(leastSliceMs, ((roundEndMs - nowMs()) * weight) / weightLeft));
      weightLeft -= weight;
    }
  }
}
