/** What is known when rules are checked: servers, their tools, names of the config. What isn't known isn't judged. */
import type { TypeSpec } from "../../expr/type-spec.ts";

export interface KnownTool {
  /** Of its arguments, as its input schema has it; absent where there is no schema. */
  readonly args?: TypeSpec;
  /** Of its `structuredContent`, the same. */
  readonly answer?: TypeSpec;
  /** An operator, or an approved manifest, says that it only reads. */
  readonly onlyReads: boolean;
}

export interface Known {
  readonly servers?: readonly string[];
  readonly virtualServers?: readonly string[];
  /** By server, those that are pinned; a server that isn't here has tools nobody knows. */
  readonly tools: ReadonlyMap<string, ReadonlyMap<string, KnownTool>>;
  /** Names of the configured groups, networks and issuers of access tokens. */
  readonly groups?: readonly string[];
  readonly networks?: readonly string[];
  /** Labels that something has, and the names of data classes. */
  readonly labels?: readonly string[];
  readonly issuers?: readonly string[];
  readonly trustDomain?: string;
  /** Everybody who may approve what is held, each with all names that rules can call them. */
  readonly approvers?: readonly (readonly string[])[];
}
