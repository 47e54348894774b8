/**
 * Words of a text as numbers, in one pass over its characters: case, common endings and the way a number or an address is
 * written don't count. What names things (an address, an account, a file) is one word beside its parts.
 */

export interface WordSink {
  /** @param shape 0 word, 1 number, 2 name made of several parts or of letters and digits */
  readonly word: (hash: number, shape: number, opens: boolean) => void;
  /** Markup, signs in a row, anything that sets text apart. */
  readonly mark: () => void;
}

const basis = 0x811c9dc5;
const prime = 0x01000193;

export function hashOf(word: string): number {
  let hash = basis;
  for (let i = 0; i < word.length; i++) hash = Math.imul(hash ^ word.charCodeAt(i), prime);
  return hash >>> 0;
}

const other = 0;
const letter = 1;
const digit = 2;
const joiner = 3;
const ending = 4;
const kinds = new Uint8Array(128);
for (let code = 0; code < 128; code++) {
  const char = String.fromCharCode(code);
  if (/[a-z]/i.test(char)) kinds[code] = letter;
  else if (/\d/.test(char)) kinds[code] = digit;
  else if (/[@._/:+-]/.test(char)) kinds[code] = joiner;
  else if (/[!?;>"'(|*\n\r[{,]/.test(char)) kinds[code] = ending;
}

const longestWord = 64;

/** Tells the words of a text to a sink, at most so many. @returns how many words there were */
export function eachWord(text: string, sink: WordSink, atMost: number): number {
  const reader = new Reader(text, sink, atMost);
  return reader.run();
}

/** A class for speed: one object a text, no closures and no strings in the loop. */
class Reader {
  #at = 0;
  #told = 0;
  #opens = true;
  #run = basis;
  #runParts = 0;
  #runHasDigit = false;
  #runHasLetter = false;
  readonly #text: string;
  readonly #sink: WordSink;
  readonly #atMost: number;

  constructor(text: string, sink: WordSink, atMost: number) {
    this.#text = text;
    this.#sink = sink;
    this.#atMost = atMost;
  }

  run(): number {
    const { length } = this.#text;
    while (this.#at < length && this.#told < this.#atMost) {
      const kind = this.#kind(this.#at);
      if (kind === letter || kind === digit) this.#part();
      else this.#between(kind);
    }
    this.#endRun();
    return this.#told;
  }

  #kind(at: number): number {
    const code = this.#text.charCodeAt(at);
    if (code < 128) return kinds[code] ?? other;
    return code > 0x00bf && code !== 0x3000 && !(code >= 0x2000 && code < 0x2c00) ? letter : other;
  }

  #between(kind: number): void {
    const next = this.#at + 1 < this.#text.length ? this.#kind(this.#at + 1) : other;
    const isJoined = kind === joiner && (next === letter || next === digit) && this.#runParts > 0;
    if (isJoined) this.#run = Math.imul(this.#run ^ this.#text.charCodeAt(this.#at), prime);
    else this.#gap(kind);
    this.#at++;
  }

  #gap(kind: number): void {
    this.#endRun();
    const code = this.#text.charCodeAt(this.#at);
    if (kind === ending || (kind === joiner && code !== 47)) this.#opens = true;
    // "<", "#", "=", "!" next to one more of them
    if (
      code === 60 ||
      ((code === 35 || code === 61 || code === 33) && this.#text.charCodeAt(this.#at + 1) === code)
    )
      this.#sink.mark();
  }

  #endRun(): void {
    if (this.#runParts > 1 || (this.#runHasDigit && this.#runHasLetter)) {
      this.#told++;
      this.#sink.word(this.#run >>> 0, 2, false);
    }
    this.#run = basis;
    this.#runParts = 0;
    this.#runHasDigit = false;
    this.#runHasLetter = false;
  }

  /** Letters and digits until something else: a word; letters of scripts without spaces are words by themselves. */
  #part(): void {
    const from = this.#at;
    let hash = basis;
    let before = basis;
    let twoBefore = basis;
    let threeBefore = basis;
    let hasLetter = false;
    let hasDigit = false;
    for (; this.#at < this.#text.length && this.#at - from < longestWord; this.#at++) {
      let code = this.#text.charCodeAt(this.#at);
      const kind = this.#kind(this.#at);
      if (kind !== letter && kind !== digit) {
        if (code === 44 && hasDigit && !hasLetter && this.#isThousand(this.#at)) continue;
        break;
      }
      if (kind === letter) hasLetter = true;
      else hasDigit = true;
      if (code > 64 && code < 91) code += 32;
      threeBefore = twoBefore;
      twoBefore = before;
      before = hash;
      hash = Math.imul(hash ^ code, prime);
      this.#run = Math.imul(this.#run ^ code, prime);
      if (code >= 0x3040) {
        this.#at++;
        break;
      }
    }
    const length = this.#at - from;
    const told = hasDigit ? hash : this.#folded(length, { hash, before, twoBefore, threeBefore });
    this.#tell(told >>> 0, hasDigit, hasLetter);
  }

  #tell(hash: number, hasDigit: boolean, hasLetter: boolean): void {
    // What stands before "://" and a leading "www" name no place.
    const isScheme = this.#text.startsWith("://", this.#at);
    if (isScheme || (this.#runParts === 0 && hash === www)) {
      this.#endRunSilently();
      this.#at += isScheme ? 3 : 1;
      return;
    }
    this.#runParts++;
    this.#runHasDigit ||= hasDigit;
    this.#runHasLetter ||= hasLetter;
    const isMixed = hasDigit && hasLetter;
    this.#told++;
    this.#sink.word(hash, isMixed ? 2 : Number(hasDigit), this.#opens);
    // Letters and digits in one are a name already.
    if (isMixed && this.#runParts === 1 && !this.#isJoinedNext()) this.#endRunSilently();
    this.#opens = false;
  }

  #isJoinedNext(): boolean {
    if (this.#at + 1 >= this.#text.length || this.#kind(this.#at) !== joiner) return false;
    const next = this.#kind(this.#at + 1);
    return next === letter || next === digit;
  }

  #endRunSilently(): void {
    this.#runParts = 0;
    this.#runHasDigit = false;
    this.#runHasLetter = false;
    this.#endRun();
  }

  #isThousand(at: number): boolean {
    return (
      this.#kind(at + 1) === digit &&
      at + 3 < this.#text.length &&
      this.#kind(at + 2) === digit &&
      this.#kind(at + 3) === digit
    );
  }

  /** Without the endings of plural and past: "sends", "sending", "transferred" are forms of one word. */
  #folded(
    length: number,
    hashes: { hash: number; before: number; twoBefore: number; threeBefore: number },
  ): number {
    const last = this.#lower(1);
    const second = this.#lower(2);
    if (length > 5 && last === 103 && second === 110 && this.#lower(3) === 105) return hashes.threeBefore;
    if (length > 4 && last === 100 && second === 101) return hashes.twoBefore;
    if (length < 4 || last !== 115 || second === 115) return hashes.hash;
    const isEs = second === 101 && length > 5 && /[sxzh]/.test(this.#text.charAt(this.#at - 3));
    return isEs ? hashes.twoBefore : hashes.before;
  }

  #lower(back: number): number {
    const code = this.#text.charCodeAt(this.#at - back);
    return code > 64 && code < 91 ? code + 32 : code;
  }
}

const www = hashOf("www");
/** Names that only `hashOf` sees: the word's hash as the reader tells it. */
export function wordHash(word: string): number {
  let found = 0;
  eachWord(word, { word: (hash) => (found = hash), mark: () => undefined }, 1);
  return found;
}
