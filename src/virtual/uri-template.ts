/** Whether a URI may have come from a URI template (RFC 6570): its literal parts in order, anything between. */

/** Linear in both lengths, whatever they are. */
export function mayExpandTo(template: string, uri: string): boolean {
  const [first = "", ...rest] = template.split(/\{[^{}]*\}/);
  if (rest.length === 0) return template === uri;
  if (!uri.startsWith(first)) return false;
  const last = rest.pop() ?? "";
  let at = first.length;
  for (const literal of rest) {
    const found = uri.indexOf(literal, at);
    if (found === -1) return false;
    at = found + literal.length;
  }
  return uri.length - last.length >= at && uri.endsWith(last);
}
