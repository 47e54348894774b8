/** The levels of log messages (RFC 5424 §6.2.1), the least severe first. */
const levels = ["debug", "info", "notice", "warning", "error", "critical", "alert", "emergency"] as const;

export function isLogLevel(value: unknown): value is string {
  return levels.some((level) => level === value);
}

/** Whether a message of `level` is of interest to who asked for `least` and above; what is no level is shown. */
export function isAtLeast(level: unknown, least: string): boolean {
  const at = levels.findIndex((each) => each === level);
  return at === -1 || at >= levels.findIndex((each) => each === least);
}
