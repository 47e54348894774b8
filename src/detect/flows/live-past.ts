/** What one peer's flows were like until now, and what of a new one is unlike all of them. */
import { median } from "../../kernel/statistics.ts";
import type { Severity } from "../../model/finding.ts";
import { type DetectorName, detectors, measuresOf, slowdownOf } from "./detectors.ts";
import type { Exchange, FlowSummary } from "./flow-window.ts";
import { type Compared, type Usual, usualOf } from "./usual.ts";

export interface Unusual {
  readonly kind: string;
  readonly severity: Severity;
  readonly says: string;
  readonly risk?: number;
}

export interface JudgedBy {
  readonly burstBytes: number;
  readonly judgesLatency: boolean;
}

/** Of flows before, and of exchanges: what a peer's memory is bounded by. */
const maxFlows = 64;
const maxPast = 192;
/** Fewer flows don't say what is usual. */
const minFlows = 8;
const renewedEvery = 8;
/** From the middle, in deviations of a normal distribution: what chance alone doesn't reach. */
const usuallyFarOut = 6;
const leastDeviation = 0.25;
const asDeviation = 1.4826;
const dayMs = 86_400_000;
const hourMs = 3_600_000;
/** Hours of the week are known after two of them. */
const knownHoursAfterMs = 14 * dayMs;
const hoursOfWeek = 168;
const nightBytes = 65_536;
/** A few big requests are a burst, or nothing. */
const minDrops = 8;

interface LiveRule {
  readonly kind: string;
  readonly severity: Severity;
  /** The least there has to be of it, whatever is usual. */
  readonly least: (by: JudgedBy) => number;
  /** Told of a peer of which nothing is known, too: big is big. */
  readonly isTellingAtOnce?: true;
  readonly needs?: keyof JudgedBy;
  /** Instead of `farOut`. */
  readonly farOut?: number;
  /** Whether it matters, however surely it is there. */
  readonly isMuch?: (flow: FlowSummary, usual: Usual) => boolean;
}

const isMuchSlower: LiveRule["isMuch"] = (flow, usual) => slowdownOf(flow, usual) >= 1.5;

const always = (value: number) => (): number => value;
const bulkBytes = 16 * 1024 * 1024;

/** Of the detectors those that say something of messages, by their names. */
const rules: Readonly<Partial<Record<DetectorName, LiveRule>>> = {
  "exfiltration burst": {
    kind: "flow.exfiltration-burst",
    severity: "high",
    least: ({ burstBytes }) => Math.log1p(burstBytes),
    isTellingAtOnce: true,
  },
  drip: {
    kind: "flow.drip",
    severity: "medium",
    least: always(5),
    isMuch: ({ exchanges }) => exchanges.length >= minDrops,
  },
  // Its measure is bounded: nothing is six deviations from what people do.
  beacon: { kind: "flow.beacon", severity: "low", least: always(0.8 * Math.log2(13)), farOut: 3 },
  "latency shift": {
    kind: "flow.latency",
    severity: "low",
    least: always(8),
    needs: "judgesLatency",
    isMuch: isMuchSlower,
  },
  "latency of the way": {
    kind: "flow.latency",
    severity: "low",
    least: always(8),
    needs: "judgesLatency",
    isMuch: isMuchSlower,
  },
  "bulk read": {
    kind: "flow.bulk-read",
    severity: "low",
    least: always(Math.log1p(bulkBytes)),
    isTellingAtOnce: true,
  },
  tunnel: { kind: "flow.tunnel", severity: "medium", least: always(9) },
};

export class LivePast {
  readonly #firstUnixMs: number;
  readonly #flows: (readonly number[])[] = [];
  #exchanges: readonly Compared[] = [];
  readonly #hours = new Uint16Array(hoursOfWeek);
  #usual: Usual | undefined;
  #learned = 0;
  #judged: { readonly flow: FlowSummary; readonly values: readonly number[] } | undefined;

  constructor(nowUnixMs: number) {
    this.#firstUnixMs = nowUnixMs;
  }

  judge(flow: FlowSummary, nowUnixMs: number, by: JudgedBy): readonly Unusual[] {
    const usual = this.#usualFor(flow);
    const values = measuresOf(flow, usual);
    this.#judged = { flow, values };
    const found = values.flatMap((value, at): readonly Unusual[] => {
      const detector = detectors[at];
      const rule = detector === undefined ? undefined : rules[detector.name];
      if (detector === undefined || rule === undefined || !this.#isTelling(rule, { value, at }, by))
        return [];
      if (rule.isMuch?.(flow, usual) === false) return [];
      return [
        {
          kind: rule.kind,
          severity: rule.severity,
          says: `${sentence(detector.says(flow, usual))} ${this.#usually(at)}`,
          ...this.#riskOf(value, at),
        },
      ];
    });
    const night = this.#strangeHour(flow, nowUnixMs);
    return onePerKind(night === undefined ? found : [...found, night]);
  }

  /** What a new flow is compared with from now on. */
  learn(flow: FlowSummary, nowUnixMs: number): void {
    const judged = this.#judged?.flow === flow ? this.#judged.values : measuresOf(flow, this.#usualFor(flow));
    this.#flows.push(judged);
    if (this.#flows.length > maxFlows) this.#flows.shift();
    this.#exchanges = [...this.#exchanges, ...flow.exchanges.map(asCompared)].slice(-maxPast);
    // It changes slowly, and costs more than all the rest.
    if (this.#learned < minFlows || this.#learned % renewedEvery === 0) this.#usual = undefined;
    const hour = hourOf(nowUnixMs);
    this.#hours[hour] = Math.min(65_535, (this.#hours[hour] ?? 0) + 1);
    this.#learned++;
  }

  #usualFor(flow: FlowSummary): Usual {
    if (this.#exchanges.length === 0) return usualOf(flow.exchanges);
    return (this.#usual ??= usualOf(this.#exchanges));
  }

  #isTelling(
    { least, isTellingAtOnce, needs, farOut = usuallyFarOut }: LiveRule,
    { value, at }: { readonly value: number; readonly at: number },
    by: JudgedBy,
  ): boolean {
    if (needs !== undefined && by[needs] === false) return false;
    if (value < least(by)) return false;
    if (this.#flows.length < minFlows) return isTellingAtOnce === true;
    const before = this.#flows.map((each) => each[at] ?? 0);
    const middle = median(before);
    const deviation = median(before.map((each) => Math.abs(each - middle))) * asDeviation;
    const highest = before.reduce((most, each) => Math.max(most, each), 0);
    return value > highest && value - middle >= farOut * Math.max(leastDeviation, deviation);
  }

  #usually(at: number): string {
    const count = this.#learned;
    if (this.#flows.length < minFlows)
      return `Nothing is known yet of what is usual for it (${count} flows before).`;
    const known = this.#flows.map((each) => each[at] ?? 0);
    return `None of its last ${known.length} flows was like that.`;
  }

  /** Conformal: how many of the flows before had as much of it. */
  #riskOf(value: number, at: number): { readonly risk?: number } {
    const n = this.#flows.length;
    if (n < minFlows) return {};
    const as = this.#flows.filter((each) => (each[at] ?? 0) >= value).length;
    return { risk: Math.min(1, -0.3 * Math.log10((as + 1) / (n + 1))) };
  }

  #strangeHour({ up }: FlowSummary, nowUnixMs: number): Unusual | undefined {
    if (up < nightBytes || nowUnixMs - this.#firstUnixMs < knownHoursAfterMs) return undefined;
    const hour = hourOf(nowUnixMs);
    const near = [hour - 1, hour, hour + 1].map(
      (each) => this.#hours[(each + hoursOfWeek) % hoursOfWeek] ?? 0,
    );
    if (near.some((count) => count > 0)) return undefined;
    const at = new Date(nowUnixMs).toISOString();
    return {
      kind: "flow.hour",
      severity: "medium",
      says: `${up} bytes went out at ${at.slice(11, 16)} UTC; in that hour of the week nothing ever did since ${new Date(this.#firstUnixMs).toISOString().slice(0, 10)}.`,
    };
  }
}

/** What is kept of it: that is most of what a peer takes of memory. */
function asCompared({ up, isFirst, answerMs, kind }: Exchange): Compared {
  return {
    up: Math.round(up),
    isFirst,
    ...(answerMs !== undefined && { answerMs }),
    ...(kind !== undefined && { kind }),
  };
}

/** UTC, from Thursday on, as the epoch does. */
function hourOf(unixMs: number): number {
  return Math.floor(unixMs / hourMs) % hoursOfWeek;
}

function sentence(text: string): string {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}.`;
}

function onePerKind(found: readonly Unusual[]): readonly Unusual[] {
  return [...new Map(found.map((each) => [each.kind, each])).values()];
}
