/** What an API wants to be shown, as its document says (OpenAPI 3.1 §4.8.27), and where the config has it. */
import type { Operation } from "./operations.ts";
import type { ApiDocument } from "./read-document.ts";
import { resolved } from "./references.ts";
import { type JsonObject, member, textOf } from "./values.ts";

const maxNeeds = 50;

/** One sentence for each scheme that one of the operations names. */
export function securityNeeds({ root }: ApiDocument, operations: readonly Operation[]): readonly string[] {
  const named = new Set(
    operations.flatMap(({ security }) => security.flatMap((set) => set.map(({ scheme }) => scheme))),
  );
  const schemes = member(root["components"], "securitySchemes");
  return [...named].slice(0, maxNeeds).map((name) => {
    const scheme = resolved(root, member(schemes, name));
    return `${name}: ${scheme === undefined ? "the document doesn't say what that is" : needOf(scheme)}`;
  });
}

const places: Readonly<Record<string, string>> = { header: "headers", query: "query", cookie: "cookies" };

function needOf(scheme: JsonObject): string {
  switch (scheme["type"]) {
    case "apiKey": {
      const place = textOf(scheme, "in") ?? "";
      return `the key ${textOf(scheme, "name") ?? "?"}, under \`${places[place] ?? place}\``;
    }
    case "http":
      return textOf(scheme, "scheme")?.toLowerCase() === "basic"
        ? "a user and password, under `basic`"
        : "a token, under `auth: { kind: bearer }`";
    case "oauth2":
    case "openIdConnect":
      return "a token of OAuth, under `auth`";
    case "mutualTLS":
      return "a client certificate, under `auth: { kind: mtls }`";
    default:
      return "something this version doesn't know";
  }
}
