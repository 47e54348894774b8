/**
 * An OpenAPI document, of version 2.0, 3.0 or 3.1, as one of version 3.1: parsed within bounds, with the files it is split
 * into joined to it. Every `$ref` in it points into it.
 */
import { upgrade } from "@scalar/openapi-upgrader";
import { LineCounter, parseDocument } from "yaml";

import { Refusal } from "../kernel/refusal.ts";
import { joinFiles, type LoadFile } from "./join-files.ts";
import { isObject, type JsonObject, textOf } from "./values.ts";

export interface ApiDocument {
  /** As the file says it: `2.0`, `3.0.3`, `3.1.0`. */
  readonly version: string;
  readonly title: string;
  /** Of the API, as its maker counts. */
  readonly apiVersion: string;
  /** OpenAPI 3.1. */
  readonly root: JsonObject;
  /** What of the files couldn't be had; what refers to it is skipped. */
  readonly missing: readonly string[];
}

export const documentLimits = {
  /** Of one file. The largest public documents have 12 MB. */
  fileBytes: 32 * 1024 * 1024,
  depth: 200,
  /** Values in all, aliases counted each time they are used. */
  values: 4_000_000,
  files: 500,
};

/**
 * @param load the text of another file, by its path relative to the first one
 * @throws Refusal `bad_config` that says what is wrong with it
 */
export function readDocument(text: string, name: string, load?: LoadFile): ApiDocument {
  const main = parseText(text, name);
  const version = versionOf(main, name);
  const { root, missing } = joinFiles(main, name, (file) => {
    if (load === undefined) throw new Refusal("bad_config", "no other file may be read");
    return parseText(load(file), file);
  });
  // YAML's 2.0 is a number, which the upgrade doesn't know.
  const key = main["swagger"] === undefined ? "openapi" : "swagger";
  const upgraded: unknown = upgrade({ ...root, [key]: version }, "3.1");
  if (!isObject(upgraded)) throw new Refusal("bad_config", `${name}: expected an OpenAPI document.`);
  const info = upgraded["info"];
  return {
    version,
    title: textOf(info, "title") ?? "",
    apiVersion: textOf(info, "version") ?? "",
    root: upgraded,
    missing,
  };
}

function versionOf(main: JsonObject, name: string): string {
  const said = main["swagger"] ?? main["openapi"];
  const version = typeof said === "number" ? said.toFixed(1) : said;
  if (typeof version === "string" && /^(?:2\.0|3\.[01](?:\.\d{1,3})?)(?:-[a-z0-9.]{1,20})?$/.test(version))
    return version;
  const found = typeof version === "string" ? `"${version.slice(0, 20)}"` : "none";
  throw new Refusal(
    "bad_config",
    `${name}: expected an OpenAPI document of version 2.0, 3.0 or 3.1, found ${found}.`,
  );
}

function parseText(text: string, name: string): JsonObject {
  if (text.length > documentLimits.fileBytes)
    throw new Refusal("bad_config", `${name}: longer than ${documentLimits.fileBytes / 1024 / 1024} MiB.`);
  const value = /^\s*[{[]/.test(text.slice(0, 1000)) ? fromJson(text, name) : fromYaml(text, name);
  if (!isObject(value)) throw new Refusal("bad_config", `${name}: expected an object.`);
  checkBounds(value, name);
  // What YAML shares between places is copied: the same object in two places would be changed twice.
  return JSON.parse(JSON.stringify(value)) as JsonObject;
}

function fromJson(text: string, name: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    // Flow collections of YAML begin with a brace, too.
    try {
      return fromYaml(text, name);
    } catch {
      throw new Refusal("bad_config", `${name}: no JSON: ${said(cause)}`, { cause });
    }
  }
}

function fromYaml(text: string, name: string): unknown {
  const document = parseDocument(text, { lineCounter: new LineCounter(), merge: true, prettyErrors: true });
  const [error] = document.errors;
  if (error !== undefined) throw new Refusal("bad_config", `${name}: no YAML: ${said(error)}`);
  try {
    return document.toJS({ maxAliasCount: 1000 });
  } catch (cause) {
    throw new Refusal("bad_config", `${name}: no YAML: ${said(cause)}`, { cause });
  }
}

/** INVARIANT: not recursive; whoever comes after it may be. */
function checkBounds(value: unknown, name: string): void {
  const waiting: { readonly value: unknown; readonly depth: number }[] = [{ value, depth: 0 }];
  let values = 0;
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    if (++values > documentLimits.values)
      throw new Refusal("bad_config", `${name}: more than ${documentLimits.values} values, aliases counted.`);
    if (next.depth > documentLimits.depth)
      throw new Refusal("bad_config", `${name}: nested more than ${documentLimits.depth} deep.`);
    if (typeof next.value !== "object" || next.value === null) continue;
    for (const child of Object.values(next.value)) waiting.push({ value: child, depth: next.depth + 1 });
  }
}

function said(error: unknown): string {
  const message = error instanceof Error ? error.message : "unknown";
  return message.split("\n", 1)[0]?.slice(0, 200) ?? "";
}
