/** All destinations one server went to, the least recently used of which make way; bounded, and read back with care. */
import {
  type DestinationMemory,
  type HoursOfWeek,
  isKnown,
  metAt,
  type Moved,
  noHours,
  withContact,
  withHour,
  withTraffic,
} from "./destination-memory.ts";

/** About 64 KiB in all. */
export const maxDestinations = 128;
const dayMs = 86_400_000;

/** As it is kept between two runs. */
export interface BookContents {
  readonly destinations: readonly (readonly [destination: string, memory: DestinationMemory])[];
  readonly hours: HoursOfWeek;
  /** How many destinations were met anew on that day since 1970. */
  readonly met: { readonly day: number; readonly count: number };
}

export class DestinationBook {
  readonly #destinations: Map<string, DestinationMemory>;
  #hours: HoursOfWeek;
  #met: BookContents["met"];

  constructor(contents?: BookContents) {
    this.#destinations = new Map(contents?.destinations.slice(-maxDestinations));
    this.#hours = contents?.hours ?? noHours;
    this.#met = contents?.met ?? { day: 0, count: 0 };
  }

  get hours(): HoursOfWeek {
    return this.#hours;
  }

  contents(): BookContents {
    return { destinations: [...this.#destinations], hours: this.#hours, met: this.#met };
  }

  isKnown(destination: string): boolean {
    const memory = this.#destinations.get(destination);
    return memory !== undefined && isKnown(memory);
  }

  /**
   * @param newPerDay how many destinations that aren't in the book may be met on one day
   * @returns false if too many were met today; a clock that goes back makes no room
   */
  meet(destination: string, newPerDay: number, nowUnixMs: number): boolean {
    if (this.#destinations.has(destination)) return true;
    const day = Math.max(Math.floor(nowUnixMs / dayMs), this.#met.day);
    const count = day === this.#met.day ? this.#met.count : 0;
    if (count >= newPerDay) return false;
    this.#met = { day, count: count + 1 };
    this.#put(destination, metAt(nowUnixMs));
    return true;
  }

  moved(destination: string, moved: Moved, nowUnixMs: number): DestinationMemory {
    return this.#put(destination, withTraffic(this.#of(destination, nowUnixMs), moved, nowUnixMs));
  }

  ended(
    destination: string,
    { sentBytes, hourOfWeek }: { readonly sentBytes: number; readonly hourOfWeek: number },
    times: { readonly beganUnixMs: number; readonly nowUnixMs: number },
  ): void {
    this.#put(destination, withContact(this.#of(destination, times.nowUnixMs), sentBytes, times));
    this.#hours = withHour(this.#hours, hourOfWeek);
  }

  /** What was cut is met anew when it is let in again. */
  forget(destination: string): void {
    this.#destinations.delete(destination);
  }

  #of(destination: string, nowUnixMs: number): DestinationMemory {
    return this.#destinations.get(destination) ?? metAt(nowUnixMs);
  }

  #put(destination: string, memory: DestinationMemory): DestinationMemory {
    this.#destinations.delete(destination);
    this.#destinations.set(destination, memory);
    const [oldest] = this.#destinations.size > maxDestinations ? this.#destinations.keys() : [];
    if (oldest !== undefined) this.#destinations.delete(oldest);
    return memory;
  }
}
