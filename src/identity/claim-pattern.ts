/**
 * How what is proven of a workload becomes a SPIFFE ID (docs/guide/enrolment.md): patterns that its claims must
 * match, which name the parts that count, and a template that those parts are put into.
 */
import { Refusal } from "../kernel/refusal.ts";
import { isReservedPath, spiffeId } from "./spiffe-id.ts";

/** Longer claims match nothing; a SPIFFE ID has 2,048 bytes at most, and ours are made of parts. */
const maxClaimLength = 2048;
/** Kubernetes' names have 253 characters at most. */
const maxPartLength = 253;
/** With more, how long matching takes would be the sender's to choose. */
const maxStars = 2;

export interface Pattern {
  /** Names of its parts, in order. */
  readonly names: readonly string[];
  /** The parts by name; undefined if `text` doesn't match. */
  readonly match: (text: string) => ReadonlyMap<string, string> | undefined;
}

/**
 * `*` is any run of characters, `{name}` a part: one segment of a SPIFFE ID, neither empty nor with a "/".
 * INVARIANT: a text matches in one way only, else its sender could choose what a part is.
 * @throws Refusal `bad_config`
 */
export function compilePattern(text: string): Pattern {
  const pieces = piecesOf(text, true);
  checkUnambiguous(text, pieces);
  const names = pieces.flatMap((piece) => (piece.kind === "part" ? [piece.name] : []));
  const expression = new RegExp(`^${pieces.map(source).join("")}$`, "su");
  return {
    names,
    match: (candidate) => {
      const found = candidate.length > maxClaimLength ? null : expression.exec(candidate);
      if (found === null) return undefined;
      const parts = names.map((name, i) => [name, found[i + 1] ?? ""] as const);
      return parts.every(([, part]) => isPart(part)) ? new Map(parts) : undefined;
    },
  };
}

export interface IdentityTemplate {
  /** The SPIFFE ID those parts make. @throws Refusal `bad_config` if it would be too long */
  readonly idOf: (parts: ReadonlyMap<string, string>, domain: string) => string;
  readonly purpose: "client" | "server";
}

/**
 * `agent/k8s/{namespace}/{account}`: a SPIFFE path with parts in it, at most one a segment.
 * INVARIANT: different parts make different paths, else one workload could take another's identity.
 * @param known names of the parts there are @throws Refusal `bad_config`
 */
export function compileTemplate(text: string, known: readonly string[]): IdentityTemplate {
  const pieces = piecesOf(text, false);
  const unknown = pieces.find((piece) => piece.kind === "part" && !known.includes(piece.name));
  if (unknown?.kind === "part") {
    throw bad(`"${text}" uses {${unknown.name}}, which nothing under match names.`);
  }
  if (!/^(agent|server)\/./.test(text)) throw bad(`"${text}" must begin with "agent/" or "server/".`);
  if (text.split("/").some((segment) => segment.split("{").length > 2)) {
    throw bad(`"${text}" has two parts in one segment; two workloads could share an identity.`);
  }
  const idOf = (parts: ReadonlyMap<string, string>, domain: string): string => {
    const path = pieces.map((piece) => (piece.kind === "part" ? (parts.get(piece.name) ?? "") : piece.text));
    const id = spiffeId(domain, path.join(""));
    if (isReservedPath(path.join(""))) throw bad("That identity is the gateway's own to use.");
    return id;
  };
  idOf(new Map(known.map((name) => [name, "x"])), "x");
  return { idOf, purpose: text.startsWith("server/") ? "server" : "client" };
}

/**
 * The text of a claim: by its name, or for one within another by its JSON Pointer (RFC 6901), which begins with "/".
 * @returns undefined if there is none, or it is no text
 */
export function claimText(claims: unknown, name: string): string | undefined {
  const steps = name.startsWith("/") ? name.slice(1).split("/").map(unescaped) : [name];
  let value = claims;
  for (const step of steps) {
    if (typeof value !== "object" || value === null || Array.isArray(value)) return undefined;
    value = Object.hasOwn(value, step) ? (value as Readonly<Record<string, unknown>>)[step] : undefined;
  }
  return typeof value === "string" ? value : undefined;
}

type Piece =
  | { readonly kind: "text" | "any"; readonly text: string }
  | { readonly kind: "part"; readonly name: string };

function piecesOf(text: string, mayHaveStars: boolean): readonly Piece[] {
  const pieces = [...text.matchAll(/\{([a-z][a-z0-9_]{0,31})\}|\*|[^{}*]+/g)];
  const isWhole = pieces.reduce((length, [piece]) => length + piece.length, 0) === text.length;
  if (!isWhole || (!mayHaveStars && text.includes("*"))) {
    throw bad(
      `"${text}" can't be read: expected text with parts such as {name}${mayHaveStars ? ' and "*"' : ""}.`,
    );
  }
  return pieces.map(([piece, name]): Piece => {
    if (name !== undefined) return { kind: "part", name };
    return { kind: piece === "*" ? "any" : "text", text: piece };
  });
}

function checkUnambiguous(text: string, pieces: readonly Piece[]): void {
  const names = pieces.flatMap((piece) => (piece.kind === "part" ? [piece.name] : []));
  if (new Set(names).size < names.length) throw bad(`"${text}" names a part twice.`);
  const stars = pieces.filter(({ kind }) => kind === "any").length;
  if (stars > (names.length > 0 ? 1 : maxStars)) {
    throw bad(`"${text}" has too many "*": one beside parts, ${maxStars} without.`);
  }
  if (names.length === 0) return;
  const isSplit = pieces.every((piece, i) => {
    const next = pieces[i + 1];
    if (piece.kind === "text" || next === undefined) return true;
    // Behind a part or "*" stands text, and unless it is the last there is a character that no part can have.
    return next.kind === "text" && (i + 2 >= pieces.length || /[^A-Za-z0-9._-]/.test(next.text));
  });
  if (!isSplit) {
    throw bad(`"${text}" can be matched in two ways: split its parts and "*" by a character such as "/".`);
  }
}

function source(piece: Piece): string {
  if (piece.kind === "part") return `([A-Za-z0-9._-]{1,${maxPartLength}})`;
  return piece.kind === "any" ? ".*" : piece.text.replaceAll(/[$()*+.?[\\\]^{|}/]/g, "\\$&");
}

/** What has the characters of a segment and still isn't one. */
function isPart(text: string): boolean {
  return text !== "." && text !== "..";
}

/** RFC 6901 §4 */
function unescaped(step: string): string {
  return step.replaceAll("~1", "/").replaceAll("~0", "~");
}

function bad(text: string): Refusal {
  return new Refusal("bad_config", text);
}
