/** The versions of MCP, which are dates, and how they compare. */

/** The published ones, oldest first. */
export const protocolVersions = [
  "2024-11-05",
  "2025-03-26",
  "2025-06-18",
  "2025-11-25",
  "2026-07-28",
] as const;
export type ProtocolVersion = (typeof protocolVersions)[number];

const firstModern: ProtocolVersion = "2026-07-28";

/** What a message without `MCP-Protocol-Version` is taken for (MCP 2025-06-18 transports, protocol version header). */
export const unstatedVersion: ProtocolVersion = "2025-03-26";

export function isKnownVersion(version: string): boolean {
  return protocolVersions.some((known) => known === version);
}

/** MCP 2026-07-28 and later, as a version's date says. */
export function isModernVersion(version: string | undefined): boolean {
  return version !== undefined && isDate(version) && version >= firstModern;
}

/**
 * Whether a version, known or not, is older than `minimum` as its date says. What is no date can't be shown
 * to be new enough, so it is below any minimum.
 */
export function isBelow(version: string, minimum: ProtocolVersion): boolean {
  return !isDate(version) || version < minimum;
}

/** The published versions that a minimum leaves, oldest first. */
export function versionsFrom(minimum: ProtocolVersion): readonly ProtocolVersion[] {
  return protocolVersions.filter((version) => version >= minimum);
}

function isDate(version: string): boolean {
  return /^\d{4}-\d\d-\d\d$/.test(version);
}
