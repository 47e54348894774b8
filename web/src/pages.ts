/** The pages, each a chunk of its own: what stands in pages/NAME/page.tsx as its default export. */
import { signal } from "@preact/signals";
import type { FunctionComponent } from "preact";

import type { PageProps } from "./router.ts";

type Page = FunctionComponent<PageProps>;

const files = import.meta.glob<Page>("./pages/*/page.tsx", { import: "default" });

export type PageState =
  | { readonly kind: "loading" }
  | { readonly kind: "there"; readonly page: Page }
  /** The gateway was replaced by another version meanwhile, or is away. */
  | { readonly kind: "failed" };

const states = signal<ReadonlyMap<string, PageState>>(new Map());

export function hasPage(name: string): boolean {
  return Object.hasOwn(files, fileOf(name));
}

export function pageState(name: string): PageState {
  return states.value.get(name) ?? { kind: "loading" };
}

export function loadPage(name: string): void {
  const load = files[fileOf(name)];
  const known = states.peek().get(name);
  if (load === undefined || (known !== undefined && known.kind !== "failed")) return;
  keep(name, { kind: "loading" });
  load().then(
    (page) => keep(name, { kind: "there", page }),
    () => keep(name, { kind: "failed" }),
  );
}

function keep(name: string, state: PageState): void {
  states.value = new Map(states.peek()).set(name, state);
}

function fileOf(name: string): string {
  return `./pages/${name}/page.tsx`;
}
