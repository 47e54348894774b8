/** From text to a syntax tree: CEL's grammar as its library reads it, within bounds, and with advice for slips. */
import { type ASTNode, Environment, ParseError } from "@marcbachmann/cel-js";

import { limits } from "./limits.ts";
import { Wrong } from "./mistake.ts";

/** A node of the tree; `start` and `end` are offsets into `input`. */
export type Node = ASTNode;

const grammar = new Environment({
  limits: {
    maxAstNodes: limits.nodes,
    maxDepth: limits.depth,
    maxListElements: limits.literalElements,
    maxMapEntries: limits.literalElements,
    maxCallArguments: limits.callArguments,
  },
});

/** @throws Wrong */
export function parse(text: string): Node {
  if (text.length > limits.textChars) {
    throw new Wrong(`the condition is longer than ${limits.textChars} characters`, limits.textChars);
  }
  if (text.trim() === "") throw new Wrong("the condition is empty", 0, "true");
  // The grammar bounds nesting in brackets only, and signs before a value nest too.
  const signs = /(?:[!-]\s*){16}/.exec(text);
  if (signs !== null) throw new Wrong("too many signs in a row", signs.index);
  try {
    return grammar.parse(text).ast;
  } catch (cause) {
    if (!(cause instanceof ParseError)) throw cause;
    throw advised(cause, text);
  }
}

/** The source of a node, for messages. */
export function sourceOf(node: Node): string {
  const source = node.input.slice(node.start, node.end).replaceAll(/\s+/g, " ");
  return source.length <= 60 ? source : `${source.slice(0, 57)}...`;
}

/** What stands at the place where the grammar gave up, and what its author meant. */
const slips: readonly (readonly [RegExp, string, string])[] = [
  [/^={1,2}~|^~/, "there is no such operator; a pattern is matched with .matches(…)", '.matches("…")'],
  [/^=/, "two values are compared with two signs", "=="],
  [/^<>/, '"<>" is written !=', "!="],
  [/^and\b/i, '"and" is written &&', "&&"],
  [/^or\b/i, '"or" is written ||', "||"],
  [/^&/, 'one "&" is no operator', "&&"],
  [/^\|/, 'one "|" is no operator', "||"],
  [/^not\b/i, '"not" is written !', "!"],
  [/^(?:like|is)\b/i, "there is no such operator", "=="],
  [/^[“”„‘’«»]/, "strings stand in straight quotes", '"'],
  [/^#/, "comments begin with //", "//"],
  [/^;/, "a condition is one expression; there is nothing to end", ""],
];

const limitWords: readonly (readonly [string, string])[] = [
  ["maxAstNodes", `it has more than ${limits.nodes} parts`],
  ["maxDepth", `it is nested more than ${limits.depth} deep`],
  ["maxListElements", `a list has more than ${limits.literalElements} elements`],
  ["maxMapEntries", `an object has more than ${limits.literalElements} members`],
  ["maxCallArguments", `a function is given more than ${limits.callArguments} values`],
];

function advised(error: ParseError, text: string): Wrong {
  const offset = Math.min(error.range?.start ?? 0, text.length);
  if (error.code === "limit_exceeded") {
    const words = limitWords.find(([name]) => error.summary.includes(name))?.[1] ?? "it is too large";
    return new Wrong(`the condition is too large: ${words}`, offset);
  }
  const before = /(\w+)\s*$/.exec(text.slice(0, offset))?.[1] ?? "";
  const unequal = text.startsWith("<>", offset - 1) ? ["<>"] : [];
  for (const at of [...unequal, text.slice(offset), ...(before === "not" ? ["not"] : [])]) {
    const slip = slips.find(([pattern]) => pattern.test(at));
    if (slip !== undefined) return new Wrong(slip[1], offset, slip[2] === "" ? undefined : slip[2]);
  }
  return new Wrong(plain(error.summary), offset);
}

const tokens: Readonly<Record<string, string>> = {
  EOF: "the end",
  RPAREN: '")"',
  LPAREN: '"("',
  RBRACKET: '"]"',
  RBRACE: '"}"',
  LBRACKET: '"["',
  LBRACE: '"{"',
  COLON: '":"',
  COMMA: '","',
  DOT: '"."',
  QUESTION: '"?"',
  IDENTIFIER: "a name",
  NUMBER: "a number",
  STRING: "a string",
};

function plain(summary: string): string {
  const words = summary.replaceAll(/\b[A-Z]{2,}\b/g, (name) => tokens[name] ?? name.toLowerCase());
  return `${words.charAt(0).toLowerCase()}${words.slice(1)}`;
}
