/**
 * A resource's address as the log may have it: user info, query and fragment often hold secrets, so they are cut, and
 * `…` stands where they were. By its text: what isn't a URI goes the same way.
 */

/** `host`, `host:port`, `[address]:port`. */
const hostPattern = /^(?:\[[^\]@]*\]|[^:@]*)(?::\d*)?$/;
const beginning = /^[^/\\@]*[/\\]{2,}|^[a-z][a-z0-9+.-]*:/i;

export function recordedUri(uri: string): string {
  const end = uri.search(/[?#]/);
  return end === -1 ? withoutUser(uri) : `${withoutUser(uri.slice(0, end))}${uri.charAt(end)}…`;
}

function withoutUser(address: string): string {
  const [prefix = ""] = beginning.exec(address) ?? [];
  const rest = address.slice(prefix.length);
  const [authority = ""] = /^[^/\\]*/.exec(rest) ?? [];
  const at = authority.lastIndexOf("@");
  const hasHost = /[/\\]$/.test(prefix);
  if (hasHost && !hostPattern.test(authority.slice(at + 1))) {
    // No host stands there, so a password with a slash in it may: all before the last `@` can be a part of it.
    const last = rest.lastIndexOf("@");
    return last === -1 ? `${prefix}…${rest.slice(authority.length)}` : `${prefix}…@${rest.slice(last + 1)}`;
  }
  return at > 0 ? `${prefix}…@${rest.slice(at + 1)}` : address;
}
