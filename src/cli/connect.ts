/** `latticegate connect` */
import { PassThrough, type Readable } from "node:stream";

import { connectForward, connectHttp, connectStdio, type LoopbackConnection } from "../app/connect.ts";
import { sidecarState } from "../app/sidecar-state.ts";
import { systemClock, systemLog } from "../host/system.ts";
import { readPeerName } from "../identity/peer-name.ts";
import { Refusal } from "../kernel/refusal.ts";
import { sessionPartPattern } from "../wire/identity-headers.ts";
import type { Intent } from "../wire/intent.ts";
import type { Command, CommandCall } from "./command.ts";
import {
  authentication,
  authenticationOption,
  identityOptions,
  identitySource,
  onLogIncident,
  onLogIncidentOption,
  onBehalfOf,
  onBehalfOfOption,
  sidecarStateOption,
  signatureOptions,
  signatureSettings,
} from "./sidecar-options.ts";
import { askedPeers, peerOptions } from "./peer-options.ts";
import { untilStopped } from "./signals.ts";

export const connect = {
  options: {
    ...identityOptions,
    ...sidecarStateOption,
    http: {
      type: "string",
      value: "PORT",
      help: "Serve HTTP on loopback instead of stdio, HTTP+SSE of MCP 2024-11-05 too; 0 takes a free port.",
    },
    forward: {
      type: "string",
      value: "PORT",
      help: "Serve as the HTTP proxy of clients that keep their servers' own http URLs; 0 takes a free port.",
    },
    ...authenticationOption,
    ...onLogIncidentOption,
    peer: { type: "string", value: "SPIFFE-ID", help: "Who the other end must be; the gateway by default." },
    session: {
      type: "string",
      value: "NAME",
      help: "Name a part of the client's session, e.g. one conversation; $LATTICEGATE_SESSION does too.",
    },
    intent: {
      type: "string",
      value: "TEXT",
      help: "What the client's calls are for, where they don't declare it themselves; rules and models are told.",
    },
    ...onBehalfOfOption,
    ...signatureOptions,
    ...peerOptions,
    verbose: { type: "boolean", help: "Log what happens to stderr." },
  },
  run: async (call) => {
    const [target, ...more] = call.positionals;
    if (target === undefined || more.length > 0) {
      throw new Refusal(
        "bad_config",
        "Expected one server: its name behind the gateway, an https URL, or a peer's name (mcp-pqc://…).",
      );
    }
    const peer = call.text("peer");
    const options = {
      target,
      state: sidecarState(call.text("state")),
      clock: systemClock,
      log: systemLog({ level: call.flag("verbose") ? "debug" : "warn" }),
      ...identitySource(call),
      ...authentication(call),
      ...onLogIncident(call),
      ...(peer !== undefined && { peer }),
      ...sessionPart(call),
      ...intentOf(call),
      ...onBehalfOf(call),
      signatures: signatureSettings(call),
      ...(readPeerName(target) !== undefined && { peers: askedPeers(call) }),
    };
    const [http, forward] = [portOf(call, "http"), portOf(call, "forward")];
    if (http !== undefined && forward !== undefined) {
      throw new Refusal("bad_config", "Expected --http or --forward, not both.");
    }
    if (forward !== undefined) {
      await untilEnd(connectForward(options, forward), ({ url }) => call.out(proxyText(target, url)));
    } else if (http !== undefined) {
      await untilEnd(connectHttp(options, http), ({ url, sseUrl }) => {
        call.out(`${target} is at ${url}`);
        call.out(`For clients of HTTP+SSE, the transport of MCP 2024-11-05: ${sseUrl}`);
      });
    } else await connectStdio(options, { input: untilSignal(process.stdin), output: process.stdout });
    return 0;
  },
} as const satisfies Command;

function sessionPart(call: CommandCall): { readonly sessionPart?: string } {
  const part = call.text("session") ?? process.env["LATTICEGATE_SESSION"];
  if (part === undefined || part === "") return {};
  if (sessionPartPattern.test(part)) return { sessionPart: part };
  throw new Refusal("bad_config", "--session takes 1 to 128 visible ASCII characters without spaces.");
}

function intentOf(call: CommandCall): { readonly intent?: Intent } {
  const purpose = call.text("intent");
  if (purpose === undefined) return {};
  if (purpose.length >= 1 && purpose.length <= 1000) return { intent: { purpose } };
  throw new Refusal("bad_config", "--intent takes 1 to 1,000 characters.");
}

function portOf(call: CommandCall, option: string): number | undefined {
  const port = call.text(option);
  if (port !== undefined && !/^\d{1,5}$/.test(port))
    throw new Refusal("bad_config", `--${option} takes a port, found "${port}".`);
  return port === undefined ? undefined : Number(port);
}

/** A client that sends a signal has no more to say; what was promised for it is still kept. */
function untilSignal(input: Readable): Readable {
  const heard = input.pipe(new PassThrough());
  const end = async (): Promise<void> => {
    await untilStopped();
    input.unpipe(heard);
    heard.end();
  };
  void end();
  return heard;
}

async function untilEnd<C extends LoopbackConnection>(
  opening: Promise<C>,
  tell: (connection: C) => void,
): Promise<void> {
  const stopped = untilStopped();
  const connection = await opening;
  tell(connection);
  await stopped;
  await connection.close();
}

/** What an operator must know: https isn't led here, since a client's own services would be cut off with it. */
function proxyText(target: string, url: string): string {
  return [
    `${target} forwards at ${url}`,
    `A client's environment, e.g. for Node: NODE_USE_ENV_PROXY=1 HTTP_PROXY=${url} NO_PROXY=`,
    "https goes its own way, unseen; set HTTPS_PROXY to the same URL to have it refused.",
  ].join("\n");
}
