/** What a text says in other words: base64, hexadecimal, percent- and quoted-printable encoding, within each other too. */
/** How often something may be encoded. */
const maxDepth = 3;
/** Of all decodings of one text together, as a multiple of its length, and at least. */
const growth = 3;
const leastChars = 4096;
/** Runs of one text that are decoded. */
const maxRuns = 2000;
/** Shorter runs are words. */
const shortestRun = 12;

/** The decodings of a text, without itself; `isAll` is false where there is more than can be looked at. */
export function decodingsOf(text: string): { readonly texts: readonly string[]; readonly isAll: boolean } {
  const found = new Set<string>();
  let room = Math.max(leastChars, text.length * growth);
  let isAll = true;
  let level: readonly string[] = [text];
  for (let depth = 0; depth < maxDepth && level.length > 0; depth++) {
    const next: string[] = [];
    const once = level.map(decodedOnce);
    isAll &&= once.every((each) => each.isAll);
    for (const decoded of once.flatMap(({ texts }) => texts)) {
      if (found.has(decoded) || decoded === text) continue;
      room -= decoded.length;
      if (room < 0) {
        isAll = false;
        break;
      }
      found.add(decoded);
      next.push(decoded);
    }
    level = next;
  }
  return { texts: [...found], isAll };
}

interface Decoded {
  readonly texts: readonly string[];
  /** All that could be decoded was. */
  readonly isAll: boolean;
}

function decodedOnce(text: string): Decoded {
  const parts = [{ texts: percentDecoded(text), isAll: true }, hexDecoded(text), base64Decoded(text)];
  return { texts: parts.flatMap(({ texts }) => texts), isAll: parts.every(({ isAll }) => isAll) };
}

/** RFC 3986 §2.1, and RFC 2045 §6.7 for what is written with `=`. */
function percentDecoded(text: string): readonly string[] {
  const quoted = text.replaceAll(/=\r?\n/g, "");
  return [["%", text] as const, ["=", quoted] as const].flatMap(([sign, written]) => {
    if (!written.includes(sign)) return [];
    const decoded = written.replaceAll(
      sign === "%" ? /(?:%[0-9a-f]{2})+/gi : /(?:=[0-9a-f]{2})+/gi,
      (run) => readable(Buffer.from(run.replaceAll(sign, ""), "hex")) ?? run,
    );
    return decoded === written ? [] : [decoded];
  });
}

function hexDecoded(text: string): Decoded {
  const { runs, isAll } = runsIn(text, /(?:[0-9a-f]{2}[\s:,;-]{0,3}(?:0x|\\x)?){12,}/gi, () => true);
  const texts = runs.flatMap((run) => {
    const digits = run.replaceAll(/0x|\\x|[^0-9a-f]/gi, "");
    return firstOf([0, 1], (at) => readable(Buffer.from(digits.slice(at), "hex")));
  });
  return { texts, isAll };
}

/** Also of a piece that was cut out of some: then the first letters may belong to nothing. */
function base64Decoded(text: string): Decoded {
  const isSpread = /[\r\n]/.test(text) || (/[\d+/=]/.test(text) && /^[\w+/=\s-]+$/.test(text));
  const written = isSpread ? [text, text.replaceAll(/[\s>]+/g, "")] : [text];
  const found = written.map((each) => runsIn(each, /[A-Za-z0-9+/_-]{12,}/g, (run) => !isWord(run)));
  const texts = found
    .flatMap(({ runs }) => runs)
    .flatMap((run) => firstOf([0, 1, 2, 3], (at) => readable(Buffer.from(run.slice(at), "base64"))));
  return { texts, isAll: found.every(({ isAll }) => isAll) };
}

/** Of a whole one the first fits; of one that was cut, all that may. */
function firstOf(offsets: readonly number[], decode: (at: number) => string | undefined): readonly string[] {
  const [whole, ...others] = offsets.map((at) => () => decode(at));
  const first = whole?.();
  return first === undefined ? others.flatMap((each) => each() ?? []) : [first];
}

function isWord(run: string): boolean {
  return /^[A-Za-z]?[a-z]+$/.test(run);
}

function runsIn(
  text: string,
  pattern: RegExp,
  counts: (run: string) => boolean,
): { readonly runs: readonly string[]; readonly isAll: boolean } {
  const runs: string[] = [];
  if (text.length < shortestRun) return { runs, isAll: true };
  for (const [run] of text.matchAll(pattern)) {
    if (!counts(run)) continue;
    if (runs.length >= maxRuns) return { runs, isAll: false };
    runs.push(run);
  }
  return { runs, isAll: true };
}

/** The text that these bytes are, if they are one; a few bytes may belong to nothing where it was cut. */
function readable(bytes: Buffer): string | undefined {
  // Most of what isn't one says so at once.
  if (bytes.length > 2 * lookedAt && !isText(bytes.toString("utf8", 0, lookedAt))) return undefined;
  const text = bytes.toString("utf8");
  return isText(text) ? text : undefined;
}

const lookedAt = 256;

function isText(text: string): boolean {
  const odd = text.match(/[[\p{Cc}\ufffd]--[\t\n\r]]/gv)?.length ?? 0;
  return odd * 10 <= text.length + 20;
}
