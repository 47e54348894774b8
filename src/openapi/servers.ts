/** Where a document says that its API is (OpenAPI 3.1 §4.8.5). */
import type { ApiDocument } from "./read-document.ts";
import { listOf, member, membersOf, textOf } from "./values.ts";

const maxServers = 20;

/** Absolute http and https URLs, with the defaults of their variables put in. */
export function serversOf(document: ApiDocument): readonly string[] {
  return urlsOf(document).filter((url) => /^https?:\/\//i.test(url) && URL.parse(url) !== null);
}

/** Their paths, without the slash at the end; also of servers that are paths alone. */
export function basePathsOf(document: ApiDocument): readonly string[] {
  const paths = urlsOf(document).map((url) =>
    (URL.parse(url, "https://nowhere.invalid")?.pathname ?? "/").replace(/\/$/, ""),
  );
  return [...new Set(paths)].filter((path) => path !== "");
}

function urlsOf({ root }: ApiDocument): readonly string[] {
  return listOf(root, "servers")
    .slice(0, maxServers)
    .flatMap((server) => {
      const url = textOf(server, "url");
      return url === undefined || url.length > 2000 ? [] : [filledIn(url, member(server, "variables"))];
    });
}

function filledIn(url: string, variables: unknown): string {
  return membersOf(variables).reduce((text, [name, variable]) => {
    const value = textOf(variable, "default");
    return value === undefined ? text : text.replaceAll(`{${name}}`, () => value);
  }, url);
}
