/** Which member something belongs to; the oldest are forgotten, since clients aren't known to be tidy. */

const kept = 1000;

export class Owners<K> {
  readonly #members = new Map<K, string>();

  of(key: K): string | undefined {
    return this.#members.get(key);
  }

  set(key: K, member: string): void {
    this.#members.delete(key);
    this.#members.set(key, member);
    if (this.#members.size <= kept) return;
    const oldest = this.#members.keys().next();
    if (oldest.done !== true) this.#members.delete(oldest.value);
  }

  delete(key: K): void {
    this.#members.delete(key);
  }
}
