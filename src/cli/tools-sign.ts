/** `latticegate tools sign` */
import { loadConfig } from "../app/config.ts";
import { sidecarState } from "../app/sidecar-state.ts";
import { signConfigured, type Signed, signExposed, type Signing } from "../app/tools/sign-tools.ts";
import { systemClock, systemLog } from "../host/system.ts";
import { Refusal } from "../kernel/refusal.ts";
import { parseDurationMs } from "../kernel/units.ts";
import { type Command, type CommandCall, configFile } from "./command.ts";
import { toolPlaceOptions } from "./tools.ts";
import { jsonText, shown } from "./tools-text.ts";

/** Long enough for a release cycle; a manifest that isn't renewed stops vouching for anything. */
const defaultLifetime = "90d";

export const toolsSign = {
  options: {
    ...toolPlaceOptions,
    "read-only": {
      type: "string",
      multiple: true,
      value: "PATTERN",
      help: 'Tools that are said to only read, "*" for any run of characters.',
    },
    for: {
      type: "string",
      value: "URI",
      help: "What the server is called, where it isn't its own identity or address.",
    },
    publisher: {
      type: "string",
      value: "TEXT",
      help: "For people: who the publisher is, such as an address.",
    },
    lifetime: { type: "string", value: "TIME", help: `How long it counts; ${defaultLifetime} by default.` },
    out: {
      type: "string",
      before: "output",
      short: "o",
      value: "FILE",
      help: "Where to write it; into the state folder by default, where expose answers with it.",
    },
    json: { type: "boolean", help: "Print JSON." },
  },
  run: async (call) => {
    const signed = await sign(call, signingOf(call));
    const lines = call.flag("json") ? [jsonText(signed)] : signedLines(signed);
    for (const line of lines) call.out(line);
    return 0;
  },
} as const satisfies Command;

export function signedLines({ file, uri, fingerprint, tools, readOnly, expires }: Signed): readonly string[] {
  return [
    `signed ${tools.length} tool${tools.length === 1 ? "" : "s"} of ${shown(uri)}, until ${expires}: ${file}`,
    ...(readOnly.length === 0 ? [] : [`read-only: ${readOnly.map(shown).join(", ")}`]),
    "In the config of gateways that are to take its changes up:",
    "",
    `    tools: { publishers: [${fingerprint}] }`,
  ];
}

async function sign(call: CommandCall, signing: Signing): Promise<Signed> {
  const [target, ...more] = call.positionals;
  const state = call.text("state");
  if (more.length === 0 && call.rest.length === 0 && target !== undefined && !/^https?:/.test(target)) {
    if (state === undefined) return await signConfigured(loadConfig(configFile(call)), target, signing);
    throw new Refusal(
      "bad_config",
      "Expected a URL or, behind --, a command: --state knows no servers by name.",
    );
  }
  if (call.text("config") !== undefined) {
    throw new Refusal("bad_config", "Expected the name of a server of that config.");
  }
  const folder = sidecarState(state);
  if (target !== undefined && more.length === 0 && call.rest.length === 0) {
    return await signExposed(folder, { url: target }, signing);
  }
  if (target === undefined && call.rest.length > 0) {
    return await signExposed(folder, { command: call.rest }, signing);
  }
  throw new Refusal(
    "bad_config",
    "Expected one server: a name in the config, a URL or, behind --, a command.",
  );
}

/** @throws Refusal `bad_config` */
function signingOf(call: CommandCall): Signing {
  const [uri, file, publisher] = [call.text("for"), call.text("out"), call.text("publisher")];
  const lifetime = call.text("lifetime") ?? defaultLifetime;
  const lifetimeMs = parseDurationMs(lifetime);
  if (lifetimeMs === undefined || lifetimeMs < 1000) {
    throw new Refusal("bad_config", `--lifetime takes a time such as 90d, found "${lifetime}".`);
  }
  return {
    readOnly: call.texts("read-only"),
    lifetimeMs,
    ...(uri !== undefined && { uri }),
    ...(file !== undefined && { file }),
    ...(publisher !== undefined && { publisher }),
    clock: systemClock,
    log: systemLog({ level: "warn" }),
  };
}
