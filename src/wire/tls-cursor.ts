/** Reading the vectors that TLS is written in (RFC 8446 §3.4). */

/** Reads within bounds; a read beyond them marks the cursor, and its parent, as broken and yields zeros. */
export class Cursor {
  readonly #bytes: Uint8Array;
  readonly #end: number;
  readonly #parent: Cursor | undefined;
  #at: number;
  #broken = false;

  constructor(bytes: Uint8Array, at: number, end: number, parent?: Cursor) {
    this.#bytes = bytes;
    this.#at = at;
    this.#end = end;
    this.#parent = parent;
  }

  get atEnd(): boolean {
    return this.#at >= this.#end;
  }

  get broken(): boolean {
    return this.#broken;
  }

  skip(count: number): number {
    const from = this.#at;
    if (from + count > this.#end) {
      this.#break();
      return this.#end;
    }
    this.#at += count;
    return from;
  }

  uint16(): number {
    const at = this.skip(2);
    return this.#broken ? 0 : uint16(this.#bytes, at);
  }

  uint8(): number {
    const at = this.skip(1);
    return this.#broken ? 0 : (this.#bytes[at] ?? 0);
  }

  /** What stands behind a length of `lengthBytes` bytes. */
  vector(lengthBytes: 1 | 2 | 3): Cursor {
    const high = lengthBytes === 3 ? this.uint8() : 0;
    const length = high * 65_536 + (lengthBytes === 1 ? this.uint8() : this.uint16());
    const from = this.skip(length);
    return new Cursor(this.#bytes, from, this.#broken ? from : from + length, this);
  }

  uint16s(): number[] {
    const values: number[] = [];
    while (!this.atEnd && !this.#broken) values.push(this.uint16());
    return values;
  }

  take(count: number): Uint8Array {
    const at = this.skip(count);
    return this.#broken ? new Uint8Array(0) : this.#bytes.subarray(at, at + count);
  }

  /** What is left of it. */
  rest(): Uint8Array {
    const bytes = this.#bytes.subarray(this.#at, this.#end);
    this.#at = this.#end;
    return bytes;
  }

  text(): string {
    const text = String.fromCharCode(...this.#bytes.subarray(this.#at, this.#end));
    this.#at = this.#end;
    return text;
  }

  #break(): void {
    this.#broken = true;
    this.#at = this.#end;
    if (this.#parent !== undefined) this.#parent.#break();
  }
}

export function uint16(bytes: Uint8Array, at: number): number {
  return (bytes[at] ?? 0) * 256 + (bytes[at + 1] ?? 0);
}
