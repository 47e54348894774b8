/** What the gateway's API says, read with care: the page shows nothing it can't read. */
import { fields, items, number, text, texts } from "./fields.ts";
import { readStopped, type Stopped } from "./responses.ts";

export interface Status {
  readonly version: string;
  readonly startedAtUnixMs: number;
  readonly state: string;
  /** What has stopped all calls; empty while they are taken. */
  readonly stopped: readonly Stopped[];
  readonly trustDomain: string;
  readonly listener: {
    readonly address: string;
    readonly groups: readonly string[];
    readonly profile: string;
    readonly authentication: string;
  };
  readonly servers: readonly ServerStatus[];
  readonly log: { readonly origin: string; readonly size: number; readonly checkpoint: Checkpoint | null };
  readonly notYet: readonly string[];
}

interface ServerStatus {
  readonly name: string;
  readonly transport: string;
  readonly target: string;
  readonly calls: number;
  readonly failures: number;
}

interface Checkpoint {
  readonly size: number;
  readonly root: string;
  readonly atUnixMs: number | null;
}

export interface Call {
  readonly callId: string;
  readonly atUnixMs: number;
  readonly caller: string;
  readonly what: string;
  readonly verdict: "allowed" | "denied" | "held" | "error";
  readonly rule: string | null;
  readonly outcome: string | null;
  readonly ms: number | null;
  /** 0 to 1; null where nothing watches calls. */
  readonly risk: number | null;
  readonly findings: readonly string[];
  readonly link: CallLink;
  readonly isUnderWay: boolean;
}

/** The link a call came on. */
export interface CallLink {
  readonly keyExchange: string;
  readonly group: string;
  readonly level: number | null;
  readonly certificate: string;
}

/** @throws TypeError if the answer isn't a status */
export function readStatus(value: unknown): Status {
  const { listener, log, servers, notYet, ...top } = fields(value);
  const { checkpoint, ...logTop } = fields(log);
  if (typeof top["version"] !== "string" || !Array.isArray(servers)) throw new TypeError("expected a status");
  return {
    version: top["version"],
    startedAtUnixMs: number(top["startedAtUnixMs"]),
    state: text(top["state"]),
    stopped: readStopped(top["stopped"]),
    trustDomain: text(top["trustDomain"]),
    listener: {
      address: text(fields(listener)["address"]),
      groups: texts(fields(listener)["groups"]),
      profile: text(fields(listener)["profile"]),
      authentication: text(fields(listener)["authentication"]),
    },
    servers: servers.map(readServer),
    log: {
      origin: text(logTop["origin"]),
      size: number(logTop["size"]),
      checkpoint: checkpoint === null || checkpoint === undefined ? null : readCheckpoint(checkpoint),
    },
    notYet: texts(notYet),
  };
}

export function readCalls(value: unknown): readonly Call[] {
  return items(value).map(readCall);
}

function readServer(value: unknown): ServerStatus {
  const server = fields(value);
  return {
    name: text(server["name"]),
    transport: text(server["transport"]),
    target: text(server["target"]),
    calls: number(server["calls"]),
    failures: number(server["failures"]),
  };
}

function readCheckpoint(value: unknown): Checkpoint {
  const { size, root, atUnixMs } = fields(value);
  return { size: number(size), root: text(root), atUnixMs: typeof atUnixMs === "number" ? atUnixMs : null };
}

export function readCall(value: unknown): Call {
  const call = fields(value);
  const verdict = call["verdict"];
  return {
    callId: text(call["callId"]),
    atUnixMs: number(call["atUnixMs"]),
    caller: text(call["caller"]),
    what: text(call["what"]),
    verdict: verdict === "allowed" || verdict === "denied" || verdict === "held" ? verdict : "error",
    rule: typeof call["rule"] === "string" ? call["rule"] : null,
    outcome: typeof call["outcome"] === "string" ? call["outcome"] : null,
    ms: typeof call["ms"] === "number" ? call["ms"] : null,
    risk: typeof call["risk"] === "number" ? call["risk"] : null,
    findings: texts(call["findings"]),
    link: readLink(call["link"]),
    isUnderWay: call["isUnderWay"] === true,
  };
}

export function readLink(value: unknown): CallLink {
  const link = fields(value);
  return {
    keyExchange: text(link["keyExchange"]),
    group: text(link["group"]),
    level: typeof link["level"] === "number" ? link["level"] : null,
    certificate: text(link["certificate"]),
  };
}
