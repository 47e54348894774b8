/**
 * What a look around sees, before anything is concluded: servers, clients, callers, and what couldn't be looked at. A
 * search yields sightings as it makes them; several of one server come from several places, and are merged by their place.
 */
import type { ClientSighting } from "./clients/client-sighting.ts";
import type { Posture } from "./posture/posture.ts";

export type Sighting =
  | { readonly kind: "server"; readonly server: ServerSighting }
  | { readonly kind: "endpoint"; readonly endpoint: EndpointSighting }
  | { readonly kind: "client"; readonly client: ClientSighting }
  | { readonly kind: "caller"; readonly caller: CallerSighting }
  | { readonly kind: "problem"; readonly problem: Problem };

/** Where a server is. Two sightings with the same place are of the same server. */
export type Place =
  | {
      readonly kind: "http";
      /** Scheme, host, port and path, in lower case but for the path; no user, query or fragment. */
      readonly url: string;
    }
  | {
      readonly kind: "stdio";
      /** Program and arguments, with what looks like a secret replaced by `<secret>`. */
      readonly command: readonly string[];
      /** Names of the environment variables it is given; never their values. */
      readonly environment: readonly string[];
    };

/** What showed that it is there. */
export type Evidence =
  | { readonly by: "client"; readonly client: string; readonly file: string; readonly name: string }
  | {
      readonly by: "process";
      readonly pid: number;
      readonly program: string;
      readonly user?: string;
      /** The client that started it, by its title; `latticegate` if it is wrapped already. */
      readonly startedBy?: string;
    }
  | {
      readonly by: "listener";
      readonly host: string;
      readonly port: number;
      readonly pid?: number;
      /** Program and arguments of whoever listens, with `<secret>` for what looks like one. */
      readonly program?: string;
    }
  | { readonly by: "network" }
  | { readonly by: "card"; readonly url: string }
  | { readonly by: "traffic"; readonly gateway: string; readonly calls: number; readonly lastUnixMs: number }
  /** It stands in a gateway's config. */
  | { readonly by: "registration"; readonly gateway: string; readonly name: string };

/** How MCP is spoken there. */
type Spoken = "stdio" | "streamable-http" | "http+sse";

export type Authentication =
  /** It answered a stranger. */
  | { readonly kind: "none" }
  /** RFC 9728 metadata, or `WWW-Authenticate` that names it. */
  | { readonly kind: "oauth"; readonly issuers: readonly string[] }
  | { readonly kind: "bearer" | "basic" | "client-certificate" }
  /** Whoever may start the command. */
  | { readonly kind: "local-user" }
  | { readonly kind: "unknown" };

export interface ServerSighting {
  readonly place: Place;
  readonly evidence: Evidence;
  readonly spoken?: Spoken;
  /** As it calls itself; what it wrote, unread by anybody. */
  readonly name?: string;
  readonly version?: string;
  /** Versions of MCP it answered to. */
  readonly protocolVersions?: readonly string[];
  readonly authentication?: Authentication;
  /** Absent if it wasn't asked, or said nothing to strangers. */
  readonly tools?: readonly SeenTool[];
  /** More tools than are kept, a list that never ended. */
  readonly isCut?: true;
  readonly posture?: Posture;
}

/** A listener that doesn't speak MCP to us, seen where somebody asked what is there: TLS, or something else. */
export interface EndpointSighting {
  readonly host: string;
  readonly port: number;
  readonly answers: "tls" | "http" | "other" | "silent";
  /** It is a gateway or a sidecar of this product, and no shadow. */
  readonly isLatticegate?: true;
  readonly evidence: Evidence;
  readonly posture?: Posture;
}

/** A tool's declaration, as the server wrote it; bounded in size. */
export interface SeenTool {
  readonly name: string;
  readonly title?: string;
  readonly description?: string;
  readonly inputSchema?: unknown;
  readonly outputSchema?: unknown;
  readonly annotations?: unknown;
}

/** Who called through a gateway. */
export interface CallerSighting {
  /** SPIFFE ID, or the name that the audit log has for it. */
  readonly id: string;
  readonly gateway: string;
  /** Places of the servers it called, as `placeKey` writes them. */
  readonly servers: readonly string[];
  readonly firstUnixMs: number;
  readonly lastUnixMs: number;
  readonly calls: number;
}

/** What couldn't be looked at, or only in part. */
export interface Problem {
  /** A file, a URL, a process; no secret. */
  readonly at: string;
  readonly because: string;
}

/** One line that two sightings of the same server share; the names of this machine for itself are one name. */
export function placeKey(place: Place): string {
  if (place.kind === "stdio") return `stdio:${place.command.join(" ")}`;
  return place.url.replace(/^(https?:\/\/)(?:127\.0\.0\.1|\[::1\])(?=[:/])/, "$1localhost");
}
