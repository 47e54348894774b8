/** The clients' files that a command means: all of one's own, one client's, or those it names. */
import path from "node:path";

import { type ConfigFile, type Homes, userFiles } from "../../host/scan/config-files.ts";
import { type ClientKind, clientKinds } from "../../inventory/clients/client-kinds.ts";
import { Refusal } from "../../kernel/refusal.ts";

export interface ClientFile {
  readonly kind: ClientKind;
  readonly file: string;
  /** Where the client starts commands, if that is known. */
  readonly folder?: string;
  /** It was named, so that it has to be there. */
  readonly isNamed: boolean;
}

/** @throws Refusal `bad_config` if a name is neither a client's nor a file's */
export async function whichFiles(names: readonly string[], homes: Homes): Promise<readonly ClientFile[]> {
  const own = await userFiles(homes);
  if (names.length === 0) return own.map((one) => ({ ...withoutHome(one), isNamed: false }));
  const found = names.flatMap((name): readonly ClientFile[] => {
    const kind = clientKinds.find(({ id }) => id === name);
    if (kind === undefined) return [namedFile(path.resolve(name), name, own)];
    return own.filter((one) => one.kind === kind).map((one) => ({ ...withoutHome(one), isNamed: false }));
  });
  return [...new Map(found.map((one) => [one.file, one])).values()];
}

function withoutHome({ kind, file }: ConfigFile): Pick<ClientFile, "kind" | "file"> {
  return { kind, file: path.resolve(file) };
}

function namedFile(file: string, name: string, own: readonly ConfigFile[]): ClientFile {
  const known = own.find((one) => path.resolve(one.file) === file);
  if (known !== undefined) return { ...withoutHome(known), isNamed: true };
  for (const kind of clientKinds) {
    const place = kind.projectFiles.find((one) => file.endsWith(path.sep + path.join(one)));
    if (place !== undefined)
      return { kind, file, folder: file.slice(0, -path.join(place).length - 1), isNamed: true };
  }
  for (const kind of clientKinds) {
    const ends = Object.values(kind.files)
      .flat()
      .map((one) => path.basename(one));
    if (kind.id !== "generic" && ends.includes(path.basename(file)) && !shared.has(path.basename(file)))
      return { kind, file, isNamed: true };
  }
  const generic = clientKinds.find(({ id }) => id === "generic");
  if (generic !== undefined && /\.jsonc?$/i.test(file)) return { kind: generic, file, isNamed: true };
  const ids = clientKinds.map(({ id }) => id).join(", ");
  throw new Refusal("bad_config", `"${name}" is neither a client (${ids}) nor a file of one.`);
}

/** Names of files that several programs have. */
const shared = new Set(["mcp.json", "settings.json", "config.toml"]);
