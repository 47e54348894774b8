/** `latticegate connect` */
import { connectHttp, connectStdio } from "../app/connect.ts";
import { sidecarState } from "../app/sidecar-state.ts";
import { systemClock, systemLog } from "../host/system.ts";
import { Refusal } from "../kernel/refusal.ts";
import { type Command, joinOption, joinToken, sidecarStateOption } from "./command.ts";
import { untilStopped } from "./signals.ts";

export const connect = {
  name: "connect",
  arguments: "SERVER|URL",
  summary: "Sidecar for a client: stdio or loopback HTTP in front, the post-quantum tunnel behind.",
  options: {
    ...joinOption,
    ...sidecarStateOption,
    http: {
      type: "string",
      value: "PORT",
      help: "Serve HTTP on loopback instead of stdio, HTTP+SSE of MCP 2024-11-05 too; 0 takes a free port.",
    },
    peer: { type: "string", value: "SPIFFE-ID", help: "Who the other end must be; the gateway by default." },
    verbose: { type: "boolean", help: "Log what happens to stderr." },
  },
  run: async (call) => {
    const [target, ...more] = call.positionals;
    if (target === undefined || more.length > 0) {
      throw new Refusal("bad_config", "Expected one server: its name behind the gateway, or an https URL.");
    }
    const peer = call.text("peer");
    const options = {
      target,
      state: sidecarState(call.text("state")),
      clock: systemClock,
      log: systemLog({ level: call.flag("verbose") ? "debug" : "warn" }),
      ...joinToken(call),
      ...(peer !== undefined && { peer }),
    };
    const port = call.text("http");
    if (port === undefined) {
      await connectStdio(options, { input: process.stdin, output: process.stdout });
      return 0;
    }
    if (!/^\d{1,5}$/.test(port)) throw new Refusal("bad_config", `--http takes a port, found "${port}".`);
    const stopped = untilStopped();
    const connection = await connectHttp(options, Number(port));
    call.out(`${target} is at ${connection.url}`);
    call.out(`For clients of HTTP+SSE, the transport of MCP 2024-11-05: ${connection.sseUrl}`);
    await stopped;
    await connection.close();
    return 0;
  },
} as const satisfies Command;
