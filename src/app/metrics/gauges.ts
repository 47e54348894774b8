/** What stands rather than happens: asked of the gateway each time the metrics are fetched. */
import type { JournalHead } from "../../host/store/journal-files.ts";
import type { OutletRow } from "../../host/store/state-outlets.ts";
import { type Kill, killSources } from "../../host/store/state-responses.ts";
import type { RunningOutlets } from "../outlets/open-outlets.ts";
import type { UpstreamCount } from "../../host/net/upstreams.ts";
import { type Restriction, stageAt } from "../../respond/restriction.ts";
import type { LiveDocument } from "../crypto/live-document.ts";
import type { Metrics } from "./counting.ts";

export interface Standing {
  readonly crypto: () => LiveDocument;
  readonly counts: ReadonlyMap<string, Readonly<UpstreamCount>>;
  readonly audit: {
    readonly journal: { readonly size: () => number; readonly head: () => JournalHead | null };
  };
  readonly responses: { readonly restrictions: () => readonly Restriction[] };
  readonly kill: { readonly standing: () => readonly Pick<Kill, "source">[] };
  readonly outlets: Pick<RunningOutlets, "rows">;
  readonly incidents: { readonly openCount: () => number };
  readonly nowUnixMs: () => number;
  /** Absent where no calls are traced. */
  readonly spans?: () => { readonly sent: number; readonly dropped: number };
}

export function setGauges(metrics: Metrics, standing: Standing): void {
  const { counts, audit, responses, incidents } = standing;
  const { journal } = audit;
  const nowUnixMs = standing.nowUnixMs();
  setCryptography(metrics, standing.crypto());
  const byServer = (count: keyof UpstreamCount) =>
    [...counts].map(([server, counted]) => ({ labels: { server }, value: counted[count] }));
  metrics.take("latticegate_upstream_calls_total", byServer("calls"));
  metrics.take("latticegate_upstream_failures_total", byServer("failures"));
  const head = journal.head();
  metrics.set("latticegate_log_entries", single(journal.size()));
  metrics.set("latticegate_log_unsigned_entries", single(journal.size() - (head?.size ?? 0)));
  const signedUnixMs = head?.atUnixMs;
  const ageS = signedUnixMs === undefined ? [] : single(Math.max(0, nowUnixMs - signedUnixMs) / 1000);
  metrics.set("latticegate_log_head_age_seconds", ageS);
  setOutlets(metrics, standing.outlets.rows(), journal.size());
  const on = new Set(standing.kill.standing().map(({ source }) => source));
  metrics.set(
    "latticegate_kill_switch",
    killSources.map((source) => ({ labels: { source }, value: Number(on.has(source)) })),
  );
  metrics.set("latticegate_incidents_open", single(incidents.openCount()));
  metrics.set(
    "latticegate_restrictions",
    counted(
      responses.restrictions().flatMap((each) => stageAt(each, nowUnixMs) ?? []),
      ({ kind }) => ({ action: kind }),
    ),
  );
  const { sent, dropped } = standing.spans?.() ?? { sent: 0, dropped: 0 };
  metrics.take("latticegate_trace_spans_total", [
    { labels: { result: "sent" }, value: sent },
    { labels: { result: "dropped" }, value: dropped },
  ]);
  const folded = [...metrics.folded()].filter(([, value]) => value > 0);
  metrics.take(
    "latticegate_folded_total",
    folded.map(([metric, value]) => ({ labels: { metric }, value })),
  );
}

function setOutlets(metrics: Metrics, rows: readonly OutletRow[], logEntries: number): void {
  const byOutlet = (value: (row: OutletRow) => number) =>
    rows.map((row) => ({ labels: { outlet: row.name }, value: value(row) }));
  metrics.set(
    "latticegate_outlet_lag_entries",
    byOutlet(({ cursor }) => Math.max(0, logEntries - cursor)),
  );
  metrics.set(
    "latticegate_outlet_failing",
    byOutlet(({ failingSinceUnixMs }) => Number(failingSinceUnixMs !== undefined)),
  );
  metrics.take(
    "latticegate_outlet_events_total",
    rows.flatMap(({ name: outlet, sent, dead }) => [
      { labels: { outlet, result: "sent" }, value: sent },
      { labels: { outlet, result: "dead" }, value: dead },
    ]),
  );
}

function setCryptography(
  metrics: Metrics,
  { version, in_force: inForce, links, servers, own_certificates: own }: LiveDocument,
) {
  metrics.set("latticegate_info", [{ labels: { version, profile: inForce.profile.name }, value: 1 }]);
  metrics.set(
    "latticegate_links",
    counted(links, ({ group, certificate, key_exchange: exchange }) => ({
      group,
      certificate: certificate ?? "none",
      post_quantum: String(exchange === "hybrid"),
    })),
  );
  const paths = (direction: string, all: readonly Pick<LiveDocument["links"][number], "path">[]) =>
    all.flatMap(({ path }) => (path === null ? [] : [{ direction, path: path.kind }]));
  metrics.set(
    "latticegate_peer_links",
    counted([...paths("incoming", links), ...paths("outgoing", servers)], (labels) => labels),
  );
  const earliest = new Map<string, (typeof own)[number]>();
  for (const each of own) {
    const key = `${each.used} ${each.algorithm}`;
    const known = earliest.get(key);
    if (known === undefined || each.not_after < known.not_after) earliest.set(key, each);
  }
  metrics.set(
    "latticegate_certificate_not_after_seconds",
    [...earliest.values()].map(({ used, algorithm, not_after: notAfter }) => ({
      labels: { used, algorithm },
      value: Date.parse(notAfter) / 1000,
    })),
  );
}

function single(value: number) {
  return [{ labels: {}, value }];
}

function counted<T, L extends Readonly<Record<string, string>>>(
  all: readonly T[],
  labelsOf: (each: T) => L,
): readonly { readonly labels: L; readonly value: number }[] {
  const counts = new Map<string, { readonly labels: L; value: number }>();
  for (const each of all) {
    const labels = labelsOf(each);
    const key = JSON.stringify(labels);
    const known = counts.get(key);
    if (known === undefined) counts.set(key, { labels, value: 1 });
    else known.value += 1;
  }
  return [...counts.values()];
}
