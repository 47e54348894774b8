/** The audit log of a running gateway: whose keys rotate, whose beginning is removed in time, and which others look at. */
import type { InForce } from "../crypto/suites/in-force.ts";
import type { LogSuites } from "../crypto/suites/signatures.ts";
import type { KeyFolder } from "../host/store/key-folder.ts";
import { openRenewalRequests } from "../host/store/state-log-renewals.ts";
import { openRotationRequests } from "../host/store/state-log-rotations.ts";
import { gatewayIdOf } from "../identity/spiffe-id.ts";
import { type AuditLog, followingLog, openAuditLog } from "./audit-log.ts";
import type { Config } from "./config.ts";
import type { Base, Environment } from "./data-plane.ts";
import { followRenewalRequests } from "./log-renewal.ts";
import { keepRetention } from "./log-retention.ts";
import type { OnWritten } from "./observed-journal.ts";
import { followRotationRequests } from "./log-rotation.ts";
import { statePaths } from "./state-folder.ts";

interface LogNeeds extends Environment {
  readonly keys: KeyFolder;
  readonly inForce: () => InForce;
  readonly onErased: (ids: readonly string[]) => void;
  readonly onWritten: OnWritten;
}

/** The audit log, whose keys rotate when somebody asks for that and with the profile. */
export async function openLog(
  config: Config,
  { keys, inForce, onErased, onWritten, clock, log }: LogNeeds,
  opening: AsyncDisposableStack,
): Promise<{ readonly audit: AuditLog; readonly followLog: Base["followLog"] }> {
  const requests = openRotationRequests(statePaths(config.state).database);
  // Closed after the log: what is under way ends with it.
  opening.defer(requests.close);
  const renewals = openRenewalRequests(statePaths(config.state).database);
  opening.defer(renewals.close);
  const { trust_domain: trustDomain } = config;
  const suites = (): LogSuites => inForce().profile.log;
  const { durability } = config.audit;
  const options = { trustDomain, suites: suites(), durability, onErased, onWritten, clock, log };
  const audit = await openAuditLog(config.state, keys, options);
  opening.defer(audit.journal.close);
  const principal = gatewayIdOf(trustDomain);
  const following = followingLog(audit, principal, log);
  const keptMs = config.audit.retention;
  const { log: folder, auditIndex: index } = statePaths(config.state);
  const working = [
    followRotationRequests({ audit, requests, suites, principal, log }),
    followRenewalRequests({ audit, requests: renewals, principal, log }),
    following,
    keepRetention({ audit, folder, index, keptMs, principal, clock, log }),
    audit,
  ];
  // All at once: each may be waiting for another.
  opening.defer(() => Promise.all(working.map(({ stop }) => stop())).then(() => undefined));
  return { audit, followLog: following.follow };
}
