/** A report for a terminal. */
import type { Report, ReportedControl, ReportedFramework } from "../compliance/report.ts";
import { type Row, table } from "./table.ts";

const marks = { met: "met", "not met": "NOT MET", "no evidence": "no evidence" } as const;

export function reportLines({ at, gateway, log, tested, frameworks }: Report): readonly string[] {
  return [
    `${gateway}, ${at}, log of ${log.size} entries`,
    tested.why,
    ...frameworks.flatMap(frameworkLines),
    "",
    ...table(
      frameworks.map(({ name, counts }) => [
        name,
        `${counts.met} met`,
        `${counts["not met"]} not met`,
        `${counts["no evidence"]} without evidence`,
      ]),
      "",
    ),
  ];
}

function frameworkLines({
  title,
  note,
  source,
  controls,
  levels = [],
}: ReportedFramework): readonly string[] {
  return [
    "",
    `${title} (${source})`,
    ...(note === undefined ? [] : [`  ${note}`]),
    ...table(controls.map(controlRow)),
    ...(levels.length === 0 ? [] : ["", "Levels"]),
    ...levels.flatMap(({ dimension, level, missing }) => [
      `  L${level}  ${dimension}`,
      ...missing.map(({ control, because }) => `        ${control}: ${because}`),
    ]),
  ];
}

/** The rest is in the report's files. */
const maxShown = 2;

function controlRow({ id, title, verdict, because, evidence, tests, grade }: ReportedControl): Row {
  const entries = evidence.flatMap(({ examples }) => examples.slice(0, 1).map(({ id: entry }) => entry));
  const runs = tests.filter(({ result }) => result === "passed").map(({ entry }) => entry.id);
  const shown = [...new Set([...entries, ...runs])];
  const more = shown.length > maxShown ? ` +${shown.length - maxShown}` : "";
  const what =
    verdict === "met" ? `entries ${shown.slice(0, maxShown).join(" ")}${more}` : because.join("; ");
  return [marks[verdict], id, grade?.binding === "should" ? `${title} (should)` : title, what];
}
