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
    for (const decoded of level.flatMap(decodedOnce)) {
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

function decodedOnce(text: string): readonly string[] {
  return [...percentDecoded(text), ...hexDecoded(text), ...base64Decoded(text)];
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

function hexDecoded(text: string): readonly string[] {
  return runsIn(text, /(?:[0-9a-f]{2}[\s:,]?(?:0x|\\x)?){12,}/gi).flatMap((run) => {
    const digits = run.replaceAll(/0x|\\x|[^0-9a-f]/gi, "");
    return [0, 1].flatMap((at) => readable(Buffer.from(digits.slice(at), "hex")) ?? []);
  });
}

/** Also of a piece that was cut out of some: then the first letters may belong to nothing. */
function base64Decoded(text: string): readonly string[] {
  const joined = /[\r\n]/.test(text) ? [text.replaceAll(/[\r\n \t>]+/g, "")] : [];
  return [text, ...joined].flatMap((written) =>
    runsIn(written, /[A-Za-z0-9+/_-]{12,}/g).flatMap((run) =>
      isWord(run) ? [] : [0, 1, 2, 3].flatMap((at) => readable(Buffer.from(run.slice(at), "base64")) ?? []),
    ),
  );
}

function isWord(run: string): boolean {
  return /^[A-Za-z]?[a-z]+$/.test(run);
}

function runsIn(text: string, pattern: RegExp): readonly string[] {
  if (text.length < shortestRun) return [];
  const runs: string[] = [];
  for (const [run] of text.matchAll(pattern)) {
    runs.push(run);
    if (runs.length >= maxRuns) break;
  }
  return runs;
}

/** The text that these bytes are, if they are one; a few bytes may belong to nothing where it was cut. */
function readable(bytes: Buffer): string | undefined {
  const text = bytes.toString("utf8");
  const odd = text.match(/[[\p{Cc}\ufffd]--[\t\n\r]]/gv)?.length ?? 0;
  return odd * 10 <= text.length + 20 ? text : undefined;
}
