// `npm run acceptance [part …]`: the long suites, each runnable alone.
import { ensureInstalled } from "./setup.mjs";
import { node, runSteps, together } from "./steps.mjs";

await ensureInstalled();

const parts = {
  conformance: {
    what: "the official suites, direct and through the gateway, check by check",
    args: ["test/conformance/run.ts"],
  },
  mutants: {
    what: "the data path broken in nine ways, each seen by the tests of its class",
    args: ["test/mutants/run.ts"],
  },
  clients: {
    what: "official SDK clients and the inspector through connect",
    args: test("test/acceptance/clients.test.ts", "test/acceptance/http-sse.test.ts"),
  },
  bridge: {
    what: "clients of one era and servers of the other: the official SDKs, suites and examples; calls left parked",
    args: test(
      "test/acceptance/bridge-clients.test.ts",
      "test/acceptance/bridge-suites.test.ts",
      "test/acceptance/bridge-servers.test.ts",
      "test/acceptance/parked-calls.test.ts",
      "test/acceptance/bridge-to-modern.test.ts",
      "test/acceptance/bridge-to-legacy.test.ts",
    ),
  },
  openapi: {
    what: "public OpenAPI documents of many makers: every schema compiles, mock servers of them take every call",
    args: test("test/acceptance/openapi.test.ts"),
  },
  kill9: {
    what: "kill -9 in the middle of 1,000 calls, 20 times",
    args: test("test/acceptance/kill9.test.ts"),
  },
  suggest: {
    what: "policies drafted from recorded runs of agents, against the attacks on the same tools; gateways that only observe",
    args: test("test/acceptance/suggest.test.ts", "test/acceptance/observe.test.ts"),
  },
  "detect-flows": {
    what: "the model of flows: made again, and measured on benign flows held back and attacks",
    args: test("test/acceptance/detect-flows.test.ts"),
  },
  "attack-day": {
    what: "a day of attacks among all recorded benign sessions: incidents, and what was stopped, as a table",
    args: test("test/acceptance/attack-day.test.ts"),
  },
  "log-life": {
    what: "a log through new keys, renewals, retention and restarts; and copied while it is written",
    args: test(
      "test/acceptance/log-life.test.ts",
      "test/acceptance/log-renewal.test.ts",
      "test/acceptance/log-copy.test.ts",
    ),
  },
  "log-commands": {
    what: "the audit log's commands, exports and erasures, as operators type them",
    args: test(
      "test/acceptance/audit-commands.test.ts",
      "test/acceptance/audit-export.test.ts",
      "test/acceptance/subjects.test.ts",
    ),
  },
  bundles: {
    what: "signed policy bundles from a file, a git checkout and an https URL, and their commands",
    args: test("test/acceptance/policy-bundles.test.ts", "test/acceptance/policy-bundle-commands.test.ts"),
  },
  witnesses: {
    what: "sidecars that witness the log, and what a gateway may try against them",
    args: test("test/acceptance/witness-sidecars.test.ts", "test/acceptance/witness.test.ts"),
  },
  "log-kills": {
    what: "the audit log's writer killed 200 times at random moments, in both durability classes",
    args: test("test/acceptance/log-kills.test.ts"),
  },
  limits: {
    what: "a limit of ten against a hundred calls at once, and with the gateway killed in the middle",
    args: test("test/acceptance/limits.test.ts"),
  },
  response: {
    what: "one caller's tool quarantined under everybody's load: nothing else is refused or fails; actions, kill switch, incidents and playbooks as operators type them",
    args: test(
      "test/acceptance/response.test.ts",
      "test/acceptance/responses.test.ts",
      "test/acceptance/kill-switch.test.ts",
      "test/acceptance/incidents.test.ts",
      "test/acceptance/playbooks.test.ts",
    ),
  },
  commands: {
    what: "approvals, policies, retention, delegation and watching as operators type them, beside the gateway and from another machine; shells and terminals",
    args: test(
      "test/acceptance/shells.test.ts",
      "test/acceptance/remote-commands.test.ts",
      "test/acceptance/approvals-commands.test.ts",
      "test/acceptance/policy-commands.test.ts",
      "test/acceptance/policy-diff.test.ts",
      "test/acceptance/log-retention.test.ts",
      "test/acceptance/delegation-sidecar.test.ts",
      "test/acceptance/detect-watch.test.ts",
    ),
  },
  replay: {
    what: "100,000 recorded calls judged again by other rules, against a judge who knows them",
    args: test("test/acceptance/replay.test.ts"),
  },
  integrity: {
    what: "who holds identities of the house and stands between its ends: each attack, place and mode",
    args: test(
      "test/acceptance/integrity.test.ts",
      "test/acceptance/calling-end.test.ts",
      "test/acceptance/pins-commands.test.ts",
      "test/acceptance/tools-sign.test.ts",
      "test/acceptance/integrity-attacks.test.ts",
    ),
  },
  "detect-train": {
    what: "the model of calls learned anew from recorded sessions, to the same file; and measured on suites left out",
    args: test("test/acceptance/detect-train.test.ts"),
  },
  restart: {
    what: "20 restarts under 100 calls a second",
    args: test("test/acceptance/restart.test.ts"),
  },
  agility: {
    what: "profile, roots and keys changed 5 times under 100 calls a second on 20 connections",
    args: test("test/acceptance/agility.test.ts"),
  },
  operation: {
    what: "cryptography's commands as operators type them, what a gateway remembers of its peers, backups",
    args: test(
      "test/acceptance/crypto-commands.test.ts",
      "test/acceptance/peer-memory.test.ts",
      "test/acceptance/root-rotations.test.ts",
      "test/acceptance/backup.test.ts",
    ),
  },
  "log-keys": {
    what: "the audit log's keys rotated, with its process dying at every step",
    args: test("test/acceptance/log-rotation.test.ts"),
  },
  h2: {
    what: "what is promised of calls, sessions, links and revocation, by clients that speak HTTP/2",
    args: test("test/acceptance/over-h2.test.ts"),
  },
  "peers-deceits": {
    what: "what a relay, a rendezvous or an authority may try between two peers",
    args: test("test/acceptance/peers-deceits.test.ts"),
  },
  outlets: {
    what: "a SIEM that is down for an hour and killed in the middle: rsyslog over TLS misses nothing of 10,000 events",
    args: test("test/acceptance/outlets.test.ts"),
  },
  "third-party": {
    what: "our logs read by others: a second reading of the formats, and Go's x/mod",
    args: test("test/acceptance/third-party.test.ts"),
  },
  "detect-text": {
    what: "instructions in texts and poisoned tools: the shipped model made anew, and what the guide says of both",
    args: test("test/acceptance/detect-text.test.ts"),
  },
  handshakes: {
    what: "what handshakes cost, measured and printed",
    args: test("test/acceptance/handshake-costs.test.ts"),
  },
  big: {
    what: "50 MiB answers, readers that stop, silent streams, 1,000 at once: memory is bounded",
    args: test("test/acceptance/big.test.ts"),
  },
  signer: {
    what: "no root or log seed in the gateway's memory when there is a signer",
    args: test("test/acceptance/signer.test.ts"),
  },
  paths: {
    what: "loss, black holes and boxes that break hybrid hellos, between namespaces (needs root)",
    args: test("test/acceptance/paths.test.ts"),
  },
  peers: {
    what: "peers behind NATs of five kinds over good paths and bad; their relay killed, addresses changed, ends suspended; between namespaces (needs root)",
    args: test(
      "test/acceptance/peer-nats.test.ts",
      "test/acceptance/peer-paths.test.ts",
      "test/acceptance/peer-mishaps.test.ts",
    ),
  },
  sandbox: {
    what: "a server in its sandbox: what it reaches, what it doesn't, and a burst that is cut (needs bubblewrap)",
    args: test("test/acceptance/sandbox.test.ts"),
  },
  adopt: {
    what: "six clients' files adopted: the official SDK reaches their servers through the gateway; given back byte for byte",
    args: test("test/acceptance/adopt.test.ts"),
  },
  scan: {
    what: "a machine prepared with clients and servers of all ages: each found, none misjudged against a table by hand; a network of 256 addresses",
    args: test(
      "test/acceptance/posture.test.ts",
      "test/acceptance/scan.test.ts",
      "test/acceptance/scan-network.test.ts",
    ),
  },
  start: { what: "npm start on a fresh copy", args: test("test/acceptance/start.test.ts") },
  pack: { what: "the packed package in an empty folder", args: test("test/acceptance/pack.test.ts") },
  verifier: {
    what: "the offline verifier of audit bundles in Chromium, opened as a file",
    args: test("test/acceptance/verifier.test.ts"),
  },
  "control-api": {
    what: "the control API's document by a validator, and by a client generated from it",
    args: test("test/acceptance/control-api.test.ts"),
  },
  assess: {
    what: "a deployment held against frameworks: levels, evidence that opens, reports that hold, attempts at its own doors",
    args: test("test/acceptance/assess.test.ts"),
  },
  browser: {
    what: "the control room in Chromium: each page in four looks, acting, evidence, passkeys, a day's work, a thousand calls a second",
    args: test(
      "test/acceptance/browser.test.ts",
      "test/acceptance/browser-acting.test.ts",
      "test/acceptance/browser-compliance.test.ts",
      "test/acceptance/browser-passkeys.test.ts",
      "test/acceptance/control-room.test.ts",
      "test/acceptance/control-load.test.ts",
    ),
  },
};

const asked = process.argv.slice(2);
const unknown = asked.filter((name) => !Object.hasOwn(parts, name));
if (unknown.length > 0) {
  console.error(`There is no part ${unknown.join(", ")}. The parts:`);
  for (const [name, { what }] of Object.entries(parts)) console.error(`  ${name.padEnd(12)} ${what}`);
  process.exit(2);
}

/** Each computes on one core alone, or waits most of the time: in a whole run both go at once. */
const pairs = {
  peers: "log-kills",
  "detect-train": "detect-flows",
  openapi: "third-party",
  replay: "attack-day",
  adopt: "detect-text",
};
const seconds = new Set(Object.values(pairs));

const steps = [];
for (const [name, { what, args }] of Object.entries(parts)) {
  if (asked.length > 0) {
    if (asked.includes(name)) steps.push(node(`${name}: ${what}`, ...args));
  } else if (!seconds.has(name)) {
    const other = pairs[name];
    const own = node(`${name}: ${what}`, ...args);
    if (other === undefined) steps.push(own);
    else {
      const both = `${own.name}; ${other}: ${parts[other].what}`;
      steps.push(together(both, own, node(other, ...parts[other].args)));
    }
  }
}
// Hundreds of processes on a machine that others use, too: what fails once and not again is shown, and looked into.
process.exitCode = await runSteps(steps, { keepGoing: true, tries: 2 });

function test(...files) {
  // What waits for something that never comes ends some time.
  return ["--test", "--test-reporter=spec", "--test-concurrency=2", "--test-timeout=900000", ...files];
}
