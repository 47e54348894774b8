/** What a key means. */
import { places } from "./routes.ts";

export type Meant =
  | { readonly kind: "none" }
  | { readonly kind: "chord" }
  | { readonly kind: "help" }
  | { readonly kind: "filter" }
  | { readonly kind: "go"; readonly path: string };

/** @param isChord `g` was pressed just before */
export function keyMeans(key: string, isChord: boolean): Meant {
  if (isChord) {
    const place = places.find((each) => each.key === key && key !== "");
    return place === undefined ? { kind: "none" } : { kind: "go", path: place.path };
  }
  if (key === "g") return { kind: "chord" };
  if (key === "?") return { kind: "help" };
  return key === "/" ? { kind: "filter" } : { kind: "none" };
}
