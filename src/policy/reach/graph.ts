/** What is within reach as a graph: caller, servers, what can be called there, what it has to do with; and what flows. */
import { printable } from "../../kernel/printable.ts";
import type { Reach, ReachedTarget } from "./reach.ts";

export const graphForms = ["mermaid", "dot"] as const;
export type GraphForm = (typeof graphForms)[number];

interface Graph {
  readonly nodes: readonly Node[];
  readonly edges: readonly Edge[];
  /** What isn't drawn. */
  readonly left: readonly string[];
}

interface Node {
  readonly id: string;
  readonly kind: "caller" | "server" | "thing" | "label";
  readonly text: string;
}

interface Edge {
  readonly from: string;
  readonly to: string;
  readonly text: string;
  readonly isFlow: boolean;
}

/** More than that nobody reads; the table has all. */
const maxThings = 200;
const maxFlows = 40;

/** @returns lines */
export function graphOf(reach: Reach, form: GraphForm): readonly string[] {
  const graph = drawn(reach);
  return form === "dot" ? dotLines(graph) : mermaidLines(graph);
}

function drawn({ caller, targets, flows }: Reach): Graph {
  const shown = targets.slice(0, maxThings);
  const ids = idsOf(shown);
  const servers = [...new Set(shown.map(({ server }) => server))];
  const labels = [...new Set(shown.flatMap(labelsOf))];
  const flowing = flows.worst
    .filter(({ isOneCall, from, to }) => !isOneCall && ids.has(keyOf(from)) && ids.has(keyOf(to)))
    .slice(0, maxFlows);
  const singles = flows.worst.filter(({ isOneCall }) => isOneCall).length;
  return {
    nodes: [
      { id: "caller", kind: "caller", text: caller.id },
      ...servers.map((text, at): Node => ({ id: `s${at}`, kind: "server", text })),
      ...shown.map((target): Node => ({ id: idIn(ids, target), kind: "thing", text: textOf(target) })),
      ...labels.map((text, at): Node => ({ id: `l${at}`, kind: "label", text })),
    ],
    edges: [
      ...servers.map((_, at): Edge => ({ from: "caller", to: `s${at}`, text: "", isFlow: false })),
      ...shown.map((target): Edge => {
        const from = `s${servers.indexOf(target.server)}`;
        return { from, to: idIn(ids, target), text: target.verdict, isFlow: false };
      }),
      ...shown.flatMap((target) =>
        labelsOf(target).map((label): Edge => {
          const to = `l${labels.indexOf(label)}`;
          return { from: idIn(ids, target), to, text: "", isFlow: false };
        }),
      ),
      ...flowing.map(({ from, to, what, out }): Edge => {
        const text = `${what.join(", ")} (${out})`;
        return { from: idIn(ids, from), to: idIn(ids, to), text, isFlow: true };
      }),
    ],
    left: [
      ...(targets.length > shown.length ? [`${targets.length - shown.length} things`] : []),
      ...(flows.count - singles > flowing.length ? [`${flows.count - singles - flowing.length} flows`] : []),
    ],
  };
}

function keyOf({ kind, server, name }: Pick<ReachedTarget, "kind" | "server" | "name">): string {
  return `${kind} ${server}/${name}`;
}

function idsOf(targets: readonly ReachedTarget[]): ReadonlyMap<string, string> {
  return new Map(targets.map((target, at) => [keyOf(target), `t${at}`]));
}

function idIn(ids: ReadonlyMap<string, string>, target: Parameters<typeof keyOf>[0]): string {
  return ids.get(keyOf(target)) ?? "";
}

function textOf({ kind, name, onlyReads }: ReachedTarget): string {
  const what = kind === "tools" ? name : `${kind.slice(0, -1)} ${name}`;
  return kind === "tools" && !onlyReads ? `${what} (writes)` : what;
}

function labelsOf({ labels, data }: ReachedTarget): readonly string[] {
  return [...labels, ...(data === undefined ? [] : [`data ${data.class}`])];
}

const mermaidShapes = {
  caller: ["([", "])"],
  server: ["[[", "]]"],
  thing: ["[", "]"],
  label: ["{{", "}}"],
} as const;

function mermaidLines({ nodes, edges, left }: Graph): readonly string[] {
  return [
    "flowchart LR",
    ...left.map((what) => `  %% ${what} more aren't drawn`),
    ...nodes.map(({ id, kind, text }) => {
      const [open, close] = mermaidShapes[kind];
      return `  ${id}${open}${inMermaid(text)}${close}`;
    }),
    ...edges.map(({ from, to, text, isFlow }) => {
      const arrow = isFlow ? "-.->" : "-->";
      return `  ${from} ${arrow}${text === "" ? "" : `|${inMermaid(text)}|`} ${to}`;
    }),
  ];
}

/** Within quotes Mermaid reads entities (`#quot;`) and HTML; names are others' to choose. */
function inMermaid(text: string): string {
  return `"${visible(text).replaceAll(/[#&"<>`\\]/g, (character) => `#${character.charCodeAt(0)};`)}"`;
}

const dotShapes = { caller: "oval", server: "folder", thing: "box", label: "hexagon" } as const;

function dotLines({ nodes, edges, left }: Graph): readonly string[] {
  return [
    "digraph reach {",
    "  rankdir=LR;",
    ...left.map((what) => `  // ${what} more aren't drawn`),
    ...nodes.map(({ id, kind, text }) => `  ${id} [shape=${dotShapes[kind]}, label=${inDot(text)}];`),
    ...edges.map(({ from, to, text, isFlow }) => {
      const drawn = [
        ...(text === "" ? [] : [`label=${inDot(text)}`]),
        ...(isFlow ? ["style=dashed", "constraint=false"] : []),
      ];
      return `  ${from} -> ${to}${drawn.length === 0 ? "" : ` [${drawn.join(", ")}]`};`;
    }),
    "}",
  ];
}

function inDot(text: string): string {
  return `"${visible(text).replaceAll(/["\\]/g, (character) => `\\${character}`)}"`;
}

function visible(text: string): string {
  return printable(text, maxNodeChars);
}

const maxNodeChars = 120;
