/** The dashboard's places: each page with its path, its title, its key after `g`, and where the menu has it. */

export interface Place {
  readonly name: string;
  readonly path: string;
  readonly title: string;
  /** Pressed after `g`. */
  readonly key: string;
  /** Whom it is for, if not for those alone who may look at everything. */
  readonly isForAll?: boolean;
  /** In the menu; absent: elsewhere. */
  readonly group?: "Watch" | "Act" | "Govern";
}

export const places = [
  { name: "overview", path: "/", title: "Overview", key: "o", group: "Watch" },
  { name: "map", path: "/map", title: "Map", key: "m", group: "Watch" },
  { name: "live", path: "/live", title: "Live", key: "l", group: "Watch" },
  { name: "incidents", path: "/incidents", title: "Incidents", key: "i", group: "Act" },
  { name: "approvals", path: "/approvals", title: "Approvals", key: "a", group: "Act", isForAll: true },
  { name: "tools", path: "/tools", title: "Tools", key: "t", group: "Act" },
  { name: "policy", path: "/policy", title: "Policy", key: "p", group: "Govern" },
  { name: "crypto", path: "/crypto", title: "Crypto", key: "c", group: "Govern" },
  { name: "audit", path: "/audit", title: "Audit", key: "u", group: "Govern" },
  { name: "compliance", path: "/compliance", title: "Compliance", key: "f", group: "Govern" },
  { name: "account", path: "/account", title: "Account", key: "y", isForAll: true },
  { name: "login", path: "/login", title: "Log in", key: "", isForAll: true },
] as const satisfies readonly Place[];

type PageName = (typeof places)[number]["name"];

export interface Found {
  readonly place: Place & { readonly name: PageName };
  /** What follows the page's own path, decoded: `/incidents/i-7` → ["i-7"]. */
  readonly rest: readonly string[];
}

export function isShownTo(place: Place, isViewer: boolean): boolean {
  return isViewer || place.isForAll === true;
}

/** @returns undefined if no page stands there */
export function placeAt(pathname: string): Found | undefined {
  const [first = "", ...rest] = pathname.split("/").filter((part) => part !== "");
  const place = places.find(({ path }) => path === `/${first}`);
  if (place === undefined) return undefined;
  try {
    return { place, rest: rest.map(decodeURIComponent) };
  } catch {
    return undefined;
  }
}

/** Where a login leads back to: a path of this site, never another one. */
export function wayBack(asked: string | null): string {
  if (asked === null || !/^\/(?![/\\])[\x20-\x7e]*$/.test(asked)) return "/";
  return asked.startsWith("/login") ? "/" : asked;
}
