/** `latticegate assess`, `assess verify` */
import { assess } from "../app/compliance/assess.ts";
import {
  checkReport,
  maxReportBytes,
  reportFingerprint,
  signReport,
} from "../app/compliance/signed-report.ts";
import { loadConfig } from "../app/config.ts";
import { brokenRefusals, frameworkNames, lowestLevel, type Report } from "../compliance/report.ts";
import { readBoundedFile } from "../host/store/bounded-file.ts";
import { writePrivateFile } from "../host/store/files.ts";
import { systemClock } from "../host/system.ts";
import { Refusal } from "../kernel/refusal.ts";
import { reportLines } from "./assess-text.ts";
import { type Command, configFile, configOption } from "./command.ts";
import { operator } from "./response.ts";
import { jsonText, shown } from "./tools-text.ts";

export const assessCommand = {
  options: {
    ...configOption,
    framework: {
      type: "string",
      multiple: true,
      value: "NAME",
      help: `Only that one; again for several: ${frameworkNames.join(", ")}.`,
    },
    level: {
      type: "string",
      value: "N",
      help: "Fail if a dimension of CoSAI is below it, 1 to 4.",
    },
    "no-tests": { type: "boolean", help: "Run no tests; earlier results count until something changed." },
    json: { type: "boolean", help: "Print the report as JSON, unsigned." },
    "signed-json": { type: "string", value: "FILE", help: "Write the report as signed JSON." },
    html: { type: "string", value: "FILE", help: "Write the report as a page that holds it, signed." },
  },
  run: async (call) => {
    if (call.positionals.length > 0) throw new Refusal("bad_config", "Expected options only.");
    const level = levelOf(call.text("level"));
    const config = loadConfig(configFile(call));
    const report = await assess({
      config,
      clock: systemClock,
      by: operator(),
      frameworks: call.texts("framework"),
      hasTests: !call.flag("no-tests"),
      onTest: ({ test, result }) => call.doing(`Testing, ${test}: ${result}`),
    });
    const lines = call.flag("json") ? [jsonText(report)] : reportLines(report);
    for (const line of lines) call.out(line);
    for (const [option, form] of [
      ["signed-json", "json"],
      ["html", "html"],
    ] as const) {
      const file = call.text(option);
      if (file === undefined) continue;
      const { text, fingerprint } = await signReport(config, report, form);
      await writePrivateFile(file, text).catch((cause: unknown) => {
        throw new Refusal("bad_config", `${file} can't be written.`, { cause });
      });
      if (!call.flag("json")) call.out(`Written: ${file}, signed by ${fingerprint}`);
    }
    return wanting(report, level) ? 1 : 0;
  },
} as const satisfies Command;

export const assessVerify = {
  options: {
    ...configOption,
    signer: {
      type: "string",
      value: "FINGERPRINT",
      help: "Whose signature it has to be; by default this gateway's own.",
    },
    json: { type: "boolean", help: "Print the report that it holds." },
  },
  run: async (call) => {
    const [file, ...more] = call.positionals;
    if (file === undefined || more.length > 0) throw new Refusal("bad_config", "Name one file.");
    const expected = call.text("signer") ?? (await reportFingerprint(loadConfig(configFile(call))));
    const checked = checkReport(readFrom(file));
    if (checked.kind === "fault") {
      call.out(`${file}: ${checked.why}`);
      return 1;
    }
    const { report, signedBy } = checked;
    if (signedBy !== expected) {
      call.out(`${file}: signed by ${signedBy}, expected ${expected}`);
      return 1;
    }
    call.out(
      call.flag("json")
        ? jsonText(report)
        : `${file}: as ${shown(report.gateway)} signed it, ${shown(report.at)}, by ${signedBy}`,
    );
    return 0;
  },
} as const satisfies Command;

function readFrom(file: string): Uint8Array {
  try {
    return readBoundedFile(file, maxReportBytes);
  } catch (cause) {
    throw new Refusal("bad_config", `${file} can't be read.`, { cause });
  }
}

function wanting(report: Report, level: number | undefined): boolean {
  const lowest = lowestLevel(report);
  if (level !== undefined && lowest === undefined) {
    throw new Refusal("bad_config", "--level is about the framework cosai, which wasn't asked for.");
  }
  return brokenRefusals(report).length > 0 || (level !== undefined && (lowest ?? 0) < level);
}

function levelOf(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (/^[1-4]$/.test(text)) return Number(text);
  throw new Refusal("bad_config", `--level takes 1, 2, 3 or 4; found "${text}".`);
}
