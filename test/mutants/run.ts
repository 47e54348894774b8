/**
 * `npm run mutants`: breaks the data path in the nine ways that conformance suites don't notice, one at a time in
 * a copy of the sources, and shows that the tests of the class it belongs to turn red. A mutant that survives fails
 * the run.
 */
import { spawnSync } from "node:child_process";
import { cp, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";

interface Mutant {
  readonly name: string;
  readonly file: string;
  /** Stands in the file exactly once. */
  readonly from: string;
  readonly to: string;
  /** The file of test/faithful/ that must turn red. */
  readonly killedBy: string;
  /** Narrows it to the tests of that name. */
  readonly tests: string;
}

const mcpHttp = "src/host/net/mcp-http.ts";
const headers = "src/host/net/headers.ts";
const exchange = "src/host/net/http-exchange.ts";
const verbs = '  if (method !== "POST") return;\n';
const write = "    write: (bytes) => writeTo(response, bytes),\n";
const asText = "Buffer.from(given).toString()";

const mutants: readonly Mutant[] = [
  {
    name: "GET is answered with 405",
    file: mcpHttp,
    from: verbs,
    to: refusing("GET"),
    killedBy: "stream-verbs",
    tests: "a stream that is offered is opened",
  },
  {
    name: "DELETE is answered with 405",
    file: mcpHttp,
    from: verbs,
    to: refusing("DELETE"),
    killedBy: "stream-verbs",
    tests: "the end of a session is passed on",
  },
  {
    name: "Last-Event-ID is lost",
    file: headers,
    from: '  "last-event-id",\n',
    to: "",
    killedBy: "stream-verbs",
    tests: "Last-Event-ID reaches the server",
  },
  {
    name: "event ids are dropped",
    file: mcpHttp,
    from: write,
    to: rewriting(`${asText}.replaceAll(/^id:.*\\r?\\n/gm, "")`),
    killedBy: "event-streams",
    tests: "ids, retry, names and comments",
  },
  {
    name: "events are framed anew",
    file: mcpHttp,
    from: write,
    to: rewriting(
      `${asText}.split(/\\r?\\n/).filter((line) => line.startsWith("data")).join("\\n") + "\\n\\n"`,
    ),
    killedBy: "event-streams",
    tests: "with CRLF",
  },
  {
    name: "202 becomes 200",
    file: mcpHttp,
    from: "response.writeHead(status, withLength(status, ours(headers), body.length));",
    to: "response.writeHead(status === 202 ? 200 : status, withLength(status, ours(headers), body.length));",
    killedBy: "server-initiated",
    tests: "roots/list reaches the client in a call",
  },
  {
    name: "a client that goes away cancels nothing",
    file: exchange,
    from: "onAbort(gone, () =>",
    to: "onAbort(new AbortController().signal, () =>",
    killedBy: "cancellation",
    tests: "of the modern era goes away",
  },
  {
    name: "structuredContent is dropped",
    file: exchange,
    from: "body: single(this.#collected) });",
    to: 'body: Buffer.from(Buffer.from(single(this.#collected)).toString().replace(/"structuredContent":\\{[^}]*\\},?/, "")) });',
    killedBy: "unknown-members",
    tests: "structured content",
  },
  {
    name: "Mcp-Param headers are dropped",
    file: headers,
    from: " || name.startsWith(parameterPrefix)",
    to: "",
    killedBy: "header-hygiene",
    tests: "exactly those on the list",
  },
];

const root = fileURLToPath(new URL("../..", import.meta.url));

function refusing(verb: string): string {
  return `  if (method === "${verb}") throw new Refusal("method_not_allowed", "mutated");\n${verbs}`;
}

function rewriting(expression: string): string {
  return `    write: (given) => writeTo(response, Buffer.from(${expression})),\n`;
}

/** The sources and tests, where they may be broken; dependencies are the ones that are installed. */
async function copyOfSources(): Promise<string> {
  const folder = await mkdtemp(path.join(tmpdir(), "latticegate-mutants-"));
  for (const name of ["src", "test", "package.json"])
    await cp(path.join(root, name), path.join(folder, name), { recursive: true });
  await symlink(path.join(root, "node_modules"), path.join(folder, "node_modules"));
  return folder;
}

/** Whether its tests are green, or red as they should be. @throws if they are neither: nothing of that name ran */
function isGreen(folder: string, { name, killedBy, tests }: Mutant): boolean {
  const flags = [
    "--test-reporter=tap",
    "--test-force-exit",
    "--test-timeout=20000",
    "--test-name-pattern",
    tests,
  ];
  const args = ["--test", ...flags, `test/faithful/${killedBy}.test.ts`];
  const { stdout } = spawnSync(process.execPath, args, { cwd: folder, encoding: "utf8", timeout: 120_000 });
  const results = stdout.split("\n").filter((line) => /^(not )?ok /.test(line) && line.includes(tests));
  if (results.length === 0)
    throw new Error(`${name}: nothing of ${killedBy} named "${tests}" came to an end`);
  return results.every((line) => line.startsWith("ok "));
}

const folder = await copyOfSources();
let survivors = 0;
try {
  for (const mutant of mutants) {
    if (!isGreen(folder, mutant)) throw new Error(`${mutant.name}: its tests are red without it`);
  }
  for (const mutant of mutants) {
    const { name, file, from, to } = mutant;
    const target = path.join(folder, file);
    const original = await readFile(target, "utf8");
    if (original.split(from).length !== 2)
      throw new Error(`${name}: what it changes must stand once in ${file}`);
    await writeFile(
      target,
      original.replace(from, () => to),
    );
    const survived = isGreen(folder, mutant);
    await writeFile(target, original);
    if (survived) survivors += 1;
    console.log(`${survived ? "SURVIVED" : "killed  "}  ${name}`);
  }
} finally {
  await rm(folder, { recursive: true, force: true });
}
console.log(
  survivors === 0
    ? `All ${mutants.length} mutants are killed.`
    : `${survivors} of ${mutants.length} survive.`,
);
process.exitCode = survivors === 0 ? 0 : 1;
