/**
 * The clients whose configurations are read and rewritten: where the files stand on each platform, and how an entry of a
 * server looks in them. Each row says what the maker's documentation says.
 */

export type Platform = "linux" | "darwin" | "win32";

export type ClientId =
  | "claude-desktop"
  | "claude-code"
  | "cursor"
  | "vs-code"
  | "windsurf"
  | "zed"
  | "gemini-cli"
  | "codex"
  | "generic";

export interface ClientKind {
  readonly id: ClientId;
  /** As its maker writes it. */
  readonly title: string;
  /** `jsonc`: JSON with comments and trailing commas. */
  readonly format: "json" | "jsonc" | "toml";
  /**
   * Files of one user, or of the whole machine. `~` is the home folder, `$APPDATA` and the like are variables of the
   * environment; `*` stands for one folder of any name.
   */
  readonly files: Readonly<Record<Platform, readonly string[]>>;
  /** Files of one project, relative to its folder; `*` stands for the beginning of any name. */
  readonly projectFiles: readonly string[];
  /** Keys to the tables of servers; `*` stands for every key there (it is the project then). */
  readonly tables: readonly (readonly string[])[];
  /** How an entry that is reached over HTTP says so. */
  readonly remote: readonly RemoteKey[];
}

interface RemoteKey {
  /** The key its URL stands under. */
  readonly key: string;
  readonly transport: "streamable-http" | "http+sse" | "either";
}

const url = { key: "url", transport: "either" } as const;
const mcpServers = [["mcpServers"]] as const;

export const clientKinds: readonly ClientKind[] = [
  {
    id: "claude-desktop",
    title: "Claude Desktop",
    format: "json",
    files: {
      linux: ["~/.config/Claude/claude_desktop_config.json"],
      darwin: ["~/Library/Application Support/Claude/claude_desktop_config.json"],
      win32: ["$APPDATA/Claude/claude_desktop_config.json"],
    },
    projectFiles: [],
    tables: mcpServers,
    remote: [url],
  },
  {
    id: "claude-code",
    title: "Claude Code",
    format: "json",
    files: {
      linux: ["~/.claude.json", "/etc/claude-code/managed-mcp.json"],
      darwin: ["~/.claude.json", "/Library/Application Support/ClaudeCode/managed-mcp.json"],
      win32: ["~/.claude.json", "$PROGRAMFILES/ClaudeCode/managed-mcp.json"],
    },
    projectFiles: [".mcp.json"],
    tables: [["mcpServers"], ["projects", "*", "mcpServers"]],
    remote: [url],
  },
  {
    id: "cursor",
    title: "Cursor",
    format: "jsonc",
    files: everywhere("~/.cursor/mcp.json"),
    projectFiles: [".cursor/mcp.json"],
    tables: mcpServers,
    remote: [url],
  },
  {
    id: "vs-code",
    title: "VS Code",
    format: "jsonc",
    files: {
      linux: userFolders("~/.config"),
      darwin: userFolders("~/Library/Application Support"),
      win32: userFolders("$APPDATA"),
    },
    projectFiles: [".vscode/mcp.json", ".vscode/settings.json", "*.code-workspace"],
    // `mcp.json`; settings as they were before it; settings within a workspace's file.
    tables: [["servers"], ["mcp", "servers"], ["settings", "mcp", "servers"]],
    remote: [url],
  },
  {
    id: "windsurf",
    title: "Windsurf",
    format: "jsonc",
    files: everywhere("~/.codeium/windsurf/mcp_config.json"),
    projectFiles: [],
    tables: mcpServers,
    remote: [{ key: "serverUrl", transport: "either" }, url],
  },
  {
    id: "zed",
    title: "Zed",
    format: "jsonc",
    files: {
      linux: ["~/.config/zed/settings.json"],
      darwin: ["~/.config/zed/settings.json"],
      win32: ["$APPDATA/Zed/settings.json"],
    },
    projectFiles: [".zed/settings.json"],
    tables: [["context_servers"]],
    remote: [url],
  },
  {
    id: "gemini-cli",
    title: "Gemini CLI",
    format: "jsonc",
    files: {
      linux: ["~/.gemini/settings.json", "/etc/gemini-cli/settings.json"],
      darwin: ["~/.gemini/settings.json", "/Library/Application Support/GeminiCli/settings.json"],
      win32: ["~/.gemini/settings.json", "$PROGRAMDATA/gemini-cli/settings.json"],
    },
    projectFiles: [".gemini/settings.json"],
    tables: mcpServers,
    remote: [
      { key: "httpUrl", transport: "streamable-http" },
      { key: "url", transport: "http+sse" },
    ],
  },
  {
    id: "codex",
    title: "Codex",
    format: "toml",
    files: everywhere("~/.codex/config.toml"),
    projectFiles: [".codex/config.toml"],
    tables: [["mcp_servers"]],
    remote: [{ key: "url", transport: "streamable-http" }],
  },
  {
    id: "generic",
    title: "mcp.json",
    format: "jsonc",
    // The third is what GitHub Copilot's command line reads.
    files: everywhere("~/.mcp.json", "~/.config/mcp/mcp.json", "~/.copilot/mcp-config.json"),
    projectFiles: ["mcp.json"],
    tables: [["mcpServers"], ["servers"]],
    remote: [url],
  },
];

function everywhere(...files: readonly string[]): Readonly<Record<Platform, readonly string[]>> {
  return { linux: files, darwin: files, win32: files };
}

function userFolders(base: string): readonly string[] {
  return ["Code", "Code - Insiders", "VSCodium"].flatMap((product) => [
    `${base}/${product}/User/mcp.json`,
    `${base}/${product}/User/profiles/*/mcp.json`,
    `${base}/${product}/User/settings.json`,
  ]);
}
