/** A strict reader of Prometheus' text format 0.0.4: what it doesn't know throws. */
interface Sample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

export interface Exposition {
  /** By name, with the type. */
  readonly families: ReadonlyMap<string, string>;
  readonly samples: readonly Sample[];
  /** Of the one sample with exactly these labels. */
  readonly value: (name: string, labels: Readonly<Record<string, string>>) => number | undefined;
}

const types = ["counter", "gauge", "histogram", "summary", "untyped"];

export function readExposition(text: string): Exposition {
  if (!text.endsWith("\n")) throw new Error("the last line doesn't end");
  const families = new Map<string, string>();
  const samples: Sample[] = [];
  const seen = new Set<string>();
  let family: string | undefined;
  for (const line of text.slice(0, -1).split("\n")) {
    const type = /^# TYPE ([a-zA-Z_:][a-zA-Z0-9_:]*) (\w+)$/.exec(line);
    if (type !== null) {
      const [, name = "", kind = ""] = type;
      if (families.has(name)) throw new Error(`${name} comes twice`);
      if (!types.includes(kind)) throw new Error(`${kind} is no type`);
      families.set(name, kind);
      family = name;
      continue;
    }
    if (/^# HELP [a-zA-Z_:][a-zA-Z0-9_:]* \S/.test(line) || line === "") continue;
    const sample = readSample(line);
    const key = `${sample.name} ${written(sample.labels)}`;
    if (seen.has(key)) throw new Error(`twice: ${key}`);
    seen.add(key);
    if (family === undefined || !isOf(family, families.get(family), sample.name))
      throw new Error(`no type before: ${line}`);
    samples.push(sample);
  }
  checkHistograms(families, samples);
  return {
    families,
    samples,
    value: (name, labels) =>
      samples.find((each) => each.name === name && written(each.labels) === written(labels))?.value,
  };
}

/** The same text for the same labels, in whatever order. */
function written(labels: Sample["labels"]): string {
  return JSON.stringify(Object.entries(labels).toSorted(([a], [b]) => (a < b ? -1 : 1)));
}

function isOf(family: string, type: string | undefined, name: string): boolean {
  if (type !== "histogram") return name === family;
  return [`${family}_bucket`, `${family}_sum`, `${family}_count`].includes(name);
}

function readSample(line: string): Sample {
  const match = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)$/.exec(line);
  if (match === null) throw new Error(`no sample: ${line}`);
  const [, name = "", labels = "", value = ""] = match;
  return { name, labels: readLabels(labels), value: readNumber(value) };
}

function readLabels(text: string): Record<string, string> {
  const labels: Record<string, string> = {};
  let rest = text;
  while (rest !== "") {
    const match = /^([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"(?:,(?=.)|$)/.exec(rest);
    if (match === null) throw new Error(`no labels: ${text}`);
    const [whole, name = "", value = ""] = match;
    if (Object.hasOwn(labels, name)) throw new Error(`a label twice: ${text}`);
    labels[name] = value.replaceAll(/\\(["\\n])/g, (_, escaped: string) =>
      escaped === "n" ? "\n" : escaped,
    );
    rest = rest.slice(whole.length);
  }
  return labels;
}

function readNumber(text: string): number {
  if (text === "+Inf") return Infinity;
  if (text === "NaN") return Number.NaN;
  if (!/^-?\d+(\.\d+)?(e[+-]?\d+)?$/.test(text)) throw new Error(`no number: ${text}`);
  return Number(text);
}

/** Buckets only grow, and the last one has all. */
function checkHistograms(families: ReadonlyMap<string, string>, samples: readonly Sample[]): void {
  for (const [name, type] of families) {
    if (type !== "histogram") continue;
    const buckets = Map.groupBy(
      samples.filter((each) => each.name === `${name}_bucket`),
      ({ labels }) => JSON.stringify({ ...labels, le: undefined }),
    );
    for (const [labels, all] of buckets) {
      const values = all.map(({ value }) => value);
      if (values.some((value, i) => value < (values[i - 1] ?? 0)))
        throw new Error(`${name}: ${labels} shrinks`);
      const count = samples.find(
        (each) => each.name === `${name}_count` && JSON.stringify(each.labels) === labels,
      );
      if (all.at(-1)?.labels["le"] !== "+Inf" || all.at(-1)?.value !== count?.value)
        throw new Error(`${name}: ${labels} has no bucket of all`);
    }
  }
}
