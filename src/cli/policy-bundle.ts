/** `latticegate policy bundle make | verify | history | roll-back | follow` */
import { type Config, loadConfig } from "../app/config.ts";
import {
  bundleHistory,
  type Deciding,
  followBundle,
  lookAtBundle,
  rollBackBundle,
} from "../app/policy/bundle-operations.ts";
import { configWithoutRules } from "../app/policy/known-config.ts";
import { type BundleMade, makeBundle } from "../app/policy/make-bundle.ts";
import { systemClock } from "../host/system.ts";
import { isPublisherFingerprint } from "../integrity/tools/publisher-keys.ts";
import { Refusal } from "../kernel/refusal.ts";
import { parseDurationMs } from "../kernel/units.ts";
import { type Command, type CommandCall, configFile, configOption } from "./command.ts";
import { caseLines, checkLines, many, relative } from "./policy.ts";
import { bundleHistoryLines, bundleLines } from "./policy-bundle-text.ts";
import { publisherKeys } from "./publisher-keys.ts";
import { jsonText } from "./tools-text.ts";
import { who } from "./who.ts";

/** Long enough for a release cycle; one that isn't renewed isn't taken up by a new gateway for ever. */
const defaultLifetime = "90d";

const jsonOption = { json: { type: "boolean", help: "Print it for programs." } } as const;

export const policyBundleMake = {
  options: {
    ...configOption,
    state: {
      type: "string",
      value: "FOLDER",
      help: "Where the publisher's keys are kept, made at the first time, on a machine that has no gateway; by default the config's state folder.",
    },
    cases: {
      type: "string",
      multiple: true,
      value: "FILE",
      help: "Cases that go with them; by default the file of cases beside the policies.",
    },
    publisher: {
      type: "string",
      value: "TEXT",
      help: "For people: who publishes it; by default the config's trust domain.",
    },
    sequence: {
      type: "string",
      value: "N",
      help: "Higher than of any bundle before; by default one more than in the file that is replaced.",
    },
    lifetime: {
      type: "string",
      value: "TIME",
      help: `How long it may be taken up; ${defaultLifetime} by default. One in force stays.`,
    },
    out: {
      type: "string",
      before: "output",
      short: "o",
      value: "FILE",
      help: "Where to write it; beside the policies by default, as NAME.bundle.json.",
    },
    ...jsonOption,
  },
  run: async (call) => {
    const { keys, close } = await publisherKeys(call);
    try {
      const { file, output, ...making } = makingOf(call);
      const made = await makeBundle({ ...making, file, output, keys, clock: systemClock });
      tell(call, made, madeLines(made, output));
      return made.kind === "made" ? 0 : 1;
    } finally {
      close();
    }
  },
} as const satisfies Command;

function makingOf(call: CommandCall) {
  const [given, ...more] = call.positionals;
  if (more.length > 0) throw new Refusal("bad_config", "Expected one file of policies.");
  const file = given ?? configFile(call);
  const isKnown = call.text("state") === undefined || call.text("config") !== undefined;
  const config = isKnown ? configFile(call) : undefined;
  const publisher =
    call.text("publisher") ?? (config === undefined ? undefined : configWithoutRules(config).trust_domain);
  if (publisher === undefined || publisher === "" || publisher.length > 256) {
    throw new Refusal("bad_config", "Say who publishes it, in up to 256 characters: --publisher TEXT.");
  }
  return {
    file,
    config,
    publisher,
    caseFiles: call.texts("cases"),
    output: call.text("out") ?? file.replace(/(?:\.ya?ml)?$/, ".bundle.json"),
    sequence: sequenceOf(call),
    lifetimeMs: lifetimeOf(call),
  };
}

function sequenceOf(call: CommandCall): number | undefined {
  const text = call.text("sequence");
  if (text === undefined) return undefined;
  const number = /^[1-9]\d{0,15}$/.test(text) ? Number(text) : Number.NaN;
  if (Number.isSafeInteger(number)) return number;
  throw new Refusal("bad_config", `--sequence takes a whole number from 1 on, found "${text}".`);
}

function lifetimeOf(call: CommandCall): number {
  const text = call.text("lifetime") ?? defaultLifetime;
  const ms = parseDurationMs(text);
  if (ms !== undefined && ms > 0) return ms;
  throw new Refusal("bad_config", `--lifetime takes a time such as 90d, found "${text}".`);
}

function madeLines(made: BundleMade, output: string): readonly string[] {
  const { checked } = made;
  if (made.kind === "wrong") {
    return [
      ...(checked.findings.length === 0 ? [] : checkLines(checked)),
      ...made.failed.flatMap(caseLines),
      "Nothing was signed.",
    ];
  }
  const { bundle, cases } = made;
  return [
    ...(checked.findings.length === 0 ? [] : checkLines(checked)),
    `signed the bundle ${bundle.sequence}, ${many(bundle.policies.length, "rule")}, ${many(cases, "case")} passed, until ${new Date(bundle.expiresAtUnixMs).toISOString()}: ${relative(output)}`,
    "In the config of gateways that are to follow it:",
    "",
    `    policies: { bundle: { from: ${relative(output)}, publishers: [${bundle.signedBy}] } }`,
  ];
}

export const policyBundleVerify = {
  options: {
    config: {
      type: "string",
      value: "FILE",
      help: "The config file of the gateway that is to follow it; none by default.",
    },
    publisher: {
      type: "string",
      multiple: true,
      value: "FINGERPRINT",
      help: "Whose signatures count; by default the config's publishers, or anybody's.",
    },
    ...jsonOption,
  },
  run: async (call) => {
    const [file, ...more] = call.positionals;
    if (file === undefined || more.length > 0) throw new Refusal("bad_config", "Name one bundle.");
    const named = call.text("config");
    const publishers = call.texts("publisher");
    const wrong = publishers.find((each) => !isPublisherFingerprint(each));
    if (wrong !== undefined) {
      throw new Refusal("bad_config", `--publisher takes a fingerprint of 43 characters, found "${wrong}".`);
    }
    const config = named === undefined ? undefined : loadConfig(named);
    const found = await lookAtBundle(file, { config, publishers, clock: systemClock });
    tell(call, found, [
      ...(found.bundle === undefined ? [] : bundleLines(found.bundle)),
      ...found.wrong.map((line) => `wrong: ${line}`),
      ...(found.wrong.length > 0 ? [] : [rightLine(found, publishers, config)]),
    ]);
    return found.wrong.length === 0 ? 0 : 1;
  },
} as const satisfies Command;

function rightLine(
  { cases, standing }: Awaited<ReturnType<typeof lookAtBundle>>,
  publishers: readonly string[],
  config: Config | undefined,
): string {
  const whose =
    publishers.length === 0 && config?.policyBundle === undefined
      ? "; whether its publisher counts wasn't asked (--publisher, --config)"
      : "";
  return `right: signatures and rules, ${many(cases, "case")} passed${standing === undefined ? "" : `; ${standing}`}${whose}`;
}

export const policyBundleHistory = {
  options: { ...configOption, ...jsonOption },
  run: (call) => {
    noneGiven(call);
    const history = bundleHistory(loadConfig(configFile(call)));
    tell(call, history, bundleHistoryLines(history));
    return Promise.resolve(0);
  },
} as const satisfies Command;

const deciding = {
  ...configOption,
  because: { type: "string", value: "TEXT", help: "Why; it stands in the history." },
  ...jsonOption,
} as const;

export const policyBundleRollBack = {
  options: deciding,
  run: (call) => {
    const [to, ...more] = call.positionals;
    if (more.length > 0) throw new Refusal("bad_config", "Expected one sequence or digest.");
    const row = rollBackBundle(loadConfig(configFile(call)), to, decidingOf(call));
    tell(call, row, [
      `rolled back to the bundle ${row.sequence} (${row.digest}); a running gateway follows at once`,
      "The source is followed again when it has a higher sequence than any before, or with `latticegate policy bundle follow`.",
    ]);
    return Promise.resolve(0);
  },
} as const satisfies Command;

export const policyBundleFollow = {
  options: {
    ...deciding,
    reset: {
      type: "boolean",
      help: "Instead: take what the source has next, whatever its sequence, of a publisher that counts anew. Also one that is old.",
    },
  },
  run: (call) => {
    noneGiven(call);
    const isReset = call.flag("reset");
    const row = followBundle(loadConfig(configFile(call)), isReset, decidingOf(call));
    const said = isReset
      ? `the bundle ${row.sequence} stays in force until the source has another one, whatever its sequence`
      : `the bundle ${row.sequence} (${row.digest}) is in force again; a running gateway follows at once`;
    tell(call, row, [said]);
    return Promise.resolve(0);
  },
} as const satisfies Command;

function decidingOf(call: CommandCall): Deciding {
  const because = call.text("because")?.trim() ?? "";
  if (because.length > 1000) {
    throw new Refusal("bad_config", "Say why in up to 1,000 characters: --because TEXT.");
  }
  return { because, who: who(), clock: systemClock };
}

function noneGiven(call: CommandCall): void {
  if (call.positionals.length > 0) throw new Refusal("bad_config", "Expected no arguments.");
}

function tell(call: CommandCall, value: unknown, lines: readonly string[]): void {
  if (call.flag("json")) call.out(jsonText(value));
  else for (const line of lines) call.out(line);
}
