/** `latticegate grant SERVER`, `grants list`, `grants revoke` */
import { spawn } from "node:child_process";

import { loadConfig } from "../app/config.ts";
import { listGrants, removeGrant } from "../app/operator-grants.ts";
import { obtainGrant, ownGrants, revokeOwnGrant, type SidecarOptions } from "../app/sidecar-grants.ts";
import { sidecarState } from "../app/sidecar-state.ts";
import { systemClock, systemLog } from "../host/system.ts";
import { Refusal } from "../kernel/refusal.ts";
import type { Command, CommandCall } from "./command.ts";
import { sidecarStateOption } from "./sidecar-options.ts";
import { jsonText } from "./tools-text.ts";

/** Where the operator's own view is asked for. */
const operatorOption = {
  config: {
    type: "string",
    value: "FILE",
    help: "On the gateway's machine, as its operator: the config file.",
  },
} as const;

export const grant = {
  options: {
    ...sidecarStateOption,
    port: {
      type: "string",
      value: "PORT",
      help: "Port on loopback to come back to, where it must be one that is known; any by default.",
    },
    print: { type: "boolean", help: "Only print the page's address, without opening a browser." },
  },
  run: async (call) => {
    const server = oneServer(call);
    const port = call.text("port") ?? "0";
    if (!/^\d{1,5}$/.test(port)) throw new Refusal("bad_config", `--port takes a port, found "${port}".`);
    const granted = await obtainGrant(server, { ...sidecar(call), port: Number(port) }, (url) => {
      call.out(`Open ${url}`);
      if (process.stdout.isTTY && !call.flag("print")) openBrowser(url);
    });
    const scope = granted.scope === "" ? "" : ` (${granted.scope})`;
    call.out(`granted: ${server}${scope}, by ${granted.issuer}`);
    return 0;
  },
} as const satisfies Command;

export const grants = {
  options: { ...sidecarStateOption, ...operatorOption, json: { type: "boolean", help: "Print JSON." } },
  run: async (call) => {
    const config = call.text("config");
    if (config === undefined) {
      const own = await ownGrants(sidecar(call));
      if (call.flag("json"))
        call.out(
          jsonText(
            own.map(({ granted_at, server, issuer, scope }) => ({ granted_at, server, issuer, scope })),
          ),
        );
      else
        for (const { granted_at: at, server, issuer, scope } of own)
          call.out(`${at}  ${server}  ${issuer}  ${scope}`);
      return 0;
    }
    const rows = (await listGrants(loadConfig(config))).map(
      ({ grantedUnixMs, server, holder, issuer, scope }) => {
        return { granted_at: new Date(grantedUnixMs).toISOString(), server, holder, issuer, scope };
      },
    );
    if (call.flag("json")) call.out(jsonText(rows));
    else
      for (const { granted_at: at, server, holder, issuer, scope } of rows)
        call.out(`${at}  ${server}  ${holder}  ${issuer}  ${scope}`);
    return 0;
  },
} as const satisfies Command;

export const grantRevoke = {
  options: {
    ...sidecarStateOption,
    ...operatorOption,
    holder: {
      type: "string",
      value: "HOLDER",
      help: "With --config: whose, as `latticegate grants list` shows it.",
    },
  },
  run: async (call) => {
    const server = oneServer(call);
    const [config, holder] = [call.text("config"), call.text("holder")];
    if ((config === undefined) !== (holder === undefined)) {
      throw new Refusal("bad_config", "Expected --config and --holder together, or neither for your own.");
    }
    const removed =
      config === undefined || holder === undefined
        ? await revokeOwnGrant(server, sidecar(call))
        : await removeGrant(loadConfig(config), server, holder);
    call.out(removed ? `revoked: ${server}` : `nothing to revoke: there is no grant for "${server}"`);
    return removed ? 0 : 1;
  },
} as const satisfies Command;

function oneServer(call: CommandCall): string {
  const [server, ...more] = call.positionals;
  if (server !== undefined && more.length === 0) return server;
  throw new Refusal("bad_config", "Expected one server: its name behind the gateway.");
}

function sidecar(call: CommandCall): SidecarOptions {
  return {
    state: sidecarState(call.text("state")),
    clock: systemClock,
    log: systemLog({ level: "warn" }),
  };
}

/** The address is printed as well, so it doesn't matter if there is no browser. */
function openBrowser(url: string): void {
  const program = process.platform === "darwin" ? "open" : "xdg-open";
  spawn(program, [url], { stdio: "ignore", detached: true })
    .on("error", () => undefined)
    .unref();
}
