/**
 * Answers too long to be read: their pieces go on as they come, but for the last one, which waits until the serving end
 * has said the same digest.
 */
import { rawDigest } from "../../integrity/long-answers.ts";
import { concat } from "../../kernel/bytes.ts";

/** What is short after all, once its signature is taken out of it, or the beginning of what isn't. */
export type Gathered =
  | { readonly kind: "whole"; readonly bytes: Uint8Array }
  | {
      readonly kind: "long";
      readonly begun: readonly Uint8Array[];
      readonly rest: AsyncIterator<Uint8Array>;
    };

/** Reads until it is over, or longer than `maxBytes`. */
export async function gathered(chunks: AsyncIterable<Uint8Array>, maxBytes: number): Promise<Gathered> {
  const rest = chunks[Symbol.asyncIterator]();
  const begun: Uint8Array[] = [];
  for (let bytes = 0; bytes <= maxBytes;) {
    const next = await rest.next();
    if (next.done === true) return { kind: "whole", bytes: concat(begun) };
    begun.push(next.value);
    bytes += next.value.length;
  }
  return { kind: "long", begun, rest };
}

/**
 * Leaves the source when its reader leaves, and when `confirm` throws, which its reader is told instead of the last piece.
 * @param confirm is given the digest of all pieces, as `rawDigest` says it
 */
export function checkedLength(
  { begun, rest }: Extract<Gathered, { readonly kind: "long" }>,
  confirm: (digest: string) => Promise<void>,
): AsyncIterable<Uint8Array> {
  const digest = rawDigest();
  const waiting = [...begun];
  for (const piece of waiting) digest.update(piece);
  let isOver = false;
  const pull = async (): Promise<Uint8Array | undefined> => {
    // One is always held: nobody knows of a piece that it isn't the last.
    while (waiting.length < 2 && !isOver) {
      const next = await rest.next();
      if (next.done === true) {
        isOver = true;
        if (waiting.length > 0) await confirm(digest.end());
      } else {
        digest.update(next.value);
        waiting.push(next.value);
      }
    }
    return waiting.shift();
  };
  return {
    [Symbol.asyncIterator]: () => ({
      next: async () => {
        try {
          const bytes = await pull();
          return bytes === undefined ? { done: true, value: undefined } : { done: false, value: bytes };
        } catch (error) {
          waiting.length = 0;
          isOver = true;
          await rest.return?.();
          throw error;
        }
      },
      return: async () => {
        waiting.length = 0;
        isOver = true;
        await rest.return?.();
        return { done: true, value: undefined };
      },
    }),
  };
}
