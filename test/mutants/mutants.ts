/** The nine ways in which the data path is broken: each is a place in a source, and the tests that must notice. */
export interface Mutant {
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
const replyTo = "src/host/net/reply-to.ts";
const headers = "src/host/net/headers.ts";
const exchange = "src/host/net/http-exchange.ts";
const verbs = '  if (method !== "POST") return;\n';
const write = "    write: (bytes) => writeTo(response, bytes),\n";
const asText = "Buffer.from(given).toString()";

export const mutants: readonly Mutant[] = [
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
    file: replyTo,
    from: write,
    to: rewriting(`${asText}.replaceAll(/^id:.*\\r?\\n/gm, "")`),
    killedBy: "event-streams",
    tests: "ids, retry, names and comments",
  },
  {
    name: "events are framed anew",
    file: replyTo,
    from: write,
    to: rewriting(
      `${asText}.split(/\\r?\\n/).filter((line) => line.startsWith("data")).join("\\n") + "\\n\\n"`,
    ),
    killedBy: "event-streams",
    tests: "with CRLF",
  },
  {
    name: "202 becomes 200",
    file: replyTo,
    from: "response.writeHead(status, head(status, headers, body.length));",
    to: "response.writeHead(status === 202 ? 200 : status, head(status, headers, body.length));",
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

function refusing(verb: string): string {
  return `  if (method === "${verb}") throw new Refusal("method_not_allowed", "mutated");\n${verbs}`;
}

function rewriting(expression: string): string {
  return `    write: (given) => writeTo(response, Buffer.from(${expression})),\n`;
}
