/**
 * Metrics whose number of series is bounded, whatever their labels are made of: a combination of labels that is one too
 * many counts under the value `other`, so that sums stay right and memory doesn't grow.
 */
import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from "prom-client";

interface MetricSpec {
  readonly kind: "counter" | "gauge" | "histogram";
  readonly help: string;
  readonly labels: readonly string[];
  /** Labels with few values that are ours; they stay what they are when the others become `other`. */
  readonly keeps?: readonly string[];
  /** Upper bounds of a histogram, in the metric's unit. */
  readonly buckets?: readonly number[];
}

export type MetricTable = Readonly<Record<string, MetricSpec>>;

/** The labels of a metric in that table, each with its value. */
type LabelsOf<Table extends MetricTable, Name extends keyof Table> = Readonly<
  Record<Table[Name]["labels"][number], string>
>;

type OfKind<Table extends MetricTable, Kind extends MetricSpec["kind"]> = {
  [Name in keyof Table & string]: Table[Name]["kind"] extends Kind ? Name : never;
}[keyof Table & string];

export interface BoundedMetrics<Table extends MetricTable> {
  readonly add: <Name extends OfKind<Table, "counter">>(
    name: Name,
    labels: LabelsOf<Table, Name>,
    value?: number,
  ) => void;
  readonly observe: <Name extends OfKind<Table, "histogram">>(
    name: Name,
    labels: LabelsOf<Table, Name>,
    value: number,
  ) => void;
  /** In place of all series it had. */
  readonly set: <Name extends OfKind<Table, "gauge">>(
    name: Name,
    series: readonly { readonly labels: LabelsOf<Table, Name>; readonly value: number }[],
  ) => void;
  /** A counter that is counted elsewhere. */
  readonly take: <Name extends OfKind<Table, "counter">>(
    name: Name,
    series: readonly { readonly labels: LabelsOf<Table, Name>; readonly value: number }[],
  ) => void;
  /** Takes the series with that value of that label out of a metric. */
  readonly forget: (name: OfKind<Table, "counter">, label: string, values: readonly string[]) => void;
  /** How often labels became `other`, by metric. */
  readonly folded: () => ReadonlyMap<string, number>;
  /** Prometheus' text format, version 0.0.4, with Node's own metrics. */
  readonly text: () => Promise<string>;
  readonly close: () => void;
}

export const other = "other";
export const textFormat = "text/plain; version=0.0.4; charset=utf-8";

/** Longest value of a label, in characters. */
const longestValue = 128;

type Series = Readonly<Record<string, string>>;

/** @param maxSeries of each metric; beside them are those whose labels became `other` */
export function boundedMetrics<const Table extends MetricTable>(
  table: Table,
  maxSeries: number,
): BoundedMetrics<Table> {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const made = new Map(
    Object.entries(table).map(([name, spec]) => [
      name,
      new BoundedMetric(name, spec, { registry, maxSeries }),
    ]),
  );
  const metric = (name: string): BoundedMetric => {
    const found = made.get(name);
    if (found === undefined) throw new Error(`there is no metric ${name}`);
    return found;
  };
  const replace = (name: string, series: readonly { readonly labels: Series; readonly value: number }[]) => {
    metric(name).clear();
    for (const { labels, value } of series) metric(name).see(labels, value);
  };
  return {
    add: (name, labels, value = 1) => metric(name).see(labels, value),
    observe: (name, labels, value) => metric(name).see(labels, value),
    set: replace,
    take: replace,
    forget: (name, label, values) => metric(name).forget(label, new Set(values)),
    folded: () => new Map([...made].map(([name, { folded }]) => [name, folded])),
    text: () => {
      for (const each of made.values()) each.tell();
      return registry.metrics();
    },
    close: () => registry.clear(),
  };
}

interface Held {
  readonly labels: Series;
  /** What the library hasn't been told yet: telling it costs more than all else that is counted of a call. */
  pending: number;
}

class BoundedMetric {
  folded = 0;
  readonly #spec: MetricSpec;
  readonly #maxSeries: number;
  readonly #series = new Map<string, Held>();
  readonly #others = new Map<string, Held>();
  readonly #metric: Counter | Gauge | Histogram;

  constructor(
    name: string,
    spec: MetricSpec,
    { registry, maxSeries }: { readonly registry: Registry; readonly maxSeries: number },
  ) {
    this.#spec = spec;
    this.#maxSeries = maxSeries;
    const { kind, help, labels, buckets = [] } = spec;
    const options = { name, help, labelNames: [...labels], registers: [registry] };
    if (kind === "histogram") this.#metric = new Histogram({ ...options, buckets: [...buckets] });
    else this.#metric = kind === "counter" ? new Counter(options) : new Gauge(options);
  }

  /** Counts on, or observes, or sets. */
  see(labels: Series, value: number): void {
    const held = this.#bounded(labels);
    if (this.#metric instanceof Histogram) this.#metric.observe(held.labels, value);
    else held.pending += value;
  }

  tell(): void {
    if (this.#metric instanceof Histogram) return;
    for (const held of [...this.#series.values(), ...this.#others.values()]) {
      // A series that was never told is there with 0.
      this.#metric.inc(held.labels, held.pending);
      held.pending = 0;
    }
  }

  clear(): void {
    this.#series.clear();
    this.#others.clear();
    this.#metric.reset();
  }

  forget(label: string, values: ReadonlySet<string>): void {
    for (const [key, { labels }] of this.#series) {
      if (!values.has(labels[label] ?? "")) continue;
      this.#series.delete(key);
      this.#metric.remove(labels);
    }
  }

  #bounded(labels: Series): Held {
    // No key of a series has more ends of line than labels, so what isn't shown as it is never finds one.
    return (
      this.#series.get(this.#keyOf(labels)) ?? this.#shown(this.#named((name) => shown(labels[name] ?? "")))
    );
  }

  #shown(labels: Series): Held {
    const key = this.#keyOf(labels);
    const known = this.#series.get(key);
    if (known !== undefined) return known;
    if (this.#series.size >= this.#maxSeries) return this.#folded(labels);
    const held = { labels, pending: 0 };
    this.#series.set(key, held);
    return held;
  }

  /** @param labels as shown. As many at most as there are values of the labels that are kept. */
  #folded(labels: Series): Held {
    this.folded += 1;
    const { keeps = [] } = this.#spec;
    const kept = this.#named((name) => (keeps.includes(name) ? (labels[name] ?? "") : other));
    const key = this.#keyOf(kept);
    const held = this.#others.get(key) ?? { labels: kept, pending: 0 };
    this.#others.set(key, held);
    return held;
  }

  #keyOf(labels: Series): string {
    let key = "";
    for (const name of this.#spec.labels) key += `${labels[name] ?? ""}\n`;
    return key;
  }

  #named(value: (name: string) => string): Series {
    return Object.fromEntries(this.#spec.labels.map((name) => [name, value(name)]));
  }
}

/** Names come from elsewhere: nothing that isn't visible, and not much of it. */
function shown(value: string): string {
  return value.length <= longestValue && /^[\x20-\x7e]*$/.test(value) ? value : other;
}
