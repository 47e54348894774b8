/** The dashboard, the alert rules and the guide speak of the metrics that there are. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import path from "node:path";
import test from "node:test";

import { parse } from "yaml";
import { z } from "zod";

import { metricTable } from "../src/app/metrics/metric-table.ts";

const docs = path.join(import.meta.dirname, "..", "docs");
const read = (name: string): string => readFileSync(path.join(docs, name), "utf8");

/** What Prometheus adds to each series. */
const added = ["instance", "job"];
/** Those of Node's own metrics that are used. */
const node: ReadonlySet<string> = new Set([
  "process_cpu_seconds_total",
  "process_resident_memory_bytes",
  "nodejs_eventloop_lag_p99_seconds",
]);

const known: ReadonlyMap<string, readonly string[]> = new Map([
  ...[...node].map((name) => [name, added] as const),
  ...Object.entries(metricTable).flatMap(([name, { kind, labels }]) =>
    kind === "histogram"
      ? [
          [`${name}_bucket`, [...labels, ...added, "le"]] as const,
          [`${name}_sum`, [...labels, ...added]] as const,
          [`${name}_count`, [...labels, ...added]] as const,
        ]
      : [[name, [...labels, ...added]] as const],
  ),
]);

/** What is wrong with a query: metrics and labels that aren't there. */
function wrongIn(query: string): readonly string[] {
  const wrong: string[] = [];
  const names = [...query.matchAll(/\b((?:latticegate|process|nodejs)_\w+)(?:\{([^}]*)\})?/g)];
  if (names.length === 0) wrong.push(`no metric in ${query}`);
  const may = new Set<string>();
  for (const [, name = "", matchers = ""] of names) {
    const labels = known.get(name);
    if (labels === undefined) wrong.push(`there is no ${name}`);
    for (const label of labels ?? []) may.add(label);
    for (const [, label = ""] of matchers.matchAll(/(\w+)\s*(?:=~|!~|!=|=)\s*"/g))
      if (labels?.includes(label) !== true) wrong.push(`${name} has no label ${label}`);
  }
  for (const [, group = ""] of query.matchAll(/\bby \(([^)]*)\)/g))
    for (const label of group.split(/,\s*/)) if (!may.has(label)) wrong.push(`by ${label}: ${query}`);
  return wrong;
}

const dashboard = z
  .object({
    panels: z.array(
      z.object({
        title: z.string(),
        gridPos: z.object({ x: z.number(), y: z.number(), w: z.number(), h: z.number() }),
        targets: z.array(z.object({ expr: z.string(), legendFormat: z.string() })).default([]),
      }),
    ),
    templating: z.object({
      list: z.array(z.object({ type: z.string(), definition: z.string().optional() })),
    }),
  })
  .parse(JSON.parse(read("grafana/latticegate.json")));

test("each query of the dashboard asks for metrics and labels that there are", () => {
  const targets = dashboard.panels.flatMap((panel) => panel.targets);
  assert.ok(targets.length > 20);
  for (const { expr, legendFormat } of targets) {
    assert.deepEqual(wrongIn(expr), []);
    for (const [, label = ""] of legendFormat.matchAll(/\{\{(\w+)\}\}/g))
      assert.ok(
        label === "instance" || new RegExp(`by \\([^)]*\\b${label}\\b`).test(expr),
        `${label}: ${expr}`,
      );
  }
  for (const { type, definition = "" } of dashboard.templating.list) {
    if (type === "query") assert.deepEqual(wrongIn(definition), []);
  }
});

test("the dashboard's panels lie beside each other", () => {
  const taken = new Map<string, string>();
  for (const { title, gridPos } of dashboard.panels) {
    for (let x = gridPos.x; x < gridPos.x + gridPos.w; x++) {
      for (let y = gridPos.y; y < gridPos.y + gridPos.h; y++) {
        assert.equal(taken.get(`${x},${y}`), undefined, `${title} covers another`);
        assert.ok(x < 24);
        taken.set(`${x},${y}`, title);
      }
    }
  }
});

test("each alert asks for metrics and labels that there are", () => {
  const { groups } = z
    .object({
      groups: z.array(z.object({ rules: z.array(z.object({ alert: z.string(), expr: z.string() })) })),
    })
    .parse(parse(read("grafana/alerts.yaml")));
  const rules = groups.flatMap((group) => group.rules);
  assert.ok(rules.length > 5);
  for (const { alert, expr } of rules) assert.deepEqual(wrongIn(expr), [], alert);
});

test("a query for a metric or a label that isn't there is found", () => {
  assert.equal(wrongIn("latticegate_nothing").length, 1);
  assert.equal(wrongIn(`latticegate_links{colour="red"}`).length, 1);
  assert.equal(wrongIn("sum by (colour) (latticegate_links)").length, 1);
});

test("the guide has each metric with its kind, labels and meaning, and no other", () => {
  const rows = read("guide/metrics.md")
    .split("\n")
    .filter((line) => line.startsWith("| `latticegate_"))
    .map((line) => line.replaceAll(/\s+/g, " "));
  const expected = Object.entries(metricTable).map(([name, { kind, labels, help }]) => {
    const names = labels.map((label) => `\`${label}\``).join(", ");
    return `| \`${name}\` | ${kind} | ${names === "" ? "" : `${names} `}| ${help} |`;
  });
  assert.deepEqual(rows, expected);
});
