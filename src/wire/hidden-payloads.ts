/** Text that is there in full, and read by nobody: encoded, in a comment that no page shows, pushed out of sight. */
import { fromBase64, fromBase64url, fromUtf8 } from "../kernel/bytes.ts";
import { escaped } from "./hidden-characters.ts";
import type { HiddenKind, HiddenSpan, Severity } from "./hidden-text.ts";

interface Judged {
  readonly severity: Severity;
  readonly says: string;
}

interface Row {
  readonly kind: HiddenKind;
  readonly find: RegExp;
  readonly shown: HiddenSpan["shown"];
  /** Undefined if nothing hides there. */
  readonly judge: (found: string, isLast: boolean) => Judged | undefined;
}

const rows: readonly Row[] = [
  {
    kind: "encoded",
    find: /[A-Za-z0-9+/_-]{24,}={0,2}/g,
    shown: "behind",
    judge: (found) => decoded("base64", base64(found)),
  },
  {
    kind: "encoded",
    find: /(?<![0-9A-Za-z])(?:[0-9A-Fa-f]{2}[\s:]?){16,}(?![0-9A-Za-z])/g,
    shown: "behind",
    judge: (found) => decoded("hexadecimal", bytesOf(found.match(/[0-9A-Fa-f]{2}/g) ?? [])),
  },
  {
    kind: "encoded",
    find: /(?:\\u00[0-9A-Fa-f]{2}|\\x[0-9A-Fa-f]{2}|%[0-9A-Fa-f]{2}|&#x[0-9A-Fa-f]{2};){8,}/g,
    shown: "behind",
    judge: (found) => decoded("escapes", bytesOf(found.match(/[0-9A-Fa-f]{2}(?=[\\%&;]|$)/g) ?? [])),
  },
  {
    kind: "unrendered",
    find: /<!--[^]*?(?:-->|$)|\[\/\/\]:\s*#[^\n]*/g,
    shown: "behind",
    judge: (found) => unrendered("a comment", found),
  },
  {
    kind: "unrendered",
    find: /<[a-z][^<>]{0,500}(?:display\s*:\s*none|visibility\s*:\s*hidden|font-size\s*:\s*0|opacity\s*:\s*0(?![.\d])|\shidden[\s>=])[^<>]{0,500}>?/gi,
    shown: "behind",
    judge: (found) => ({
      severity: "hold",
      says: `an element that isn't displayed, ${found.length} characters`,
    }),
  },
  {
    kind: "white-space",
    find: /\s{30,}/g,
    shown: "instead",
    judge: outOfSight,
  },
];

export function hiddenPayloads(text: string): readonly HiddenSpan[] {
  return rows.flatMap(({ kind, find, shown, judge }) =>
    [...text.matchAll(find)].flatMap((match): readonly HiddenSpan[] => {
      const [found] = match;
      const judged = judge(found, match.index + found.length === text.length);
      return judged === undefined
        ? []
        : [{ kind, start: match.index, end: match.index + found.length, shown, ...judged }];
    }),
  );
}

/** What somebody tells a model to do, or what they are after. */
const telling =
  /\b(?:ignore|disregard|forget|override|bypass|instead|must|always|never|secretly|silently|do not|don't|instructions?|system prompt|assistant|execute|run|curl|wget|send|upload|post|exfiltrate|read|fetch|call|invoke|use|tools?|password|credentials?|secrets?|token|api[ _-]?key|ssh|\.env|id_rsa|https?:\/\/)\b/i;

/** Words with spaces between them: what else decodes to letters is a key, an id or a picture. */
const proseLike = /\p{L}{2,30}(?:[\s,.:;!?'"()-]{1,4}\p{L}{2,30}){2}/u;

function decoded(encoding: string, bytes: Uint8Array | undefined): Judged | undefined {
  const text = bytes && fromUtf8(bytes);
  if (text === undefined || !proseLike.test(text)) return undefined;
  const odd = text.match(/[\p{Cc}\p{Cn}\p{Co}]/gu)?.filter((each) => !/\s/.test(each)).length ?? 0;
  if (odd * 10 > text.length) return undefined;
  return { severity: telling.test(text) ? "hold" : "note", says: `${encoding} of "${escaped(text)}"` };
}

function base64(text: string): Uint8Array | undefined {
  const whole = text.replace(/=+$/, "");
  return whole.length % 4 === 1
    ? undefined
    : (fromBase64url(whole) ?? fromBase64(whole.padEnd(Math.ceil(whole.length / 4) * 4, "=")));
}

function bytesOf(pairs: readonly string[]): Uint8Array {
  return Uint8Array.from(pairs, (pair) => parseInt(pair, 16));
}

function unrendered(what: string, found: string): Judged | undefined {
  if (!/\p{L}{2}/u.test(found)) return undefined;
  return { severity: telling.test(found) ? "hold" : "note", says: `${what} that no page shows` };
}

/** Lines that fill a screen, and columns that no window has. */
const [farLines, farColumns] = [30, 200];

function outOfSight(found: string, isLast: boolean): Judged | undefined {
  const lines = found.split("\n");
  const isFar = lines.length > farLines || lines.some(({ length }) => length >= farColumns);
  return isFar && !isLast
    ? { severity: "hold", says: `${found.length} characters of white space` }
    : undefined;
}
