/** A program that speaks MCP as a client, and what its configuration makes it reach. */
import type { ClientId } from "./client-kinds.ts";

export interface ClientSighting {
  readonly client: ClientId;
  readonly file: string;
  /** Whose file it is, where several users were looked at. */
  readonly user?: string;
  readonly entries: readonly ClientEntry[];
  readonly secrets: readonly SeenSecret[];
  /** Others than its owner whom the file's mode lets read it; told of files that hold secrets. */
  readonly readableBy?: "group" | "everybody";
}

/** One server, as a client's configuration names it. */
export interface ClientEntry {
  /** What the client calls it. */
  readonly name: string;
  /** Keys from the document's top to the entry. */
  readonly path: readonly string[];
  /** The project an entry of a user's file is for. */
  readonly project?: string;
  readonly isDisabled: boolean;
  readonly reaches: Reached;
}

export type Reached =
  | {
      readonly kind: "stdio";
      /** As the file has it; in a sighting, with `<secret>` for what looks like one. */
      readonly command: readonly string[];
      readonly environment: readonly string[];
    }
  | {
      readonly kind: "http";
      readonly transport: "streamable-http" | "http+sse" | "either";
      /** As the file has it; in a sighting, with `<secret>` for what looks like one. */
      readonly url: string;
      /** Names of the headers it sends. */
      readonly headers: readonly string[];
    }
  /** It runs behind Latticegate: what `connect` reaches there. */
  | { readonly kind: "connect"; readonly server: string }
  | { readonly kind: "unreadable"; readonly because: string };

/** A secret that stands in a configuration in the clear. */
export interface SeenSecret {
  /** Keys to the value, joined with dots; the place, never the value. */
  readonly at: string;
  /** What it looks like: `GitHub token`, `a value of AUTHORIZATION`. */
  readonly what: string;
}
