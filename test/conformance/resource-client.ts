/**
 * What the client suites start where the gateway is the protected resource: it hands the scenario to the harness, which
 * runs the client behind a gateway of its own (resource-way.ts), and ends as that client ended.
 */
interface Ended {
  readonly code: number;
  readonly stderr: string;
}

const [harness = "", url = ""] = process.argv.slice(2);
const variables = Object.entries(process.env).filter(([name]) => name.startsWith("MCP_CONFORMANCE_"));
const response = await fetch(harness, {
  method: "POST",
  body: JSON.stringify({ url, environment: Object.fromEntries(variables) }),
});
const { code, stderr } = (await response.json()) as Ended;
process.stderr.write(stderr);
process.exitCode = code;
