// `npm start`: sets up what is missing, starts the demo's HTTP server and the gateway, and says how to use them.
// Plain JavaScript, because any Node from 20 on must be able to run it.
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";

import { ensureInstalled, node26, root } from "./setup.mjs";

await ensureInstalled();

const demoPort = "8441";
const main = `${root}/src/cli/main.ts`;
const demo = spawn(
  node26(),
  ["node_modules/@modelcontextprotocol/server-everything/dist/index.js", "streamableHttp"],
  {
    cwd: root,
    env: { ...process.env, PORT: demoPort },
    stdio: ["ignore", "ignore", "pipe"],
  },
);
const demoSaid = [];
let stopping = false;
await new Promise((resolve) => {
  createInterface({ input: demo.stderr }).on("line", (line) => {
    demoSaid.push(line);
    if (/listening on port/i.test(line)) resolve(undefined);
  });
  demo.once("exit", resolve);
});
if (demo.exitCode !== null) {
  console.error(
    `The demo's HTTP server didn't start on port ${demoPort}:\n${demoSaid.slice(0, 5).join("\n")}`,
  );
  process.exit(1);
}

const gateway = spawn(node26(), [main, "up", "--self-check"], {
  cwd: root,
  stdio: ["ignore", "pipe", "inherit"],
});
demo.once(
  "exit",
  () => stopping || console.error("The demo's HTTP server ended; everything-http won't answer."),
);
createInterface({ input: gateway.stdout }).on("line", (line) => {
  console.log(line);
  if (line.startsWith("Page")) showClientConfig();
});
for (const signal of ["SIGINT", "SIGTERM"]) {
  process.on(signal, () => {
    if (!stopping) gateway.kill("SIGTERM");
    stopping = true;
  });
}
gateway.once("exit", (code) => {
  stopping = true;
  demo.kill("SIGTERM");
  process.exitCode = code ?? 1;
});

function showClientConfig() {
  const made = spawn(node26(), [main, "client-config"], { cwd: root, stdio: ["ignore", "pipe", "inherit"] });
  const lines = [];
  createInterface({ input: made.stdout })
    .on("line", (line) => lines.push(line))
    .on("close", () => {
      if (lines.length === 0) return;
      console.log(
        `\nPaste this into your MCP client (Claude Desktop, Cursor, VS Code, …):\n\n${lines.join("\n")}\n`,
      );
      console.log("Ctrl-C stops the gateway.");
    });
}
