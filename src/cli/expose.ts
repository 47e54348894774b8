/** `latticegate expose` */
import { type KeyExchangeDial, keyExchangeDial } from "../app/config/link.ts";
import { type ExposeOptions, startExpose } from "../app/expose.ts";
import { toolPinning } from "../app/config/tools.ts";
import { segmentBytes } from "../app/config/paths.ts";
import { sidecarState } from "../app/sidecar-state.ts";
import { systemClock, systemLog } from "../host/system.ts";
import { Refusal } from "../kernel/refusal.ts";
import type { Command, CommandCall } from "./command.ts";
import {
  authentication,
  authenticationOption,
  identityOptions,
  identitySource,
  onLogIncident,
  onLogIncidentOption,
  sidecarStateOption,
  signatureOptions,
  signatureSettings,
} from "./sidecar-options.ts";
import { passedEnvironment, sandboxGiven, sandboxOptions } from "./expose-sandbox.ts";
import { askedPeers, peerOptions, peerPortOption } from "./peer-options.ts";
import { untilStopped } from "./signals.ts";

export const expose = {
  options: {
    ...identityOptions,
    ...sidecarStateOption,
    listen: {
      type: "string",
      value: "HOST:PORT",
      help: "Where to listen; 127.0.0.1:0 by default, a free port.",
    },
    segment: {
      type: "string",
      value: "BYTES",
      help: "Longest TCP segment, for networks that lose long packets, e.g. 1180.",
    },
    allow: {
      type: "string",
      multiple: true,
      value: "SPIFFE-ID",
      help: 'Who may call, "*" for any run of characters; only the gateway by default.',
    },
    ...authenticationOption,
    ...onLogIncidentOption,
    ...signatureOptions,
    "read-only": {
      type: "string",
      multiple: true,
      value: "TOOL",
      help: 'A tool that only reads, by your own word; "*" for any run of characters. Its signatures may come in batches.',
    },
    sse: {
      type: "boolean",
      help: "The server at URL speaks HTTP+SSE, the older transport of MCP 2024-11-05.",
    },
    "key-exchange": {
      type: "string",
      value: "DIAL",
      help: "Of the link to an https URL: hybrid-required, as by default, or hybrid-preferred, under the profile transition.",
    },
    "pin-tools": {
      type: "string",
      value: "HOW",
      help: "What the server's tools are held to: first-use, as by default, approve, or off; see `latticegate tools`.",
    },
    p2p: {
      type: "boolean",
      help: "Print a name under which peers behind NATs reach it, too; with --via, --lan or both.",
    },
    ...peerOptions,
    ...peerPortOption,
    ...sandboxOptions,
    verbose: { type: "boolean", help: "Log what happens to stderr." },
  },
  run: async (call) => {
    const stopped = untilStopped();
    const exposed = await startExpose({
      server: exposedServer(call),
      listen: call.text("listen") ?? "127.0.0.1:0",
      segmentBytes: segmentOf(call),
      allow: call.texts("allow"),
      state: sidecarState(call.text("state")),
      clock: systemClock,
      log: systemLog({ level: call.flag("verbose") ? "debug" : "warn" }),
      ...identitySource(call),
      ...authentication(call),
      ...onLogIncident(call),
      signatures: signatureSettings(call),
      readOnly: call.texts("read-only"),
      ...pinTools(call),
      ...(isCalledByPeers(call) && { peers: askedPeers(call) }),
    });
    call.out(`${exposed.name} is at ${exposed.url} as ${exposed.spiffeId}`);
    if (exposed.peerName !== undefined) call.out(`Peers reach it as ${exposed.peerName}`);
    call.out(`Fingerprint of its message keys: ${exposed.fingerprint}`);
    call.out(
      `In the gateway's config:\n\nservers:\n  ${exposed.name}:\n    url: ${exposed.url}\n    peer: ${exposed.spiffeId}\n`,
    );
    await stopped;
    await exposed.stop();
    return 0;
  },
} as const satisfies Command;

/** @throws Refusal `bad_config` for what is said of peers without --p2p */
function isCalledByPeers(call: CommandCall): boolean {
  if (call.flag("p2p")) return true;
  const [said] = ["via", "lan", "p2p-port"].filter((each) => call.flag(each) || call.texts(each).length > 0);
  if (said !== undefined) throw new Refusal("bad_config", `--${said} is about peers; say --p2p, too.`);
  return false;
}

function exposedServer(call: CommandCall): ExposeOptions["server"] {
  const [url, ...more] = call.positionals;
  const isSse = call.flag("sse");
  const keyExchange = keyExchangeOf(call);
  const process = { ...passedEnvironment(call), ...sandboxGiven(call) };
  if (call.rest.length > 0 && url === undefined && !isSse && keyExchange === undefined)
    return { command: call.rest, ...process };
  if (process.passEnv !== undefined)
    throw new Refusal("bad_config", "--pass-env is for a server that this command starts, behind --.");
  if (url !== undefined && more.length === 0 && call.rest.length === 0) {
    return {
      url,
      transport: isSse ? "http+sse" : "streamable-http",
      ...(keyExchange !== undefined && { keyExchange }),
    };
  }
  throw new Refusal(
    "bad_config",
    "Expected either the URL of an HTTP server (with --sse if it speaks HTTP+SSE, and --key-exchange if it is https) or, behind --, the command of a stdio server.",
  );
}

function keyExchangeOf(call: CommandCall): KeyExchangeDial | undefined {
  const text = call.text("key-exchange");
  if (text === undefined) return undefined;
  const read = keyExchangeDial.safeParse(text);
  if (read.success) return read.data;
  throw new Refusal(
    "bad_config",
    `--key-exchange is "${text}"; expected ${keyExchangeDial.options.join(" or ")}.`,
  );
}

/** @throws Refusal `bad_config` */
function pinTools(call: CommandCall): Pick<ExposeOptions, "pinTools"> {
  const text = call.text("pin-tools");
  if (text === undefined) return {};
  const how = toolPinning.safeParse(text);
  if (how.success) return { pinTools: how.data };
  throw new Refusal("bad_config", `--pin-tools takes ${toolPinning.options.join(", ")}, found "${text}".`);
}

/** @throws Refusal `bad_config` */
function segmentOf(call: CommandCall): number | undefined {
  const text = call.text("segment");
  if (text === undefined) return undefined;
  const parsed = segmentBytes.safeParse(Number(text));
  if (parsed.success) return parsed.data;
  throw new Refusal("bad_config", `--segment: ${parsed.error.issues[0]?.message}, found "${text}".`);
}
