/** The words of a result within a bound: where there are more, those of its beginning and its end. */
import { eachWord, type WordSink } from "./words.ts";

export interface TextSink extends WordSink {
  readonly endText: () => void;
}

/** Two letters of a script without spaces are a word each, and one together. */
export const mostWordsPerChar = 1.5;

export function eachWordOfResult(texts: readonly string[], sink: TextSink, room: number): void {
  if (haveMoreWords(texts, room)) {
    const end = Math.floor(room / 4);
    tellWords(texts, sink, room - end);
    tellWords(endOf(texts, Math.floor(end / mostWordsPerChar)), sink, end);
  } else tellWords(texts, sink, room);
}

function haveMoreWords(texts: readonly string[], room: number): boolean {
  if (texts.reduce((sum, { length }) => sum + length, 0) * mostWordsPerChar <= room) return false;
  const counting = { word: () => undefined, mark: () => undefined, endText: () => undefined };
  return tellWords(texts, counting, room + 1) > room;
}

/** @returns how many there were */
function tellWords(texts: readonly string[], sink: TextSink, atMost: number): number {
  let told = 0;
  for (const text of texts) {
    told += eachWord(text, sink, Math.max(0, atMost - told));
    sink.endText();
  }
  return told;
}

function endOf(texts: readonly string[], chars: number): readonly string[] {
  const end: string[] = [];
  for (let i = texts.length - 1, room = chars; i >= 0 && room > 0; i--) {
    const text = (texts[i] ?? "").slice(-room);
    end.unshift(text);
    room -= text.length;
  }
  return end;
}
