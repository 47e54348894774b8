/** Where the reader is: the address as a signal, links followed without loading the page anew. */
import { computed, signal } from "@preact/signals";

import { placeAt } from "./model/routes.ts";

export interface PageProps {
  /** What follows the page's path, decoded: `/incidents/i-7` → ["i-7"]. */
  readonly rest: readonly string[];
  readonly query: URLSearchParams;
}

const address = signal(here());

export const found = computed(() => placeAt(address.value.pathname));
export const query = computed(() => new URLSearchParams(address.value.search));

/** Goes to a path of this site; the focus follows. */
export function goTo(path: string, { replace = false }: { readonly replace?: boolean } = {}): void {
  if (replace) history.replaceState(null, "", path);
  else history.pushState(null, "", path);
  address.value = here();
}

/** Changes the query alone, without a step in the history: filters, tabs. */
export function setQuery(changes: Readonly<Record<string, string | undefined>>): void {
  const next = new URLSearchParams(location.search);
  for (const [name, value] of Object.entries(changes)) {
    if (value === undefined || value === "") next.delete(name);
    else next.set(name, value);
  }
  goTo(location.pathname + (next.size === 0 ? "" : `?${next.toString()}`), { replace: true });
}

/** From here on links and the browser's back button are followed in place. */
export function startRouter(): void {
  addEventListener("popstate", () => (address.value = here()));
  addEventListener("hashchange", () => (address.value = here()));
  document.addEventListener("click", follow);
}

function follow(event: MouseEvent): void {
  if (event.defaultPrevented || isForBrowser(event)) return;
  const anchor = (event.target as Element | null)?.closest("a");
  if (!anchor || anchor.target !== "" || anchor.hasAttribute("download")) return;
  const to = new URL(anchor.href);
  if (to.origin !== location.origin || placeAt(to.pathname) === undefined) return;
  // Within the page: the browser's own.
  if (to.hash !== "" && to.pathname === location.pathname) return;
  event.preventDefault();
  if (to.href !== location.href) goTo(to.pathname + to.search);
}

/** Another button, or a key that asks for a tab or window of its own. */
function isForBrowser({ button, metaKey, ctrlKey, shiftKey, altKey }: MouseEvent): boolean {
  return button !== 0 || metaKey || ctrlKey || shiftKey || altKey;
}

function here(): { readonly pathname: string; readonly search: string } {
  return { pathname: location.pathname, search: location.search };
}
