/** Bodies that are forms: `application/x-www-form-urlencoded` and `multipart/form-data` (RFC 7578). */
import { concat, utf8 } from "../kernel/bytes.ts";
import type { Body } from "./operations.ts";
import { fromBase64 } from "./call-values.ts";
import { styled } from "./styled.ts";
import { isObject, type JsonObject, member, textOf } from "./values.ts";

export function formBody(value: JsonObject, { encoding }: Body): string {
  return Object.entries(value)
    .flatMap(([name, each]) => {
      const own = member(encoding, name);
      const style = textOf(own, "style") ?? (isObject(each) ? "deepObject" : "form");
      const explode = member(own, "explode") ?? style === "form";
      if (each === null || each === undefined) return [];
      return styled({ name, in: "query", style, explode: explode === true, allowsReserved: false }, each);
    })
    .join("&")
    .replaceAll("%20", "+");
}

export function multipartBody(value: JsonObject, body: Body, boundary: string): Uint8Array {
  const parts = Object.entries(value).flatMap(([name, each]): readonly Uint8Array[] => {
    if (each === null || each === undefined) return [];
    const list: readonly unknown[] = Array.isArray(each) ? each : [each];
    return list.flatMap((item) => part(name, item, body, boundary));
  });
  return concat([...parts, utf8(`--${boundary}--\r\n`)]);
}

function part(
  name: string,
  value: unknown,
  { schema, encoding }: Body,
  boundary: string,
): readonly Uint8Array[] {
  const type = textOf(member(encoding, name), "contentType")?.split(",", 1)[0]?.trim();
  const isFile = typeof value === "string" && isBinary(member(member(schema, "properties"), name));
  const head = [
    `--${boundary}`,
    `content-disposition: form-data; name="${quoted(name)}"${isFile ? `; filename="${quoted(name)}"` : ""}`,
    ...(type !== undefined && /^[\w.+/-]{1,100}$/.test(type)
      ? [`content-type: ${type}`]
      : isFile
        ? ["content-type: application/octet-stream"]
        : typeof value === "object"
          ? ["content-type: application/json"]
          : []),
    "",
    "",
  ].join("\r\n");
  const content = isFile
    ? fromBase64(value, name)
    : utf8(typeof value === "string" ? value : JSON.stringify(value));
  return [utf8(head), content, utf8("\r\n")];
}

function isBinary(schema: unknown): boolean {
  const items = member(schema, "items");
  return [schema, items].some(
    (each) =>
      ["binary", "byte"].includes(textOf(each, "format") ?? "") ||
      textOf(each, "contentEncoding") === "base64" ||
      textOf(each, "type") === "file" ||
      textOf(each, "contentMediaType") === "application/octet-stream",
  );
}

/** WHATWG HTML §4.10.21.8: what would end the quotes or the line. */
function quoted(name: string): string {
  return name.replaceAll('"', "%22").replaceAll("\r", "%0D").replaceAll("\n", "%0A");
}
