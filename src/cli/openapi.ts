/** `latticegate openapi preview FILE` */
import path from "node:path";

import { type ApiPreview, previewApi } from "../app/openapi/preview-api.ts";
import { Refusal } from "../kernel/refusal.ts";
import type { Command, CommandCall } from "./command.ts";
import { table } from "./table.ts";
import { jsonText, shown } from "./tools-text.ts";

const options = {
  tag: {
    type: "string",
    multiple: true,
    value: "TAG",
    help: "Only operations with this tag; may be repeated.",
  },
  path: {
    type: "string",
    multiple: true,
    value: "PATTERN",
    help: 'Only operations whose path is like this; "*" is any run of characters. May be repeated.',
  },
  operation: {
    type: "string",
    multiple: true,
    value: "ID",
    help: 'Only this operationId, or "GET /path"; may be repeated.',
  },
  method: { type: "string", multiple: true, value: "METHOD", help: "Only this method; may be repeated." },
  overlay: { type: "string", value: "FILE", help: "With the names and descriptions of this overlay." },
  json: { type: "boolean", help: "Print JSON, with each tool as it would be listed." },
} as const;

export const openapiPreview = {
  options,
  run: (call) => {
    const preview = previewApi(path.resolve(oneFile(call)), wishes(call));
    if (call.flag("json")) call.out(jsonText(preview));
    else for (const line of lines(preview)) call.out(line);
    return Promise.resolve(preview.tools.length > 0 ? 0 : 1);
  },
} as const satisfies Command;

function oneFile({ positionals }: CommandCall): string {
  const [file, ...more] = positionals;
  if (file !== undefined && more.length === 0) return file;
  throw new Refusal("bad_config", "Name one file with an OpenAPI document.");
}

function wishes(call: CommandCall): Parameters<typeof previewApi>[1] {
  const overlay = call.text("overlay");
  return {
    tags: call.texts("tag"),
    paths: call.texts("path"),
    operations: call.texts("operation"),
    methods: call.texts("method"),
    ...(overlay !== undefined && { overlay: path.resolve(overlay) }),
  };
}

function lines({
  title,
  apiVersion,
  version,
  servers,
  tools,
  skipped,
  needs,
}: ApiPreview): readonly string[] {
  return [
    shown(`${title} ${apiVersion} (OpenAPI ${version})`),
    `at ${servers.length === 0 ? "nowhere it says: base_url is needed" : shown(servers.join(", "))}`,
    ...needs.map((need) => `needs ${shown(need)}`),
    "",
    ...table(
      tools.map(({ name, request, notes }) => [
        shown(name),
        shown(request),
        notes.length === 0 ? "" : shown(`left out: ${notes.slice(0, 3).join("; ")}`),
      ]),
      "",
    ),
    "",
    `${tools.length} tools`,
    ...(skipped.length === 0 ? [] : ["", "Not made into tools:"]),
    ...skipped.map(({ operation, because }) => `  ${shown(operation)}: ${shown(because)}`),
  ];
}
