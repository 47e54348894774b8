/** What a deployment has to be set to, read off what it runs with. */
import { stat } from "node:fs/promises";
import { hostname } from "node:os";

import { readEntry } from "../../audit/entry.ts";
import { openLogReader } from "../../host/store/log-reader.ts";
import { listKeys } from "../../host/store/key-folder.ts";
import { ocsfEvent } from "../../respond/events/ocsf.ts";
import { toldEntry } from "../../respond/events/told.ts";
import { keptInventory } from "../inventory/keep-inventory.ts";
import { outletFindings } from "../outlets/doctor-outlets.ts";
import { statePaths } from "../state-folder.ts";
import { toolRows } from "../tools/tool-operations.ts";
import { version } from "../version.ts";
import { failed, passed, skipped, type TestOutcome, type TestScene } from "./test-scene.ts";

type Setting = (scene: Pick<TestScene, "config" | "clock">) => TestOutcome | Promise<TestOutcome>;

const dayMs = 24 * 3_600_000;
const halfYearMs = 184 * dayMs;

export const settingTests = {
  "agentic-fields": ({ config }) => agenticFields(statePaths(config.state).log),
  outlet: async ({ config }) => {
    const findings = await outletFindings(config);
    const wrong = findings.find(({ level }) => level !== "ok");
    if (findings.length === 0) return failed("the config has no outlet");
    return wrong === undefined ? passed(`${findings.length} of them`) : failed(wrong.text);
  },
  "own-address": ({ config }) => {
    const all = [
      config.listen,
      ...config.webListeners.map(({ address }) => address),
      ...(config.dashboard === "off" ? [] : [config.dashboard]),
      ...(config.metrics === undefined ? [] : [config.metrics.listen]),
    ];
    const open = all.find((address) => /^(0\.0\.0\.0|\[::\]|\*|:)/.test(address));
    return open === undefined ? passed(all.join(", ")) : failed(`${open} is on all interfaces`);
  },
  "sealed-keys": async ({ config }) => {
    const { keys } = statePaths(config.state);
    const [{ mode }, sealed] = [await stat(config.state), await listKeys(keys)];
    if ((mode & 0o077) !== 0) return failed(`${config.state} is open to others`);
    return sealed.length > 0 ? passed(`${sealed.length} sealed keys`) : skipped("there are no keys");
  },
  "tools-pinned": ({ config }) => {
    const rows = toolRows({ state: config.state });
    const loose = rows.filter(({ pinnedHash, isCalled }) => isCalled && pinnedHash === undefined);
    if (rows.length === 0) return skipped("no client has listed a server's tools yet");
    return loose.length === 0
      ? passed(`${rows.length} tools`)
      : failed(`${loose.length} of ${rows.length} tools are called without a pin`);
  },
  signer: ({ config }) =>
    config.signer === undefined ? failed("the gateway holds its keys itself") : passed(config.signer.socket),
  traces: ({ config }) =>
    config.traces === undefined
      ? failed("the config has no traces")
      : passed(`${config.traces.sample} of all calls`),
  retention: ({ config: { audit } }) => {
    if (audit.retention === undefined) return passed("for ever");
    const days = `${Math.floor(audit.retention / dayMs)} days`;
    return audit.retention >= halfYearMs ? passed(days) : failed(days);
  },
  "retention-bounded": ({ config: { audit } }) =>
    audit.retention === undefined
      ? failed("entries are kept for ever")
      : passed(`${Math.floor(audit.retention / dayMs)} days`),
  inventory: async ({ config, clock }) => {
    const kept = await keptInventory({ stateFolder: config.state, config }).catch(() => undefined);
    if (kept === undefined) return failed("`latticegate scan` was never run");
    const { atUnixMs, servers } = kept.inventory;
    const days = Math.floor((clock.nowUnixMs() - atUnixMs) / dayMs);
    const says = `${servers.length} servers, ${days} days ago`;
    return days <= 30 ? passed(says) : failed(says);
  },
  owners: async ({ config }) => {
    const kept = await keptInventory({ stateFolder: config.state, config }).catch(() => undefined);
    if (kept === undefined || kept.inventory.servers.length === 0)
      return failed("the inventory has no servers");
    const { servers } = kept.inventory;
    const without = servers.filter(
      ({ labels }) => labels.owner === undefined || labels.purpose === undefined,
    );
    return without.length === 0
      ? passed(`${servers.length} servers`)
      : failed(`${without.length} of ${servers.length} servers have no owner or no purpose`);
  },
} as const satisfies Readonly<Record<string, Setting>>;

const fields = ["delegation_path", "attestation_state", "correlation_id", "mcp_method", "mcp_name"];
/** Entries that are looked through for a call. */
const mostLooked = 256;

async function agenticFields(folder: string): Promise<TestOutcome> {
  const reader = openLogReader(folder);
  const size = await reader.size();
  let newest: object | undefined;
  for await (const { index, bytes } of reader.forwards(Math.max(0, size - mostLooked))) {
    const reading = readEntry(bytes);
    if (reading.kind !== "entry" || reading.entry.event !== "call.decision" || reading.entry.tool === null)
      continue;
    const teller = { origin: "assess", version, host: hostname() };
    newest = ocsfEvent(toldEntry("assess", index, reading.entry), teller);
  }
  if (newest === undefined) return skipped(`no tool was called in the newest ${mostLooked} entries`);
  const { unmapped } = newest as { readonly unmapped: object };
  const missing = fields.filter((name) => !(name in unmapped));
  return missing.length === 0 ? passed(fields.join(", ")) : failed(`${missing.join(", ")} missing`);
}
