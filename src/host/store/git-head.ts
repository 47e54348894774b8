/**
 * Which commit a git checkout stands at, read from its files without git (gitrepository-layout(5)): for the record
 * only. Whoever can write there can write anything; what counts is signed.
 */
import path from "node:path";

import { readBoundedFile } from "./bounded-file.ts";

/** A list of many thousand refs; other files there are a line. */
const maxBytes = 4 * 1024 * 1024;
/** A ref may name another one; git itself follows five. */
const maxSteps = 5;

/** @returns the commit's id; undefined if that can't be told */
export function gitCommit(checkout: string): string | undefined {
  const folder = gitFolder(checkout);
  if (folder === undefined) return undefined;
  let name = "HEAD";
  for (let step = 0; step < maxSteps; step += 1) {
    const text = refText(folder, name);
    if (text === undefined || isCommit(text)) return text;
    const [, next] = /^ref: (refs\/\S+)$/.exec(text) ?? [];
    if (next === undefined || next.split("/").includes("..")) return undefined;
    name = next;
  }
  return undefined;
}

function gitFolder(checkout: string): string | undefined {
  const dot = path.join(checkout, ".git");
  if (firstLine(path.join(dot, "HEAD")) !== undefined) return dot;
  // Of a further worktree or a submodule it is a file.
  const [, named] = /^gitdir: (.+)$/.exec(firstLine(dot) ?? "") ?? [];
  return named === undefined ? undefined : path.resolve(checkout, named);
}

function refText(own: string, name: string): string | undefined {
  const common = commonFolder(own);
  for (const folder of [own, common]) {
    const text = firstLine(path.join(folder, name));
    if (text !== undefined) return text;
  }
  return packed(common, name);
}

/** Of all checkouts of the repository, if this is one of several. */
function commonFolder(own: string): string {
  const common = firstLine(path.join(own, "commondir"));
  return common === undefined ? own : path.resolve(own, common);
}

function packed(folder: string, name: string): string | undefined {
  const lines = textOf(path.join(folder, "packed-refs"))?.split("\n") ?? [];
  return lines.find((line) => line.endsWith(` ${name}`))?.slice(0, -name.length - 1);
}

/** SHA-1 or SHA-256. */
function isCommit(text: string): boolean {
  return /^(?:[0-9a-f]{40}|[0-9a-f]{64})$/.test(text);
}

function firstLine(file: string): string | undefined {
  return textOf(file)?.split("\n", 1)[0]?.trim();
}

function textOf(file: string): string | undefined {
  try {
    return Buffer.from(readBoundedFile(file, maxBytes)).toString();
  } catch {
    // Not there, or a folder.
    return undefined;
  }
}
