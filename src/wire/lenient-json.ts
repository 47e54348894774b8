/**
 * What is no JSON (RFC 8259), and what readers that are less strict may find in it all the same: Python's `json` takes
 * `NaN` and UTF-16, others take comments, single quotes, names without any, and what stands before a syntax error.
 * INVARIANT: these err on one side only: what some reader takes for JSON with such a name is never said to be none.
 */

/** What is looked at of a long text: no reader skips more space than that before it begins. */
export const jsonHeadBytes = 1024;

/** Behind marks, space and the zeros of wider encodings: a list, an object, a comment, or what Gson skips. */
const jsonStart = /^[\0\uFEFF\uFFFD\s]*[{[/#)]/;
const onlySpace = /^[\0\uFEFF\uFFFD\s]*$/;

/** Whether somebody could take it for an object or a list. */
export function startsLikeJson(data: Uint8Array): boolean {
  const head = Buffer.from(data.subarray(0, jsonHeadBytes)).toString("utf8");
  return jsonStart.test(head) || (data.length > jsonHeadBytes && onlySpace.test(head));
}

const names = { result: /\\|res?ult/i, tools: /\\|tools?/i } as const;

/** Whether it may hold a member of that name, in whatever case, encoding or spelling. */
export function mayHoldName(data: Uint8Array, name: keyof typeof names): boolean {
  // Without what isn't a letter in ASCII, wider encodings and skipped bytes look the same; the long s goes, too.
  return names[name].test(latin1(data).replace(/[^a-z\\]+/gi, ""));
}

/** The same text with a 0 wherever it says `NaN` or `Infinity` for a number; every other byte stays where it is. */
export function withFiniteNumbers(data: Uint8Array): Uint8Array {
  const text = latin1(data).replace(/"[^"\\]*(?:\\.[^"\\]*)*"|-?(?:NaN|Infinity)/g, (token) =>
    token.startsWith('"') ? token : "0".padEnd(token.length),
  );
  return Buffer.from(text, "latin1");
}

function latin1(data: Uint8Array): string {
  return Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString("latin1");
}
