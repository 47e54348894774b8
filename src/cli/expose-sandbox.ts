/** The options of `expose` about the server's own process: what it sees, and where it may go. */
import type { SandboxOptions } from "../app/egress/sandbox.ts";
import { Refusal } from "../kernel/refusal.ts";
import type { CommandCall, Option } from "./command.ts";

export const sandboxOptions = {
  sandbox: {
    type: "boolean",
    help: "Run COMMAND in namespaces of its own (bubblewrap), whose only way out is a proxy that records and judges.",
  },
  readable: {
    type: "string",
    multiple: true,
    value: "PATH",
    help: "With --sandbox: a file or folder the server may read, beside the system's programs.",
  },
  writable: {
    type: "string",
    multiple: true,
    value: "PATH",
    help: "With --sandbox: a file or folder the server may read and write.",
  },
  egress: {
    type: "string",
    value: "FILE",
    help: "With --sandbox: rules about where the server may go by itself; nowhere by default.",
  },
  "allow-egress": {
    type: "string",
    multiple: true,
    value: "HOST[:PORT]",
    help: 'With --sandbox: where the server may go; "*" is one part of a name, "**" in front one or more.',
  },
  "learn-egress": {
    type: "string",
    value: "BUDGET",
    help: "With --sandbox: let it go elsewhere too, new destinations with that budget, e.g. 256KiB; a burst is cut.",
  },
  "pass-env": {
    type: "string",
    multiple: true,
    value: "NAME",
    help: "A variable of this environment that the server may see, beside PATH, HOME, LANG, TZ and TMPDIR.",
  },
} as const satisfies Record<string, Option>;

/** @throws Refusal `bad_config` for options that do nothing without `--sandbox` */
export function sandboxGiven(call: CommandCall): { readonly sandbox?: SandboxOptions } {
  const [readable, writable, allow] = (["readable", "writable", "allow-egress"] as const).map(call.texts);
  const [file, learn] = [call.text("egress"), call.text("learn-egress")];
  const isAsked = call.flag("sandbox");
  const given = [...(readable ?? []), ...(writable ?? []), ...(allow ?? []), file, learn];
  if (!isAsked && given.some((each) => each !== undefined)) {
    throw new Refusal(
      "bad_config",
      "--readable, --writable, --egress, --allow-egress and --learn-egress bind nothing without --sandbox; add it.",
    );
  }
  if (!isAsked) return {};
  if (call.rest.length === 0) {
    throw new Refusal(
      "bad_config",
      "--sandbox holds a server that this command starts: name it behind --, e.g. `expose --sandbox -- node server.js`.",
    );
  }
  const egress = { file, allow: allow ?? [], learn };
  return { sandbox: { readable: readable ?? [], writable: writable ?? [], egress } };
}

/** @throws Refusal `bad_config` for what is the sidecar's own */
export function passedEnvironment(call: CommandCall): { readonly passEnv?: readonly string[] } {
  const names = call.texts("pass-env");
  const wrong = names.find((name) => !/^[A-Za-z_][A-Za-z0-9_]{0,127}$/.test(name));
  if (wrong !== undefined)
    throw new Refusal(
      "bad_config",
      `--pass-env takes the name of a variable, found "${wrong.slice(0, 40)}".`,
    );
  const own = names.find((name) => name.toUpperCase().startsWith("LATTICEGATE_"));
  if (own !== undefined)
    throw new Refusal("bad_config", `--pass-env ${own}: that is the sidecar's own, and no server sees it.`);
  return names.length === 0 ? {} : { passEnv: names };
}
