/** All metrics of the gateway: what they count, and by what. docs/guide/metrics.md has the same table. */
import type { MetricTable } from "../../host/metrics/bounded-metrics.ts";

/** Seconds, from a tenth of a millisecond to minutes. */
const durations = [
  0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 120,
];

export const metricTable = {
  latticegate_calls_total: {
    kind: "counter",
    help: "Calls that are over, by what was decided.",
    labels: ["server", "method", "tool", "verdict", "rule", "link_group", "risk"],
    keeps: ["verdict", "risk"],
  },
  latticegate_caller_calls_total: {
    kind: "counter",
    help: "Calls that are over, by caller; counted with metrics.callers only.",
    labels: ["caller", "verdict"],
    keeps: ["verdict"],
  },
  latticegate_refusals_total: {
    kind: "counter",
    help: "Calls that were refused or failed, by reason.",
    labels: ["server", "reason"],
  },
  latticegate_call_duration_seconds: {
    kind: "histogram",
    help: "From a call's arrival to the end of its answer.",
    labels: ["server", "verdict"],
    keeps: ["verdict"],
    buckets: durations,
  },
  latticegate_gateway_duration_seconds: {
    kind: "histogram",
    help: "The gateway's own share of that; of answers that are no streams.",
    labels: ["server"],
    buckets: durations,
  },
  latticegate_upstream_duration_seconds: {
    kind: "histogram",
    help: "From sending a call on to the server's answer, or its beginning.",
    labels: ["server"],
    buckets: durations,
  },
  latticegate_stage_duration_seconds: {
    kind: "histogram",
    help: "How long a stage of a call took: judge (all that leads to the decision) or journal (writing it down).",
    labels: ["stage"],
    buckets: durations,
  },
  latticegate_answer_bytes_total: {
    kind: "counter",
    help: "Bytes of answers, as they were given to callers.",
    labels: ["server"],
  },
  latticegate_findings_total: {
    kind: "counter",
    help: "What models and inspectors found, by kind; source is call, answer, flow or tools.",
    labels: ["kind", "source"],
    keeps: ["source"],
  },
  latticegate_entries_total: {
    kind: "counter",
    help: "Entries of the audit log, by event.",
    labels: ["event", "outcome"],
    keeps: ["outcome"],
  },
  latticegate_responses_total: {
    kind: "counter",
    help: "What was done about findings, by action; event is act, recover, lift, renew and so on.",
    labels: ["action", "event"],
    keeps: ["event"],
  },
  latticegate_link_regressions_total: {
    kind: "counter",
    help: "Peers whose links were less than before, by what of them; evidence is proven or unproven.",
    labels: ["kind", "evidence"],
    keeps: ["evidence"],
  },
  latticegate_refused_identities_total: {
    kind: "counter",
    help: "Identities that were refused, by how they came; repetitions are counted after a while.",
    labels: ["how"],
  },
  latticegate_refused_links_total: {
    kind: "counter",
    help: "Connections that became no link: failed handshakes, peers that offer too little or prove nothing.",
    labels: [],
  },
  latticegate_log_lines_total: {
    kind: "counter",
    help: "Warnings and errors in the gateway's own log, by event.",
    labels: ["level", "event"],
  },
  latticegate_upstream_calls_total: {
    kind: "counter",
    help: "Calls sent on to servers.",
    labels: ["server"],
  },
  latticegate_upstream_failures_total: {
    kind: "counter",
    help: "Calls that a server couldn't be given, or didn't answer.",
    labels: ["server"],
  },
  latticegate_trace_spans_total: {
    kind: "counter",
    help: "Spans that were sent to the collector, or dropped since it didn't take them.",
    labels: ["result"],
  },
  latticegate_folded_total: {
    kind: "counter",
    help: "Observations whose labels became other, since a metric had all the series it may have.",
    labels: ["metric"],
  },
  latticegate_info: {
    kind: "gauge",
    help: "1; the version, and the profile of algorithms in force.",
    labels: ["version", "profile"],
  },
  latticegate_links: {
    kind: "gauge",
    help: "Open links, by what they negotiated; post_quantum is true or false.",
    labels: ["group", "certificate", "post_quantum"],
    keeps: ["post_quantum"],
  },
  latticegate_peer_links: {
    kind: "gauge",
    help: "Links between peers, by who began them (incoming, outgoing), and how they go (local, direct, relayed).",
    labels: ["direction", "path"],
  },
  latticegate_certificate_not_after_seconds: {
    kind: "gauge",
    help: "When the gateway's own certificates end, as Unix time; the earliest of each use.",
    labels: ["used", "algorithm"],
  },
  latticegate_log_entries: {
    kind: "gauge",
    help: "Entries in the audit log.",
    labels: [],
  },
  latticegate_log_head_age_seconds: {
    kind: "gauge",
    help: "Since the audit log's last signed head was made.",
    labels: [],
  },
  latticegate_log_unsigned_entries: {
    kind: "gauge",
    help: "Entries that no signed head covers yet.",
    labels: [],
  },
  latticegate_outlet_lag_entries: {
    kind: "gauge",
    help: "Entries of the audit log that an outlet wasn't told of yet.",
    labels: ["outlet"],
  },
  latticegate_outlet_failing: {
    kind: "gauge",
    help: "1 while nothing gets through to an outlet.",
    labels: ["outlet"],
  },
  latticegate_outlet_events_total: {
    kind: "counter",
    help: "Events that an outlet took (sent), or will never take (dead).",
    labels: ["outlet", "result"],
  },
  latticegate_kill_switch: {
    kind: "gauge",
    help: "1 for each source of the kill switch that is on: no call passes then.",
    labels: ["source"],
  },
  latticegate_incidents_open: {
    kind: "gauge",
    help: "Incidents that are open.",
    labels: [],
  },
  latticegate_restrictions: {
    kind: "gauge",
    help: "Restrictions in force, by action.",
    labels: ["action"],
  },
} as const satisfies MetricTable;
