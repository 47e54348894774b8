/** A home with six clients' configurations, as their makers' documentation has them, with secrets that no scan may tell. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";

import { atEnd, type Cleanup } from "./cleanup.ts";

export interface PreparedHome {
  readonly folder: string;
  readonly files: Readonly<
    Record<"claudeDesktop" | "claudeCode" | "cursor" | "vsCode" | "codex" | "zed", string>
  >;
}

/** Made up, in the forms that secrets have. */
export const plantedSecrets = {
  github: `ghp_${"x7Qm2Rk9".repeat(4)}AbCd`,
  bearer: "Tk9wZ3JhbmRvbXRva2VuMTIzNDU2Nzg5MA",
  password: "correct-horse-battery-9",
} as const;

/** @param url where each server is, by its name in the posture table */
export function preparedHome(
  t: Cleanup,
  url: (server: string) => string,
  command: readonly string[],
): PreparedHome {
  const folder = mkdtempSync(path.join(tmpdir(), "latticegate-home-"));
  atEnd(t, () => rmSync(folder, { recursive: true, force: true }));
  const write = (name: string, text: string): string => {
    const file = path.join(folder, name);
    mkdirSync(path.dirname(file), { recursive: true });
    writeFileSync(file, text, { mode: 0o600 });
    return file;
  };
  const [program = "", ...args] = command;
  return {
    folder,
    files: {
      claudeDesktop: write(
        ".config/Claude/claude_desktop_config.json",
        `${JSON.stringify(
          {
            mcpServers: {
              everything: { command: program, args, env: { GITHUB_TOKEN: plantedSecrets.github } },
            },
          },
          null,
          2,
        )}\n`,
      ),
      claudeCode: write(
        ".claude.json",
        `${JSON.stringify({
          numStartups: 3,
          mcpServers: { plain: { type: "http", url: url("plain") } },
          projects: {
            [path.join(folder, "work")]: { mcpServers: { old: { type: "http", url: url("tls12-rsa1024") } } },
          },
        })}\n`,
      ),
      cursor: write(
        ".cursor/mcp.json",
        `{
  // Ours
  "mcpServers": {
    "hybrid": {
      "url": "${url("hybrid")}",
      "headers": { "Authorization": "Bearer ${plantedSecrets.bearer}" }, // rotate!
    },
  },
}
`,
      ),
      vsCode: write(
        ".config/Code/User/mcp.json",
        `{\r
\t"inputs": [{ "id": "key", "type": "promptString", "password": true }],\r
\t"servers": {\r
\t\t"downgradable": { "type": "http", "url": "${url("downgradable")}", "headers": { "X-Key": "\${input:key}" } }\r
\t}\r
}`,
      ),
      codex: write(
        ".codex/config.toml",
        `# Codex
model = "o5"

[mcp_servers.classical]
url = "${url("x25519")}"   # not yet hybrid

[mcp_servers.rsa]
url = "${url("tls12-rsa2048")}"
http_headers = { "X-Password" = "${plantedSecrets.password}" }
`,
      ),
      zed: write(
        ".config/zed/settings.json",
        `{
  "theme": "One Dark",
  "context_servers": {
    "ml-dsa": { "url": "${url("ml-dsa")}" },
  },
}
`,
      ),
    },
  };
}
