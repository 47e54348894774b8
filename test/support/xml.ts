/** Whether a text is well-formed XML 1.0, as far as documents without a DTD go: enough for what we write ourselves. */

/** `<?…?>` and comments; opening and closing tags with their attributes; text up to the next tag. */
const tokens =
  /<!--(?:(?!--)[\s\S])*-->|<\?[\s\S]*?\?>|<(\/?)([A-Za-z_][\w.:-]*)((?:\s+[\w.:-]+\s*=\s*(?:"[^"<]*"|'[^'<]*'))*)\s*(\/?)>|([^<]+)/gy;
const reference = /&(?:amp|lt|gt|quot|apos|#\d+|#x[0-9a-fA-F]+);/g;

export interface Element {
  readonly name: string;
  readonly attributes: Readonly<Record<string, string>>;
  /** The text right inside, entities resolved. */
  text: string;
}

/** Its elements in order. @throws Error that says where it isn't well-formed */
export function parseXml(document: string): readonly Element[] {
  const elements: Element[] = [];
  const open: Element[] = [];
  let at = 0;
  let roots = 0;
  for (const match of document.matchAll(tokens)) {
    at = match.index + match[0].length;
    const [, closing, name = "", attributes = "", empty, text] = match;
    if (text !== undefined) {
      const parent = open.at(-1);
      if (parent !== undefined) parent.text += resolved(text);
      else if (text.trim() !== "") throw new Error(`text outside the root: ${text}`);
    } else if (closing === "/") {
      const opened = open.pop();
      if (opened?.name !== name) throw new Error(`</${name}> closes <${opened?.name ?? ""}> at ${at}`);
    } else if (name !== "") {
      if (open.length === 0 && ++roots > 1) throw new Error(`a second root <${name}>`);
      const element = { name, attributes: attributesOf(attributes), text: "" };
      elements.push(element);
      if (empty !== "/") open.push(element);
    }
  }
  if (at !== document.length) throw new Error(`not well-formed at ${at}: ${document.slice(at, at + 60)}`);
  if (open.length > 0) throw new Error(`<${open.at(-1)?.name ?? ""}> is never closed`);
  if (roots !== 1) throw new Error("no root");
  return elements;
}

function attributesOf(text: string): Readonly<Record<string, string>> {
  const pairs = [...text.matchAll(/([\w.:-]+)\s*=\s*(?:"([^"]*)"|'([^']*)')/g)].map(
    ([, name = "", double, single]) => [name, resolved(double ?? single ?? "")] as const,
  );
  if (new Set(pairs.map(([name]) => name)).size < pairs.length) throw new Error(`an attribute twice:${text}`);
  return Object.fromEntries(pairs);
}

function resolved(text: string): string {
  if (text.replace(reference, "").includes("&")) throw new Error(`a bare & in ${text.trim()}`);
  return text
    .replaceAll("&lt;", "<")
    .replaceAll("&gt;", ">")
    .replaceAll("&quot;", '"')
    .replaceAll("&amp;", "&");
}
