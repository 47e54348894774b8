/** Where the rules in force are written, the part of that file which holds them, and what another text changes in it. */
import path from "node:path";

import { isMap, isNode, isScalar, stringify } from "yaml";

import type { PolicyDocument } from "../../policy/rules.ts";
import { type Config, loadConfig } from "../config.ts";
import { policiesInBundle } from "./bundle-operations.ts";
import { readPolicies } from "./case-file.ts";
import { readRuleFile, readYaml } from "./rule-file.ts";

export interface RuleSource {
  readonly kind: "config" | "file" | "bundle";
  /** Absolute; undefined of a bundle, whose source is elsewhere. */
  readonly file: string | undefined;
  /** YAML with a list under `policies`. */
  readonly text: string;
  /** What stands around it in the file. */
  readonly around: readonly [before: string, after: string];
  readonly documents: readonly PolicyDocument[];
}

/** @throws Refusal `bad_config`, `bad_state` */
export function ruleSource(configFile: string): RuleSource {
  const { document } = readYaml(configFile);
  if (document.hasIn(["policies", "bundle"])) return bundleSource(loadConfig(configFile));
  if (!document.has("policies")) return emptySource(configFile);
  const { file } = readRuleFile(configFile);
  const written = readYaml(file);
  const [from, to] = rangeOf(written.document.contents, written.text.length);
  return {
    kind: path.resolve(file) === path.resolve(configFile) ? "config" : "file",
    file,
    text: written.text.slice(from, to),
    around: [written.text.slice(0, from), written.text.slice(to)],
    documents: readPolicies(file),
  };
}

/** Of a bundle, the file as it would be written; its cases and its signatures are its publisher's. */
function bundleSource(config: Config): RuleSource {
  const documents = policiesInBundle(config);
  const text = stringify({ policies: documents }, { lineWidth: 100 });
  return { kind: "bundle", file: undefined, text, around: ["", ""], documents };
}

function emptySource(file: string): RuleSource {
  const { text } = readYaml(file);
  const end = text === "" || text.endsWith("\n") ? text : `${text}\n`;
  return { kind: "config", file, text: "policies: []\n", around: [end, ""], documents: [] };
}

/** A file of rules alone is taken whole, with its comments; of a config the one member. */
function rangeOf(contents: unknown, length: number): readonly [from: number, to: number] {
  if (!isMap(contents) || contents.items.length === 1) return [0, length];
  for (const { key, value } of contents.items) {
    if (!isScalar(key) || key.value !== "policies" || !isNode(value)) continue;
    return [key.range?.[0] ?? 0, value.range?.[2] ?? length];
  }
  return [0, length];
}

const contextLines = 3;

/**
 * What `next` changes in the source, as `patch` and `git apply` take it: one hunk from the first line that differs to the
 * last.
 * @returns an empty text where nothing differs
 */
export function patchOf({ file, text, around: [before, after] }: RuleSource, next: string): string {
  const name = path.basename(file ?? "policies.yaml");
  const [old, now] = [text, next].map((each) => linesOf(before + ended(each) + after));
  if (old === undefined || now === undefined) return "";
  const same = Math.min(old.length, now.length);
  let head = 0;
  while (head < same && old[head] === now[head]) head += 1;
  if (head === old.length && head === now.length) return "";
  let tail = 0;
  while (tail < same - head && old[old.length - 1 - tail] === now[now.length - 1 - tail]) tail += 1;
  const from = Math.max(0, head - contextLines);
  const kept = Math.min(tail, contextLines);
  const [oldEnd, nowEnd] = [old.length - tail, now.length - tail];
  const lines = [
    ...old.slice(from, head).map((line) => ` ${line}`),
    ...old.slice(head, oldEnd).map((line) => `-${line}`),
    ...now.slice(head, nowEnd).map((line) => `+${line}`),
    ...old.slice(oldEnd, oldEnd + kept).map((line) => ` ${line}`),
  ];
  const [oldCount, nowCount] = [oldEnd + kept - from, nowEnd + kept - from];
  const at = (count: number): number => (count === 0 ? from : from + 1);
  return [
    `--- a/${name}`,
    `+++ b/${name}`,
    `@@ -${at(oldCount)},${oldCount} +${at(nowCount)},${nowCount} @@`,
    ...lines,
    "",
  ].join("\n");
}

/** Files end with a line's end, as they are written here. */
function ended(text: string): string {
  return text === "" || text.endsWith("\n") ? text : `${text}\n`;
}

function linesOf(text: string): readonly string[] {
  const lines = text.split("\n");
  return lines.at(-1) === "" ? lines.slice(0, -1) : lines;
}
