/** Compliance evidence in the control API: the report, the tests, and both as signed files. */
import { z } from "zod";

import { download, type Route, route } from "../../control/route.ts";
import { frameworkNames, type Report, reportSchema } from "../../compliance/report.ts";
import type { Config } from "../config.ts";
import { oneAtATime } from "../one-at-a-time.ts";
import { assessApart, type AssessOrder } from "./assess-apart.ts";
import type { ReportForm } from "./signed-report.ts";

const tag = "compliance";
const framework = z.enum(frameworkNames);

const forms = [
  { form: "html", media: "text/html", summary: "The report as a page that holds it, signed." },
  { form: "json", media: "application/json", summary: "The report as signed JSON." },
] as const satisfies readonly {
  readonly form: ReportForm;
  readonly media: string;
  readonly summary: string;
}[];

export function complianceRoutes({ file }: Pick<Config, "file">): readonly Route[] {
  const atOnce = oneAtATime("Others are being assessed already; ask again in a moment.");
  const report = async (order: Omit<AssessOrder, "file">): Promise<Report> => {
    const answer = await atOnce(() => assessApart({ file, ...order }));
    if (answer.kind !== "report") throw new Error("a report was asked for");
    return answer.report;
  };
  return [
    route({
      method: "GET",
      path: "/compliance",
      summary:
        "What this deployment's log shows of each control, by framework; earlier tests count until something changes.",
      tag,
      role: "viewer",
      query: z.object({ framework: framework.exactOptional() }),
      answer: reportSchema,
      handle: ({ query, login: { name: by } }) =>
        report({ by, hasTests: false, frameworks: query.framework === undefined ? [] : [query.framework] }),
    }),
    route({
      method: "POST",
      path: "/compliance/tests",
      summary:
        "Runs the tests at this gateway's own doors, records each result, and answers with the report.",
      tag,
      role: "operator",
      answer: reportSchema,
      touches: "status",
      handle: ({ login: { name: by } }) => report({ by, hasTests: true, frameworks: [] }),
    }),
    ...forms.map(({ form, media, summary }) =>
      download({
        method: "GET",
        path: `/compliance/export.${form}`,
        summary,
        tag,
        role: "viewer",
        answer: media,
        handle: async ({ login: { name: by } }) => {
          const order = { file, by, hasTests: false, frameworks: [], form };
          const answer = await atOnce(() => assessApart(order));
          if (answer.kind !== "file") throw new Error("a file was asked for");
          return { name: `compliance.${form}`, body: answer.text };
        },
      }),
    ),
  ];
}
