/** What a tool may do, as its publisher labels it (SEP-3140): closed lists, and what isn't known is the worst. */
import { listIn, objectIn, textIn } from "../fields.ts";

export interface Trust {
  readonly effect: (typeof effects)[number];
  readonly egress: (typeof egresses)[number];
  readonly dataSensitivity: (typeof sensitivities)[number];
  readonly reversible: boolean;
  readonly idempotent: boolean;
  readonly capabilities: Capabilities;
}

/** What a sandbox would have to allow. `any`: it isn't said, or not understood. */
interface Capabilities {
  /** Hosts with ports. */
  readonly network: Reach;
  readonly filesystem: { readonly read: Reach; readonly write: Reach };
  readonly subprocess: boolean;
  /** Names of environment variables. */
  readonly env: Reach;
}

type Reach = "any" | readonly string[];

/** Each from the most to the least restrictive. */
const effects = ["destructive", "writes-data", "read-only"] as const;
const egresses = ["external", "internal", "none"] as const;
const sensitivities = ["secret", "confidential", "internal", "public"] as const;

/** @param value a `trust` member; undefined gives undefined: there is no label at all */
export function readTrust(value: unknown): Trust | undefined {
  if (value === undefined) return undefined;
  const trust = objectIn(value) ?? {};
  const capabilities = objectIn(trust["capabilities"]) ?? {};
  const filesystem = objectIn(capabilities["filesystem"]) ?? {};
  return {
    effect: oneOf(effects, trust["effect"]),
    egress: oneOf(egresses, trust["egress"]),
    dataSensitivity: oneOf(sensitivities, trust["dataSensitivity"]),
    reversible: trust["reversible"] === true,
    idempotent: trust["idempotent"] === true,
    capabilities: {
      network: reach(capabilities["network"]),
      filesystem: { read: reach(filesystem["read"]), write: reach(filesystem["write"]) },
      subprocess: capabilities["subprocess"] !== false,
      env: reach(capabilities["env"]),
    },
  };
}

function oneOf<const T extends string>(values: readonly [T, ...T[]], value: unknown): T {
  return values.find((each) => each === value) ?? values[0];
}

const maxReach = 1000;
const maxReachLength = 1024;

function reach(value: unknown): Reach {
  return listIn(value, maxReach, (each) => textIn(each, maxReachLength)) ?? "any";
}
