/** `latticegate tools list | diff | history | approve | roll-back` */
import { loadConfig } from "../app/config.ts";
import { sidecarState } from "../app/sidecar-state.ts";
import {
  approveTools,
  rollBackTools,
  toolChanges,
  toolHistory,
  type ToolPlace,
  toolRows,
} from "../app/tools/tool-operations.ts";
import { systemClock } from "../host/system.ts";
import { Refusal } from "../kernel/refusal.ts";
import { type Command, type CommandCall, configFile, configOption } from "./command.ts";
import { diffLines, historyLines, jsonText, listLines, shown } from "./tools-text.ts";
import { who } from "./who.ts";

export const toolPlaceOptions = {
  ...configOption,
  state: {
    type: "string",
    value: "FOLDER",
    help: "Instead of a gateway's config: the state folder of an exposed server.",
  },
} as const;

const options = {
  ...toolPlaceOptions,
  json: { type: "boolean", help: "Print JSON." },
} as const;

const deciding = {
  ...options,
  because: { type: "string", value: "TEXT", help: "Why; it stands in the history." },
} as const;

export const toolsList = {
  options,
  run: (call) => {
    const [server, ...more] = call.positionals;
    if (more.length > 0) throw new Refusal("bad_config", "Expected one server, or none for all.");
    const rows = toolRows(toolPlace(call), server);
    tell(call, rows, listLines(rows));
    return Promise.resolve(0);
  },
} as const satisfies Command;

export const toolsDiff = {
  options,
  run: (call) => {
    const [server, tool, ...more] = call.positionals;
    if (server === undefined || more.length > 0) {
      throw new Refusal("bad_config", "Expected a server, and a tool if only that one is meant.");
    }
    const changes = toolChanges(toolPlace(call), server, tool);
    tell(call, changes, changes.length === 0 ? [`nothing differs: ${server}`] : diffLines(changes));
    return Promise.resolve(changes.length === 0 ? 0 : 1);
  },
} as const satisfies Command;

export const toolsHistory = {
  options,
  run: (call) => {
    const versions = toolHistory(toolPlace(call), oneServer(call));
    tell(call, versions, historyLines(versions));
    return Promise.resolve(0);
  },
} as const satisfies Command;

export const toolsApprove = {
  options: {
    ...deciding,
    all: {
      type: "boolean",
      help: "All of the server's tools that wait, but those that hide text or were rolled back: name them.",
    },
    as: {
      type: "string",
      value: "HASH",
      help: "The content hash that `tools diff` showed: only if the tool is still that. Names it, too.",
    },
    "read-only": {
      type: "boolean",
      help: "Say that they only read: policy then asks less of calls (no direct signature).",
    },
  },
  run: (call) => {
    const [server, ...tools] = call.positionals;
    const offered = call.text("as");
    const isNamed = tools.length > 0 || offered !== undefined;
    if (server === undefined || isNamed === call.flag("all")) {
      throw new Refusal("bad_config", "Name a server and its tools, or a server and --all.");
    }
    if (offered !== undefined && tools.length > 1) {
      throw new Refusal("bad_config", "--as goes with one tool.");
    }
    const approved = approveTools(toolPlace(call), {
      server,
      tools: call.flag("all") ? "all" : tools,
      ...(offered !== undefined && { contentHash: offered }),
      isReadOnly: call.flag("read-only"),
      because: because(call),
      who: who(),
      clock: systemClock,
    });
    const label = call.flag("read-only") ? ", read-only" : "";
    const lines = approved.map((tool) => `approved ${server}/${shown(tool)}${label}`);
    tell(call, { approved }, lines.length === 0 ? [`nothing to approve: ${server}`] : lines);
    return Promise.resolve(approved.length === 0 ? 1 : 0);
  },
} as const satisfies Command;

export const toolsRollBack = {
  options: {
    ...deciding,
    to: { type: "string", value: "N", help: "Version, as `tools history` lists it." },
  },
  run: (call) => {
    const server = oneServer(call);
    const to = call.text("to") ?? "";
    if (!/^\d{1,9}$/.test(to)) throw new Refusal("bad_config", `--to takes a version, found "${to}".`);
    const version = rollBackTools(toolPlace(call), {
      server,
      to: Number(to),
      because: because(call),
      who: who(),
      clock: systemClock,
    });
    tell(call, version, [
      `rolled back ${server}: version ${version.version} has the ${version.tools} tools of ${to}`,
    ]);
    return Promise.resolve(0);
  },
} as const satisfies Command;

/** @throws Refusal `bad_config` if both are named */
function toolPlace(call: CommandCall): ToolPlace {
  const state = call.text("state");
  if (state === undefined) return { state: loadConfig(configFile(call)).state };
  if (call.text("config") === undefined) return { state: sidecarState(state) };
  throw new Refusal("bad_config", "Expected --config or --state, not both.");
}

function oneServer(call: CommandCall): string {
  const [server, ...more] = call.positionals;
  if (server !== undefined && more.length === 0) return server;
  throw new Refusal("bad_config", 'Expected one server; "latticegate tools list" has them.');
}

/** @throws Refusal `bad_config` */
function because(call: CommandCall): string {
  const text = call.text("because")?.trim() ?? "";
  if (text !== "" && text.length <= 1000) return text;
  throw new Refusal("bad_config", "Say why, in up to 1,000 characters: --because TEXT.");
}

function tell(call: CommandCall, value: unknown, lines: readonly string[]): void {
  if (call.flag("json")) call.out(jsonText(value));
  else for (const line of lines) call.out(line);
}
