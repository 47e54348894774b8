/** The incidents that are open, found by what makes a signal belong to them: as many keys as they keep, and no more. */
import { type Incident, withoutCallers } from "./incident.ts";

export class OpenIncidents {
  readonly #byId = new Map<string, Incident>();
  readonly #ids = new Map<string, string>();

  constructor(known: readonly Incident[]) {
    for (const incident of known) this.put(incident);
  }

  get all(): ReadonlyMap<string, Incident> {
    return this.#byId;
  }

  /** A new one, or another in the place of that of the same id. Who had a key first keeps it. */
  put(incident: Incident): void {
    this.#byId.set(incident.id, incident);
    for (const key of incident.keys) if (!this.#ids.has(key)) this.#ids.set(key, incident.id);
  }

  drop(id: string): void {
    for (const key of this.#byId.get(id)?.keys ?? []) if (this.#ids.get(key) === id) this.#ids.delete(key);
    this.#byId.delete(id);
  }

  /** The one that the first of them leads to. */
  first(keys: readonly string[]): Incident | undefined {
    const id = keys.map((key) => this.#ids.get(key)).find((each) => each !== undefined);
    return id === undefined ? undefined : this.#byId.get(id);
  }

  ofCall(callId: string): Incident | undefined {
    return this.#byId.values().find(({ timeline }) => timeline.some((each) => each.callId === callId));
  }

  forget(callers: ReadonlySet<string>): void {
    // Those that are put again come last, and are left as they are.
    for (const incident of this.#byId.values()) {
      const left = withoutCallers(incident, callers);
      if (left === incident) continue;
      this.drop(incident.id);
      this.put(left);
    }
  }
}
