/** The reference page and the JSON Schema of the config file, from its schema. */
import { z } from "zod";

import { configSchema } from "./config.ts";

interface Node {
  readonly description?: string;
  readonly type?: string;
  readonly const?: string | boolean;
  readonly enum?: readonly unknown[];
  readonly default?: unknown;
  readonly properties?: Readonly<Record<string, Node>>;
  readonly additionalProperties?: Node | boolean;
  readonly items?: Node;
  readonly anyOf?: readonly Node[];
  readonly oneOf?: readonly Node[];
}

export function configJsonSchema(): string {
  return `${JSON.stringify(schema(), null, 2)}\n`;
}

export function configDocsText(): string {
  const lines = [
    "# `latticegate.yaml`",
    "",
    "Generated from the schema by `latticegate config docs`. An unknown key is an error.",
    "Durations are written as `500ms`, `90s`, `5m`, `1h` or `30d`, sizes as `64KiB` or `8MiB`. Secrets are never",
    "written here, only the file or the environment variable that holds them.",
    "For editors, `docs/config.schema.json` is the same as JSON Schema.",
    "",
    "| key | what it is | value | default |",
    "| --- | --- | --- | --- |",
    ...new Set(rows(schema(), "")), // What several kinds have stands there once.
  ];
  return `${lines.join("\n")}\n`;
}

function schema(): Node {
  return z.toJSONSchema(configSchema, { io: "input", unrepresentable: "any" }) as Node;
}

function rows(node: Node, prefix: string): string[] {
  return Object.entries(node.properties ?? {}).flatMap(([name, child]) => {
    const key = `${prefix}${name}`;
    const text = `| \`${key}\` | ${cell(child.description ?? "")} | ${cell(kindOf(child))} | ${defaultOf(child)} |`;
    return [text, ...below(child, key)];
  });
}

function below(node: Node, key: string): string[] {
  if (node.properties !== undefined) return rows(node, `${key}.`);
  if (node.items !== undefined) return below(node.items, `${key}[]`);
  if (typeof node.additionalProperties === "object") return below(node.additionalProperties, `${key}.<name>`);
  return (node.anyOf ?? node.oneOf ?? []).flatMap((branch) => below(branch, key));
}

function kindOf(node: Node): string {
  if (node.const !== undefined) return `\`${JSON.stringify(node.const)}\``;
  if (node.enum !== undefined) return node.enum.map((value) => `\`${String(value)}\``).join(", ");
  if (node.anyOf !== undefined) return [...new Set(node.anyOf.map(kindOf))].join(" or ");
  if (node.oneOf !== undefined) return "object";
  if (node.type === "array") return `list of ${node.items === undefined ? "values" : kindOf(node.items)}`;
  return node.type ?? "anything";
}

function defaultOf(node: Node): string {
  return node.default === undefined ? "" : `\`${JSON.stringify(node.default)}\``;
}

function cell(text: string): string {
  return text.replaceAll("|", "\\|");
}
