/** Whether a call does what its caller's prompt or declared intent speaks of. */
import type { CallValue } from "./call-values.ts";
import { said } from "./said.ts";
import type { ToolClass } from "./tool-class.ts";
import { actionsOf, isSilent, readingAction } from "./vocabulary.ts";
import { eachWord, wordHash } from "./words.ts";

const maxPromptWords = 4096;
const maxPromptChars = 32 * 1024;

export interface Asked {
  readonly askedShared: number;
  readonly askedTool: number;
  readonly askedAction: number;
  readonly askedValues: number;
  readonly askedNames: number;
  readonly foreignNames: number;
  readonly actNotAsked: number;
  /** It asks to do what something else says. */
  readonly asksToFollow: number;
}

const following = new Set(
  "instruction instructions todo according described specified follow task tasks actions steps says bill checklist"
    .split(" ")
    .map(wordHash),
);

/** @returns undefined where nothing was said */
export function asked(
  { prompt, intent }: { readonly prompt?: string; readonly intent?: string },
  {
    tool,
    values,
    act,
  }: { readonly tool: ToolClass; readonly values: readonly CallValue[]; readonly act: number },
): Asked | undefined {
  const text = [prompt, intent].filter((each) => each !== undefined && each !== "").join("\n");
  if (text === "") return undefined;
  const { words, actions } = spoken(text);
  const all = values.flatMap((value) => value.words);
  const share = (of: readonly number[]): number =>
    of.length === 0 ? 1 : of.filter((word) => words.has(word)).length / of.length;
  const spokenValues = values.filter(
    (value) => share(value.words) >= (value.words.length <= 5 ? 1 : 0.6),
  ).length;
  const named = values.filter(({ names }) => names.length > 0);
  const foreign = named.filter(({ names }) => !names.some((name) => words.has(name))).length;
  const isAction = tool.actions === 0 ? 0.5 : (tool.actions & actions) === 0 ? 0 : 1;
  const askedValues = values.length === 0 ? 1 : spokenValues / values.length;
  return {
    askedShared: share(all),
    askedTool: share(tool.words),
    askedAction: isAction,
    askedValues,
    askedNames: named.length === 0 ? 1 : 1 - foreign / named.length,
    foreignNames: Math.min(foreign, 4),
    actNotAsked: act - 0.3 * isAction - 0.7 * askedValues,
    asksToFollow: [...following].some((word) => words.has(word)) ? 1 : 0,
  };
}

function spoken(text: string): { readonly words: ReadonlySet<number>; readonly actions: number } {
  const words = new Set<number>();
  let actions = 0;
  const word = (hash: number): void => {
    if (!isSilent(hash)) words.add(hash);
    actions |= actionsOf(hash);
  };
  eachWord(said(text.slice(0, maxPromptChars)), { word, mark: () => undefined }, maxPromptWords);
  return { words, actions: actions & ~readingAction };
}
