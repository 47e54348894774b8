/** Origins that clients of a forward server may name by themselves: `http://host:port`, host `*.suffix`, port `*`. */

interface OriginPattern {
  /** As `URL` writes it; a suffix with its dot if `isSuffix`. */
  readonly host: string;
  readonly isSuffix: boolean;
  /** "" is the scheme's own port, as `URL` writes it; undefined any. */
  readonly port: string | undefined;
}

export function isOriginPattern(text: string): boolean {
  return parsePattern(text) !== undefined;
}

/** @param patterns each one an origin pattern; what is none matches nothing */
export function originMatcher(patterns: readonly string[]): (origin: string) => boolean {
  const parsed = patterns.flatMap((text) => parsePattern(text) ?? []);
  return (origin) => {
    const url = URL.parse(origin);
    return url?.protocol === "http:" && parsed.some((pattern) => matches(pattern, url));
  };
}

function matches({ host, isSuffix, port }: OriginPattern, url: URL): boolean {
  const isHost = isSuffix
    ? url.hostname.endsWith(host) && url.hostname.length > host.length
    : url.hostname === host;
  return isHost && (port === undefined || url.port === port);
}

/** A host must stand as `URL` would write it: a pattern that is spelled otherwise would match nothing, or something else. */
function parsePattern(text: string): OriginPattern | undefined {
  const [, star, host, port] =
    /^http:\/\/(\*\.)?([^/?#@*:\\]+|\[[^\]]+\])(?::(\*|\d{1,5}))?$/.exec(text) ?? [];
  if (host === undefined) return undefined;
  const url = URL.parse(`http://${host}${port === undefined || port === "*" ? "" : `:${port}`}`);
  if (url === null || url.hostname !== host) return undefined;
  const isAddress = /^\[|(^|\.)\d+$/.test(host);
  if (star !== undefined && isAddress) return undefined;
  return {
    host: star === undefined ? host : `.${host}`,
    isSuffix: star !== undefined,
    port: port === "*" ? undefined : url.port,
  };
}
