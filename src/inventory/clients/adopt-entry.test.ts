/** What `adopt` does to a text, by documents of all layouts: only its entries change, and they come back byte for byte. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";

import * as fc from "fast-check";

import { adoptedEntry, entryRange, withRange } from "./adopt-entry.ts";
import { type ClientKind, clientKinds } from "./client-kinds.ts";
import { configDocument } from "./config-document.ts";
import { readClientConfig } from "./read-client-config.ts";

const started = {
  command: "/usr/bin/node",
  args: ["/opt/lg/dist/cli/main.js", "connect", "s", "--state", "/st ate"],
};

function kindOf(id: ClientKind["id"]): ClientKind {
  const kind = clientKinds.find((one) => one.id === id);
  assert.ok(kind);
  return kind;
}

/** Adopts every entry of a text. @returns it, and the entries' texts before, in the order they were adopted */
function adoptAll(
  text: string,
  kind: ClientKind,
): { readonly text: string; readonly originals: readonly (readonly [readonly string[], string])[] } {
  const { entries, faults } = readClientConfig(text, kind);
  assert.deepEqual(faults, []);
  const originals: (readonly [readonly string[], string])[] = [];
  let adopted = text;
  for (const { path, reaches } of entries) {
    if (reaches.kind === "connect") continue;
    const range = entryRange(adopted, kind, path);
    const entry = adoptedEntry(adopted, kind, path, started);
    assert.ok(range && entry !== undefined, `${path.join(".")} of ${text}`);
    originals.push([path, adopted.slice(range.start, range.end)]);
    adopted = withRange(adopted, range, entry);
  }
  return { text: adopted, originals };
}

function giveBack(kind: ClientKind, { text, originals }: ReturnType<typeof adoptAll>): string {
  let back = text;
  for (const [path, original] of originals) {
    const range = entryRange(back, kind, path);
    assert.ok(range);
    back = withRange(back, range, original);
  }
  return back;
}

function checkRoundTrip(text: string, kind: ClientKind): void {
  const adopted = adoptAll(text, kind);
  const { entries, faults } = readClientConfig(adopted.text, kind);
  assert.deepEqual(faults, [], adopted.text);
  for (const { reaches } of entries)
    assert.deepEqual(reaches, { kind: "connect", server: "s" }, adopted.text);
  assert.equal(adoptAll(adopted.text, kind).text, adopted.text, "a second time changes nothing");
  assert.equal(giveBack(kind, adopted), text);
}

const words = fc.constantFrom("a", "b b", "é", 'q"q', "#c", "//d", "x,y", "\\", "");
const extras = fc.constantFrom("alwaysAllow", "timeout", "trust", "note");
/** How a generated document is written. */
const layout = fc.record({
  eol: fc.constantFrom("\n", "\r\n"),
  indent: fc.constantFrom("  ", "\t", "    ", ""),
  isOnOneLine: fc.boolean(),
  comment: fc.boolean(),
  trailingComma: fc.boolean(),
  mark: fc.boolean(),
  lastLine: fc.boolean(),
});
type Layout = typeof layout extends fc.Arbitrary<infer T> ? T : never;

const pairs = fc.uniqueArray(
  fc.tuple(fc.oneof(extras, fc.constantFrom("args", "env", "cwd", "type")), words),
  {
    selector: ([key]) => key,
    maxLength: 7,
  },
);
const entries = fc.uniqueArray(
  fc.tuple(fc.constantFrom("one", "Two 2", "d.o.t", "ü"), pairs, fc.boolean(), fc.nat(7)),
  {
    selector: ([name]) => name,
    maxLength: 4,
  },
);

function valueOf(key: string, word: string): unknown {
  if (key === "args") return ["-y", word];
  if (key === "env") return { TOKEN: word, B: "2" };
  return key === "type" ? "stdio" : word;
}

function json(named: readonly (readonly [string, string])[], style: Layout, depth: number): string {
  const { eol, indent, isOnOneLine, comment, trailingComma } = style;
  if (named.length === 0) return "{}";
  const [line, last] = isOnOneLine
    ? [" ", " "]
    : [eol + indent.repeat(depth + 1), eol + indent.repeat(depth)];
  const members = named.map(([key, value], at) => {
    const comma = at < named.length - 1 || trailingComma ? "," : "";
    const isCommented = comment && at % 2 === 0;
    const note = isOnOneLine ? " /* , */" : " // a, b";
    return `${JSON.stringify(key)}: ${value}${comment && at === 1 ? " /* x */" : ""}${comma}${isCommented ? note : ""}`;
  });
  return `{${line}${members.join(line)}${last}}`;
}

describe("an entry adopted and given back", () => {
  for (const id of ["cursor", "vs-code", "zed"] as const) {
    test(`is what it was, byte for byte, whatever the ${id} document looks like`, () => {
      const kind = kindOf(id);
      fc.assert(
        fc.property(entries, layout, (servers, style) => {
          const table = servers.map(([name, more, isRemote, at]): readonly [string, string] => {
            const reach = [
              isRemote ? "url" : "command",
              JSON.stringify(isRemote ? "http://127.0.0.1/mcp" : "npx"),
            ] as const;
            const rest = more
              .filter(([key]) => !isRemote || key !== "type")
              .map(([key, word]): readonly [string, string] => [key, JSON.stringify(valueOf(key, word))]);
            return [name, json(rest.toSpliced(Math.min(at, rest.length), 0, reach), style, 2)] as const;
          });
          const [top = "servers"] = kind.tables[0] ?? [];
          const body = json(
            [
              ["first", "1"],
              [top, json(table, style, 1)],
              ["last", "[1, 2]"],
            ],
            style,
            0,
          );
          checkRoundTrip(`${style.mark ? "\uFEFF" : ""}${body}${style.lastLine ? style.eol : ""}`, kind);
        }),
        { numRuns: 400 },
      );
    });
  }

  test("is what it was, byte for byte, whatever the TOML document looks like", () => {
    const kind = kindOf("codex");
    fc.assert(
      fc.property(entries, layout, (servers, style) => {
        const { eol, comment, indent } = style;
        const tables = servers.map(([name, more, isRemote, at]) => {
          const key = `mcp_servers.${JSON.stringify(name)}`;
          const reach = isRemote ? 'url = "http://127.0.0.1/mcp"' : 'command = "npx"';
          const rest = more
            .filter(([one]) => one !== "env" && one !== "type")
            .map(
              ([one, word]) => `${one} = ${JSON.stringify(valueOf(one, word))}${comment ? " # a = 1" : ""}`,
            );
          const lines = rest.toSpliced(Math.min(at, rest.length), 0, reach).map((one) => indent + one);
          const env = more.some(([one]) => one === "env") ? ["", `[${key}.env]`, 'TOKEN = "x"', "# end"] : [];
          const tools = style.trailingComma ? ["", `[${key}.tools.t]`, "approve = true"] : [];
          return [comment ? "# about it" : "", `[${key}]`, ...lines, ...env, ...tools].join(eol);
        });
        const body = ['model = "m" # which', ...tables, "[last]", "x = 1"].join(eol);
        checkRoundTrip(`${style.mark ? "\uFEFF" : ""}${body}${style.lastLine ? eol : ""}`, kind);
      }),
      { numRuns: 400 },
    );
  });

  test("keeps what else stands in it: comments, other keys, their order", () => {
    const text = `{
  // my servers
  "servers": {
    "git": {
      "type": "http", // over the network
      "url": "https://x.test/mcp",
      "headers": { "Authorization": "Bearer x" }, // secret
      "gallery": true
    }
  }
}`;
    assert.equal(
      adoptAll(text, kindOf("vs-code")).text,
      `{
  // my servers
  "servers": {
    "git": {
      "type": "stdio", // over the network
      "command": "/usr/bin/node",
      "args": ["/opt/lg/dist/cli/main.js", "connect", "s", "--state", "/st ate"],
      // secret
      "gallery": true
    }
  }
}`,
    );
  });

  test("in an inline table of TOML", () => {
    const kind = kindOf("codex");
    checkRoundTrip('[mcp_servers]\na = { command = "x", args = ["y"], enabled = true } # b\n', kind);
  });

  test("that isn't in one piece isn't rewritten", () => {
    const apart = '[mcp_servers.a]\ncommand = "x"\n[other]\n[mcp_servers.a.env]\nT = "1"\n';
    assert.equal(adoptedEntry(apart, kindOf("codex"), ["mcp_servers", "a"], started), undefined);
    const dotted = '[mcp_servers]\na.command = "x"\n';
    assert.equal(adoptedEntry(dotted, kindOf("codex"), ["mcp_servers", "a"], started), undefined);
    assert.equal(configDocument(apart, "toml").faults.length, 0);
  });
});
