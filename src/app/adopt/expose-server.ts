/** `latticegate adopt --server`: a server that somebody runs, behind `latticegate expose` with an identity of this gateway's. */
import { rm } from "node:fs/promises";
import path from "node:path";

import { ensurePrivateFolder, writePrivateFile } from "../../host/store/files.ts";
import { readForeignFile, replaceForeignFile } from "../../host/store/foreign-file.ts";
import { Refusal } from "../../kernel/refusal.ts";
import { type Config, parseConfig } from "../config.ts";
import { ensureLocalSidecar } from "../local-sidecar.ts";
import type { Environment } from "./adopt.ts";
import { withoutServers, withServers } from "./config-text.ts";
import { textOf } from "./plan-file.ts";
import { mcpPath } from "../../wire/protected-resource.ts";

export interface Exposed {
  readonly name: string;
  /** A URL, or a program and its arguments. */
  readonly target: { readonly url: string } | { readonly command: readonly string[] };
  /** `host:port`, fixed: the config names it. */
  readonly listen: string;
}

export interface ExposedPlan {
  readonly before: string;
  readonly after: string;
  /** The unit of systemd that runs it, and where it is put; absent when it is taken back. */
  readonly unit?: { readonly file: string; readonly text: string };
  readonly carryOut: () => Promise<void>;
}

function folderOf(config: Config, name: string): string {
  return path.join(config.state, "exposed", name);
}

export function unitName(name: string): string {
  return `latticegate-expose-${name}.service`;
}

/** @throws Refusal `bad_config` if the config has a server of that name, or can't be rewritten */
export async function planExposed(
  config: Config,
  exposed: Exposed,
  environment: Environment,
): Promise<ExposedPlan> {
  const { name, listen } = exposed;
  if (Object.hasOwn(config.servers, name) || Object.hasOwn(config.virtual_servers, name))
    throw new Refusal("bad_config", `There is a server "${name}" in ${config.file} already; name another.`);
  const read = await readForeignFile(config.file);
  if (read === undefined) throw new Refusal("bad_config", `${config.file} is gone.`);
  const before = textOf(read);
  const peer = `spiffe://${config.trust_domain}/server/${name}`;
  const after = withServers(before, { [name]: { url: `https://${listen}${mcpPath}${name}`, peer } });
  parseConfig(after, config.file);
  const state = folderOf(config, name);
  const unit = { file: path.join(state, unitName(name)), text: unitOf(exposed, state, environment.self) };
  return {
    before,
    after,
    unit,
    carryOut: async () => {
      await ensurePrivateFolder(path.dirname(state));
      await ensureLocalSidecar(config, { state, path: `server/${name}` }, environment);
      await writePrivateFile(unit.file, unit.text);
      await replaceForeignFile(read, Buffer.from(after));
    },
  };
}

function unitOf({ name, target, listen }: Exposed, state: string, self: readonly string[]): string {
  const what = "url" in target ? [target.url] : ["--", ...target.command];
  const command = [...self, "expose", "--listen", listen, "--state", state, ...what];
  return `[Unit]
Description=MCP server ${name} behind Latticegate
After=network.target

[Service]
ExecStart=${command.map((part) => quoted(part)).join(" ")}
WorkingDirectory=${process.cwd().replaceAll("%", "%%")}
Restart=on-failure
NoNewPrivileges=true

[Install]
WantedBy=default.target
`;
}

/** systemd.service(5), "Command lines": quotes, and no specifiers or variables. */
function quoted(part: string): string {
  const plain = part.replaceAll("\\", "\\\\").replaceAll('"', '\\"');
  return `"${plain.replaceAll("%", "%%").replaceAll("$", "$$$$")}"`;
}

/** @throws Refusal `bad_config` if it wasn't put there by `adopt --server`, or the config needs it */
export async function planUnexposed(config: Config, name: string): Promise<ExposedPlan> {
  const server = config.servers[name];
  const peer = `spiffe://${config.trust_domain}/server/${name}`;
  const read = await readForeignFile(config.file);
  const unit = await readForeignFile(path.join(folderOf(config, name), unitName(name)));
  if (server === undefined || !("url" in server) || server.peer !== peer || !read || !unit)
    throw new Refusal(
      "bad_config",
      `"${name}" isn't a server that \`latticegate adopt --server\` put there.`,
    );
  const before = textOf(read);
  const after = withoutServers(before, [name]);
  parseConfig(after, config.file);
  const carryOut = async (): Promise<void> => {
    await replaceForeignFile(read, Buffer.from(after));
    await rm(unit.file, { force: true });
  };
  return { before, after, carryOut };
}
