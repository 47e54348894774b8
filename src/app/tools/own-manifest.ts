/** An exposed server's signed manifest: what `tools sign` wrote is its answer to `declarations/manifest` (SEP-3140). */
import type { Answer } from "../../gate/call.ts";
import type { Upstreams } from "../../gate/ports.ts";
import { readIfThere } from "../../host/store/files.ts";
import { utf8 } from "../../kernel/bytes.ts";
import type { RequestFrame } from "../../wire/frame.ts";
import { manifestMethod } from "./ask-manifest.ts";

/** How long clients may keep it; a newer one is asked for when tools change. */
const ttlMs = 60_000;

/** Where there is no such file, the server is asked itself, as for every other method. */
export function withManifest<T extends Upstreams>(upstreams: T, file: string): T {
  return {
    ...upstreams,
    forward: async (call) => {
      const { frame } = call;
      if (frame?.kind !== "request" || frame.method !== manifestMethod) return await upstreams.forward(call);
      const document = await readIfThere(file);
      return document === undefined ? await upstreams.forward(call) : answerWith(document, frame);
    },
  };
}

function answerWith(document: string, { id, era }: RequestFrame): Answer {
  const manifest = JSON.parse(document) as object;
  const result =
    era === "modern" ? { resultType: "complete", ttlMs, cacheScope: "public", ...manifest } : manifest;
  const body = utf8(JSON.stringify({ jsonrpc: "2.0", id, result }));
  return { kind: "whole", status: 200, headers: ["content-type", "application/json"], body };
}
