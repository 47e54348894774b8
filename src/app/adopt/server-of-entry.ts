/** What a gateway has to be told to reach the server that a client's entry names; or why the entry is left as it is. */
import path from "node:path";

import type { ClientKind } from "../../inventory/clients/client-kinds.ts";
import { isTable, type Table, type Value } from "../../inventory/clients/config-document.ts";
import type { Reached } from "../../inventory/clients/client-sighting.ts";
import { secretsOf, secretsOfArgument } from "../../inventory/clients/secrets.ts";

export type EntryServer =
  | {
      readonly kind: "stdio";
      readonly command: readonly string[];
      readonly cwd: string;
      /** With their values, secrets among them. */
      readonly env: Readonly<Record<string, string>>;
    }
  | {
      readonly kind: "http";
      readonly url: string;
      readonly transport: "streamable-http" | "http+sse" | "either";
      /** With their values, secrets among them. */
      readonly headers: Readonly<Record<string, string>>;
    };

export type ReadEntry = EntryServer | { readonly kind: "left"; readonly because: string };

export interface EntrySource {
  readonly kind: ClientKind;
  readonly value: Value;
  readonly reaches: Reached;
  /** Where the client starts the entry's command, if that is known: the project's folder. */
  readonly folder?: string;
  /** Where a command starts of which nothing is known. */
  readonly home: string;
}

/** Keys that say how a server is reached and that only the client itself can follow. */
const clientsOwn: Readonly<Record<string, string>> = {
  envFile: "its environment comes from a file that the client reads",
  env_vars: "its environment comes from the client's own",
  env_http_headers: "its headers come from the client's environment",
  bearer_token_env_var: "its token comes from the client's environment",
  oauth: "the client logs in to it by itself",
  auth: "the client logs in to it by itself",
  authProviderType: "the client logs in to it by itself",
  sandbox: "the client starts it in a sandbox of its own",
  sandboxEnabled: "the client starts it in a sandbox of its own",
  dev: "the client watches and debugs it while it is developed",
  headersHelper: "a program of the client's makes its headers",
};

export function serverOfEntry(source: EntrySource): ReadEntry {
  const { value, reaches, kind } = source;
  if (reaches.kind === "unreadable") return left(reaches.because);
  if (reaches.kind === "connect") return left("it runs behind Latticegate already");
  if (!isTable(value)) return left("it is no object");
  for (const [key, because] of Object.entries(clientsOwn)) if (value.has(key)) return left(because);
  if (hasVariable(value, kind)) return left("it has variables that only the client can fill in");
  return reaches.kind === "stdio" ? stdioServer(source, value, reaches.command) : httpServer(value, reaches);
}

function left(because: string): { readonly kind: "left"; readonly because: string } {
  return { kind: "left", because };
}

/** `${input:key}`, `${workspaceFolder}`, `${TOKEN}`, of Gemini CLI `$TOKEN`. */
function hasVariable(value: Value, kind: ClientKind): boolean {
  if (typeof value === "string")
    return value.includes("${") || (kind.id === "gemini-cli" && /\$[A-Za-z_]|%\w+%/.test(value));
  if (isTable(value)) return [...value.values()].some((one) => hasVariable(one, kind));
  return Array.isArray(value) && value.some((one) => hasVariable(one, kind));
}

function stdioServer(source: EntrySource, value: Table, command: readonly string[]): ReadEntry {
  const nested = value.get("command");
  const env = texts((isTable(nested) ? nested : value).get("env"));
  if (env === undefined) return left("its environment isn't made of texts");
  const wrong = wrongEnvironment(env) ?? wrongCommand(command);
  if (wrong !== undefined) return left(wrong);
  const named = value.get("cwd");
  if (named !== undefined && typeof named !== "string") return left("its working folder is no text");
  const cwd = named === undefined ? (source.folder ?? source.home) : resolved(named, source.folder);
  if (cwd === undefined) return left("its working folder is relative to one that only the client knows");
  const [program = ""] = command;
  if (source.folder === undefined && /[\\/]/.test(program) && !path.isAbsolute(program))
    return left("its program is named relative to a folder that only the client knows");
  return { kind: "stdio", command, cwd, env };
}

function resolved(named: string, folder: string | undefined): string | undefined {
  if (path.isAbsolute(named)) return named;
  return folder === undefined || named.startsWith("~") ? undefined : path.join(folder, named);
}

function wrongEnvironment(env: Readonly<Record<string, string>>): string | undefined {
  for (const [name, value] of Object.entries(env)) {
    if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name)) return "a variable of its environment has an odd name";
    if (value !== "" && value !== value.trim())
      return `the value of ${name} begins or ends with white space, which a file of a secret can't keep`;
  }
  return undefined;
}

function wrongCommand(command: readonly string[]): string | undefined {
  if (command.some((part) => part === "")) return "an argument of its command is empty";
  if (command.some((part) => part.includes("\0"))) return "its command isn't one";
  const at = command.findIndex((_, index) => secretsOfArgument(command, index).length > 0);
  return at === -1
    ? undefined
    : `argument ${at} of its command looks like a secret; move it into the entry's environment`;
}

function httpServer(value: Table, reaches: Extract<Reached, { kind: "http" }>): ReadEntry {
  const { url, transport } = reaches;
  const parsed = URL.parse(url);
  if (parsed === null || !["http:", "https:"].includes(parsed.protocol))
    return left("its URL isn't one of HTTP");
  if (parsed.username !== "" || parsed.password !== "" || secretsOf(undefined, url).length > 0)
    return left("its URL holds a secret; move it into a header");
  const headers = texts(value.get("headers") ?? value.get("http_headers"));
  if (headers === undefined) return left("its headers aren't made of texts");
  if (Object.entries(headers).some(([name, text]) => !isHeader(name, text)))
    return left("one of its headers isn't one of HTTP");
  return { kind: "http", url, transport, headers };
}

function isHeader(name: string, text: string): boolean {
  return /^[\w!#$%&'*+.^`|~-]{1,256}$/.test(name) && /^[\x21-\x7e](?:[\t\x20-\x7e]*[\x21-\x7e])?$/.test(text);
}

function texts(value: Value | undefined): Readonly<Record<string, string>> | undefined {
  if (value === undefined) return {};
  if (!isTable(value)) return undefined;
  const pairs: [string, string][] = [];
  for (const [name, one] of value) {
    if (typeof one === "object" || name === "__proto__") return undefined;
    pairs.push([name, String(one)]);
  }
  return Object.fromEntries(pairs);
}

/** A value of an environment that may stand in the gateway's config: one that can be no secret. */
export function isPlainValue(name: string, value: string): boolean {
  if (secretsOf(name, value).length > 0) return false;
  return value === "" || /^(?:true|false|on|off|yes|no|\d{1,3}|\/[\w./-]{1,256})$/.test(value);
}
