/** From a server's OpenAPI document on disk, and what the config says of it, to the tools and resources it has. */
import { readFileSync, realpathSync, statSync } from "node:fs";
import path from "node:path";

import { parseDocument } from "yaml";
import { z } from "zod";

import { Refusal } from "../../kernel/refusal.ts";
import { type ApiServer, apiServer, type ApiWishes, type Place } from "../../openapi/api-server.ts";
import type { LoadFile } from "../../openapi/join-files.ts";
import type { Overlay } from "../../openapi/overlay.ts";
import { type ApiDocument, documentLimits, readDocument } from "../../openapi/read-document.ts";
import type { OpenapiServer } from "../config/openapi.ts";

export interface ReadApi {
  readonly api: ApiServer;
  /** All that was read, absolute: what changes when one of them does. */
  readonly files: readonly string[];
}

/** @throws Refusal `bad_config` that says what is wrong with it */
export function readApi(server: OpenapiServer, folder: string): ReadApi {
  const { document, files } = readDocumentFile(path.resolve(folder, server.openapi));
  const overlay = server.overlay === undefined ? undefined : path.resolve(folder, server.overlay);
  const api = apiServer(document, {
    ...wishesOf(server),
    ...(overlay !== undefined && { overlay: readOverlay(overlay) }),
  });
  return { api, files: overlay === undefined ? files : [...files, overlay] };
}

/** The document with the files it is split into, which stand in its folder or below. @throws Refusal `bad_config` */
export function readDocumentFile(file: string): {
  readonly document: ApiDocument;
  readonly files: readonly string[];
} {
  const files = [file];
  const folder = path.dirname(file);
  const load: LoadFile = (name) => {
    const found = path.resolve(folder, name);
    const real = inFolder(found, folder);
    files.push(found);
    return readText(real);
  };
  return { document: readDocument(readText(file), path.basename(file), load), files };
}

/** Links that lead out of the folder lead nowhere. */
function inFolder(file: string, folder: string): string {
  let real: string;
  try {
    real = realpathSync(file);
  } catch (cause) {
    throw new Refusal("bad_config", "it isn't there", { cause });
  }
  if (!real.startsWith(`${realpathSync(folder)}${path.sep}`))
    throw new Refusal("bad_config", "it stands outside of the document's folder");
  return real;
}

function readText(file: string): string {
  try {
    const found = statSync(file);
    if (!found.isFile()) throw new Refusal("bad_config", `${file} isn't a file.`);
    if (found.size > documentLimits.fileBytes)
      throw new Refusal(
        "bad_config",
        `${file} is longer than ${documentLimits.fileBytes / 1024 / 1024} MiB.`,
      );
    return readFileSync(file, "utf8");
  } catch (cause) {
    if (cause instanceof Refusal) throw cause;
    throw new Refusal("bad_config", `${file} can't be read.`, { cause });
  }
}

function wishesOf({ only, endpoints, resources, headers, query, cookies }: OpenapiServer): ApiWishes {
  const named = (place: Place["in"], of: object): readonly Place[] =>
    Object.keys(of).map((name) => ({ in: place, name }));
  return {
    ...(only && { narrowing: definedOnly(only) }),
    ...(endpoints && { tools: endpoints }),
    resources: resources.map(({ uri, description, endpoint }) => ({
      uri,
      ...(description !== undefined && { description }),
      ...(endpoint !== undefined && { endpoint }),
    })),
    withheld: [...named("header", headers), ...named("query", query), ...named("cookie", cookies)],
  };
}

function definedOnly({
  tags,
  paths,
  operations,
  methods,
}: NonNullable<OpenapiServer["only"]>): NonNullable<ApiWishes["narrowing"]> {
  return {
    ...(tags && { tags }),
    ...(paths && { paths }),
    ...(operations && { operations }),
    ...(methods && { methods }),
  };
}

const words = z.strictObject({
  name: z
    .string()
    .regex(/^[A-Za-z0-9_.-]{1,64}$/)
    .optional(),
  title: z.string().min(1).max(200).optional(),
  description: z.string().min(1).max(4000).optional(),
  omit: z.boolean().optional(),
});
const overlaySchema = z.strictObject({ tools: z.record(z.string().min(1).max(2048), words) });

/** @throws Refusal `bad_config` */
export function readOverlay(file: string): Overlay {
  const document = parseDocument(readText(file), { uniqueKeys: true });
  const [error] = document.errors;
  if (error !== undefined) throw new Refusal("bad_config", `${file}: ${error.message}`, { cause: error });
  const read = overlaySchema.safeParse(document.toJS({ maxAliasCount: 0 }));
  if (read.success) return new Map(Object.entries(read.data.tools));
  const [issue] = read.error.issues;
  throw new Refusal("bad_config", `${file}: ${issue?.path.join(".") ?? ""}: ${issue?.message ?? "wrong"}.`);
}
