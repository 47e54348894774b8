/**
 * Events in the Open Cybersecurity Schema Framework 1.5: findings as 2004, incidents as 2005, responses as 7001, decisions
 * as 6003, identities as 3004, the gateway's life as 6002 (docs/formats/events.md).
 */
import { rowOf } from "../../kernel/row-of.ts";
import { isFinding } from "./event-groups.ts";
import { actorOf, addressOf, apiOf, controlOf, findingInfo, productOf, resourcesOf } from "./ocsf-objects.ts";
import { type Severity, type Summary, summaryOf } from "./summary.ts";
import type { Teller, Told } from "./told.ts";

const schemaVersion = "1.5.0";

const severityIds: Readonly<Record<Severity, number>> = {
  informational: 1,
  low: 2,
  medium: 3,
  high: 4,
  critical: 5,
};

/** What a class needs beside what all events have. */
interface Classed {
  readonly categoryUid: number;
  readonly classUid: number;
  readonly className: string;
  readonly activityId: number;
  readonly activityName: string;
  readonly profiles?: readonly string[];
  readonly attributes: object;
}

type Mapping = (told: Told, summary: Summary, teller: Teller) => Classed;

export function ocsfEvent(told: Told, teller: Teller): object {
  const summary = summaryOf(told);
  const classed = mappingOf(told)(told, summary, teller);
  const { classUid, activityId } = classed;
  return {
    activity_id: activityId,
    activity_name: classed.activityName,
    category_uid: classed.categoryUid,
    class_uid: classUid,
    class_name: classed.className,
    type_uid: classUid * 100 + activityId,
    severity_id: severityIds[summary.severity],
    severity: capitalised(summary.severity),
    time: told.atUnixMs,
    message: summary.says,
    metadata: {
      version: schemaVersion,
      uid: told.uid,
      correlation_uid: told.callId,
      event_code: told.event,
      log_name: teller.origin,
      ...(told.index >= 0 && { sequence: told.index }),
      product: productOf(teller),
      ...(classed.profiles && { profiles: classed.profiles }),
    },
    ...classed.attributes,
    unmapped: { ...summary.agentic, latticegate: { outcome: told.outcome, ...told.facts } },
  };
}

/** The first that fits. */
function mappingOf(told: Told): Mapping {
  const { event } = told;
  if (event.startsWith("incident.")) return incident;
  if (event.startsWith("response.")) return remediation;
  if (isFinding(told) || findingEvents.has(event)) return finding;
  const [area = ""] = event.split(".", 1);
  return rowOf(areas, area) ?? baseEvent;
}

const findingEvents: ReadonlySet<string> = new Set([
  "flow.finding",
  "tools.finding",
  "signature.fault",
  "link.regressed",
  "log.incident",
  "egress.cut",
]);

const areas: Readonly<Record<string, Mapping>> = {
  call: apiActivity,
  request: apiActivity,
  link: apiActivity,
  egress: apiActivity,
  approval: apiActivity,
  identity: entity,
  grant: entity,
  subject: entity,
  gateway: lifecycle,
  kill: lifecycle,
  crypto: lifecycle,
  log: lifecycle,
  pin: lifecycle,
  tools: lifecycle,
  policy: lifecycle,
};

const incidentActivities: Readonly<Record<string, readonly [number, string]>> = {
  "incident.open": [1, "Create"],
  "incident.update": [2, "Update"],
  "incident.close": [3, "Close"],
};

function incident(told: Told, { says, score, tags, kinds }: Summary): Classed {
  const { facts, event } = told;
  const [activityId, activityName] = rowOf(incidentActivities, event) ?? [99, "Suppress"];
  const status = { 1: [1, "New"], 2: [2, "In Progress"], 3: [5, "Closed"] }[activityId] ?? [99, "Suppressed"];
  const uid = facts["incident"] ?? told.callId;
  return {
    categoryUid: 2,
    classUid: 2005,
    className: "Incident Finding",
    activityId,
    activityName,
    profiles: ["incident"],
    attributes: {
      ...(score !== undefined && { confidence_score: Math.round(score * 100) }),
      desc: says,
      // The class asks for one of both; nobody in particular has it yet.
      assignee_group: { name: "operators" },
      status_id: status[0],
      status: status[1],
      finding_info_list: [findingInfo(told, { uid, title: says, tags, types: kinds })],
    },
  };
}

function finding(told: Told, summary: Summary): Classed {
  const { says, score, tags, kinds } = summary;
  const isStopped = told.outcome === "denied";
  return {
    categoryUid: 2,
    classUid: 2004,
    className: "Detection Finding",
    activityId: 1,
    activityName: "Create",
    profiles: ["security_control"],
    attributes: {
      ...controlOf(told),
      ...(score !== undefined && { confidence_score: Math.round(score * 100) }),
      status_id: 1,
      status: "New",
      is_alert: !isStopped,
      finding_info: findingInfo(told, { uid: told.uid, title: says, tags, types: kinds }),
      evidences: [{ ...actorOf(told), api: apiOf(told, summary) }],
      ...resourcesOf(told, summary),
    },
  };
}

/** MITRE D3FEND's tactics, by what is done. */
const isolating: ReadonlySet<string> = new Set(["quarantine", "hold"]);
const evicting: ReadonlySet<string> = new Set(["cut", "revoke_identity"]);
const restoring: ReadonlySet<string> = new Set(["response.recover", "response.lift"]);
const remediationStatus: Readonly<Record<string, readonly [number, string]>> = {
  "response.fail": [2, "Failure"],
  "response.propose": [99, "Proposed"],
  "response.deny": [99, "Denied"],
  "response.dry_run": [99, "Dry run"],
};

function remediation(told: Told, { says }: Summary): Classed {
  const { event, facts } = told;
  const [activityId, activityName] = remediationOf(event, facts["action"] ?? "");
  const [statusId, status] = rowOf(remediationStatus, event) ?? [1, "Success"];
  return {
    categoryUid: 7,
    classUid: 7001,
    className: "Remediation Activity",
    activityId,
    activityName,
    attributes: {
      command_uid: facts["response"] ?? told.callId,
      status_id: statusId,
      status,
      remediation: { desc: says },
    },
  };
}

function remediationOf(event: string, action: string): readonly [number, string] {
  if (restoring.has(event)) return [3, "Restore"];
  if (isolating.has(action)) return [1, "Isolate"];
  if (evicting.has(action)) return [2, "Evict"];
  return action === "" || action === "notify" ? [99, "Notify"] : [4, "Harden"];
}

/** What only looks. */
const reading = /^(?:ping|initialize|completion\/complete|[a-z]+\/(?:list|get|read|result|templates\/list))$/;

function apiActivity(told: Told, summary: Summary): Classed {
  const { mcp_method: method = told.event } = summary.agentic;
  const isReading = reading.test(method);
  return {
    categoryUid: 6,
    classUid: 6003,
    className: "API Activity",
    activityId: isReading ? 2 : 99,
    activityName: isReading ? "Read" : method,
    profiles: ["security_control"],
    attributes: {
      ...actorOf(told),
      ...controlOf(told),
      api: apiOf(told, summary),
      src_endpoint: { name: told.principal, ...addressOf(told.facts["remote"]) },
      ...(summary.server !== undefined && { dst_endpoint: { svc_name: summary.server } }),
      ...resourcesOf(told, summary),
      status_id: told.outcome === "allowed" ? 1 : 2,
      status: told.outcome === "allowed" ? "Success" : "Failure",
    },
  };
}

const entityActivities: Readonly<Record<string, readonly [number, string]>> = {
  "identity.issue": [1, "Create"],
  "identity.delegate": [1, "Create"],
  "grant.store": [1, "Create"],
  "identity.revoke": [4, "Delete"],
  "grant.remove": [4, "Delete"],
  "subject.erase": [4, "Delete"],
  "identity.root": [3, "Update"],
};

function entity(told: Told, { says }: Summary): Classed {
  const [activityId, activityName] = rowOf(entityActivities, told.event) ?? [99, "Refuse"];
  const isDone = told.outcome === "allowed";
  return {
    categoryUid: 3,
    classUid: 3004,
    className: "Entity Management",
    activityId,
    activityName,
    attributes: {
      ...actorOf(told),
      entity: { name: told.facts["to"] ?? told.principal, type: "identity" },
      comment: says,
      status_id: isDone ? 1 : 2,
      status: isDone ? "Success" : "Failure",
    },
  };
}

const lifecycleActivities: Readonly<Record<string, readonly [number, string]>> = {
  "gateway.start": [3, "Start"],
  "gateway.stop": [4, "Stop"],
  "kill.on": [7, "Disable"],
  "kill.off": [6, "Enable"],
  "kill.drill": [99, "Drill"],
};

function lifecycle(told: Told, _summary: Summary, teller: Teller): Classed {
  const [activityId, activityName] = rowOf(lifecycleActivities, told.event) ?? [8, "Update"];
  const isDone = told.outcome === "allowed";
  return {
    categoryUid: 6,
    classUid: 6002,
    className: "Application Lifecycle",
    activityId,
    activityName,
    attributes: {
      app: productOf(teller),
      status_id: isDone ? 1 : 2,
      status: isDone ? "Success" : "Failure",
    },
  };
}

/** What no class fits: gaps, tests, what another writer registered. */
function baseEvent({ event }: Told): Classed {
  return {
    categoryUid: 0,
    classUid: 0,
    className: "Base Event",
    activityId: 99,
    activityName: event,
    attributes: {},
  };
}

function capitalised(word: string): string {
  return word.slice(0, 1).toUpperCase() + word.slice(1);
}
