/** `latticegate crypto profiles | suites` */
import { loadConfig } from "../app/config.ts";
import { profileInForceIfAny } from "../app/crypto/stored-facts.ts";
import {
  type ProfileRow,
  profileRows,
  standingOf,
  type SuiteRow,
  suiteRows,
} from "../app/crypto/suite-rows.ts";
import { systemClock } from "../host/system.ts";
import { type Command, configFile, configOption } from "./command.ts";
import { table } from "./table.ts";

const jsonOption = { json: { type: "boolean", help: "Print it as JSON." } } as const;

export const cryptoProfiles = {
  options: { ...configOption, ...jsonOption },
  run: async (call) => {
    const config = loadConfig(configFile(call));
    const nowUnixMs = systemClock.nowUnixMs();
    const rows = profileRows(config, nowUnixMs);
    const inForce = (await profileInForceIfAny(config, systemClock))?.profile.name ?? null;
    const configured = config.profile.name;
    if (call.flag("json"))
      call.out(JSON.stringify({ configured, in_force: inForce, profiles: rows }, null, 2));
    else for (const line of profilesText(rows, { configured, inForce }, nowUnixMs)) call.out(line);
    return 0;
  },
} as const satisfies Command;

export const cryptoSuites = {
  options: jsonOption,
  run: (call) => {
    const rows = suiteRows(systemClock.nowUnixMs());
    if (call.flag("json")) call.out(JSON.stringify(rows, null, 2));
    else for (const line of suitesText(rows)) call.out(line);
    return Promise.resolve(0);
  },
} as const satisfies Command;

export function profilesText(
  rows: readonly ProfileRow[],
  { configured, inForce }: { readonly configured: string; readonly inForce: string | null },
  nowUnixMs: number,
): readonly string[] {
  const marked = (id: string): string => {
    const status = standingOf(id, nowUnixMs)?.status ?? "allowed";
    return status === "allowed" ? id : `${id} (${status})`;
  };
  return rows.flatMap(({ profile, summary, nist_level: level, forbidden, ...dates }, at) => {
    const { name } = profile;
    const marks = [
      ...(name === inForce ? ["in force"] : []),
      ...(name === configured
        ? [inForce === null ? "configured, in force from the first start on" : "configured"]
        : []),
    ];
    const time = [
      ...(dates.from === null ? [] : [`from ${dates.from}`]),
      ...(dates.until === null ? [] : [`until ${dates.until}`]),
      ...(dates.source === null ? [] : [`(${dates.source})`]),
    ];
    const list = (ids: readonly string[]): string => ids.map(marked).join(", ");
    return [
      ...(at === 0 ? [] : [""]),
      marks.length === 0 ? name : `${name}: ${marks.join(", ")}`,
      ...(forbidden.length === 0
        ? []
        : [`  can't be applied: ${forbidden.join(", ")} may not be used any more`]),
      `  ${summary}`,
      ...table([
        ["key exchange", list(profile.groups)],
        ...(profile.classical_groups.length === 0
          ? []
          : [["let in, marked", list(profile.classical_groups)]]),
        ["identities", list(profile.identities)],
        ["beside them", list([profile.classical])],
        ["ciphers", list(profile.ciphers)],
        ["hash", list([profile.hash])],
        ["NIST level", `${level}, of the weakest`],
        ...(time.length === 0 ? [] : [["meant for", time.join(" ")]]),
      ]),
    ];
  });
}

export function suitesText(rows: readonly SuiteRow[]): readonly string[] {
  const head = ["ID", "USE", "KIND", "LEVEL", "BYTES", "REGISTERED", "STATUS"];
  return table(
    [
      head,
      ...rows.map((row) => [
        row.id,
        row.use,
        row.kind ?? "",
        String(row.nist_level),
        Object.entries(row.sizes)
          .map(([what, bytes]) => `${what.replaceAll("_", " ")} ${bytes}`)
          .join(", "),
        row.registered ?? "",
        statusOf(row),
      ]),
    ],
    "",
  );
}

function statusOf({ status, source, ...row }: SuiteRow): string {
  const dates = [
    ...(row.deprecated_from === null ? [] : [`deprecated from ${row.deprecated_from}`]),
    ...(row.forbidden_from === null ? [] : [`forbidden from ${row.forbidden_from}`]),
    ...(source === null ? [] : [`(${source})`]),
  ];
  return dates.length === 0 ? status : `${status}, ${dates.join(", ")}`.replace(", (", " (");
}
