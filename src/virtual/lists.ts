/**
 * What servers list, item by item in the bytes they came in, and the one list that is made of several. Only a
 * name that had to change is written anew.
 */
import { concat, utf8 } from "../kernel/bytes.ts";
import { type Place, scanElements, scanJson, type Shape, spliced, textAt } from "../wire/json-scan.ts";
import { type Names } from "./names.ts";

/** The lists of MCP, by method. */
export const lists = {
  "tools/list": { member: "tools", key: "name", changed: "notifications/tools/list_changed" },
  "prompts/list": { member: "prompts", key: "name", changed: "notifications/prompts/list_changed" },
  "resources/list": { member: "resources", key: "uri", changed: "notifications/resources/list_changed" },
  "resources/templates/list": {
    member: "resourceTemplates",
    key: "uriTemplate",
    changed: "notifications/resources/list_changed",
  },
} as const;

export type ListMethod = keyof typeof lists;

export interface Item {
  readonly key: string;
  readonly bytes: Uint8Array;
  /** Of a tool: the page it is shown with (MCP Apps, `ui://`). */
  readonly page?: string;
}

export interface ListPage {
  readonly items: readonly Item[];
  readonly nextCursor?: string;
}

export function isListMethod(method: string): method is ListMethod {
  return Object.hasOwn(lists, method);
}

/** `resourceUri` is where MCP Apps has it; the flat key is the one it had before. */
const itemShape = {
  name: true,
  uri: true,
  uriTemplate: true,
  _meta: { ui: { resourceUri: true }, "ui/resourceUri": true },
} as const satisfies Shape;

/** @throws Refusal `bad_json` if `answer` is no strict JSON: what two readers read in two ways can't be joined */
export function readListPage(method: ListMethod, answer: Uint8Array): ListPage {
  const { member, key } = lists[method];
  const result = scanJson(answer, { result: { [member]: true, nextCursor: true } }).members?.get("result");
  const place = result?.members?.get(member);
  const cursor = stringAt(answer, result?.members?.get("nextCursor"));
  const places = place === undefined ? [] : scanElements(answer, place, itemShape);
  return {
    items: places.flatMap((each) => {
      const name = stringAt(answer, each.members?.get(key));
      if (name === undefined) return []; // Nothing a client could ask for.
      const page = stringAt(answer, pagePlaces(each)[0]);
      const item = { key: name, bytes: answer.subarray(each.start, each.end) };
      return [page === undefined ? item : { ...item, page }];
    }),
    ...(cursor !== undefined && { nextCursor: cursor }),
  };
}

/** The item as clients see it. */
export function shownItem(
  method: ListMethod,
  item: Item,
  offered: { readonly member: string; readonly names: Names; readonly uris: Names },
): Uint8Array {
  const { member, names, uris } = offered;
  const renamed = names.shown({ member, key: item.key });
  const bytes = renamed === item.key ? item.bytes : withMember(item.bytes, lists[method].key, renamed);
  const page = item.page === undefined ? undefined : uris.shown({ member, key: item.page });
  return page === undefined || page === item.page ? bytes : withPage(bytes, page);
}

/** The answer to a list request: one page with everything. */
export function writeList(
  method: ListMethod,
  items: readonly Uint8Array[],
  answer: { readonly id: string | number; readonly more: Readonly<Record<string, unknown>> },
): Uint8Array {
  const rest = JSON.stringify(answer.more).slice(1);
  const head = `{"jsonrpc":"2.0","id":${JSON.stringify(answer.id)},"result":{"${lists[method].member}":[`;
  const parts = items.flatMap((item, i) => (i === 0 ? [item] : [comma, item]));
  return concat([utf8(head), ...parts, utf8(rest === "}" ? "]}}" : `],${rest}}`)]);
}

/** The bytes with a member of the object replaced, e.g. a tool's name. */
function withMember(bytes: Uint8Array, name: string, text: string): Uint8Array {
  const place = scanJson(bytes, { [name]: true }).members?.get(name);
  return place === undefined ? bytes : spliced(bytes, place, utf8(JSON.stringify(text)));
}

function withPage(bytes: Uint8Array, page: string): Uint8Array {
  // From the end, so that the places before stay right.
  const places = pagePlaces(scanJson(bytes, itemShape)).toSorted((a, b) => b.start - a.start);
  return places.reduce((text, place) => spliced(text, place, utf8(JSON.stringify(page))), bytes);
}

function pagePlaces(item: Place): readonly Place[] {
  const meta = item.members?.get("_meta")?.members;
  const places = [meta?.get("ui")?.members?.get("resourceUri"), meta?.get("ui/resourceUri")];
  return places.filter((place) => place !== undefined);
}

function stringAt(bytes: Uint8Array, place: Place | undefined): string | undefined {
  return place === undefined || bytes[place.start] !== 0x22 ? undefined : textAt(bytes, place);
}

const comma = utf8(",");
