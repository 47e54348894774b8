/** Command lines as they are typed, for the help of commands whose options alone don't tell. */

/** What is typed behind `latticegate`, and what it does. */
type Example = readonly [typed: string, does: string];

/** By command. */
export const examples: Readonly<Record<string, readonly Example[]>> = {
  connect: [
    ["connect files --join TOKEN", "As the command of an MCP client: stdio in front; the token counts once."],
    ["connect files --http 7001", "Loopback HTTP for clients that take a URL."],
    [
      "connect mcp-pqc://PEER/files --via relay@relay.example:8445",
      "A peer behind a NAT, by the name that its expose --p2p prints.",
    ],
  ],
  expose: [
    [
      "expose --join TOKEN -- npx -y @modelcontextprotocol/server-filesystem .",
      "Put a server that speaks stdio behind a post-quantum endpoint.",
    ],
    ["expose http://127.0.0.1:3000/mcp --join TOKEN", "The same for one that speaks HTTP."],
    [
      "expose --p2p --via relay@relay.example:8445 --join TOKEN -- npx -y @modelcontextprotocol/server-filesystem .",
      "From behind a NAT: prints a name that connect takes anywhere.",
    ],
  ],
  "remote join": [
    [
      "remote join prod https://room.example.com:8444 --join TOKEN",
      'Then "latticegate approvals list --remote prod", wherever you are.',
    ],
  ],
  api: [
    ["api GET /status", "Of the gateway that runs here."],
    ["api GET '/calls?verdict=denied&limit=5' --remote prod", "Of another machine's."],
    [
      `api POST /kill '{"on":true,"because":"Keys leaked."}' --remote prod`,
      "What changes something is a POST.",
    ],
  ],
  relay: [["relay --join TOKEN --segments segments.yaml", "Introduce those whom the rules let meet."]],
  scan: [
    ["scan", "This machine: clients' configurations, processes, ports."],
    ["scan 10.0.0.0/24 --network-only --keep", "A network of your own, kept in the inventory."],
    ["scan --check --json", "For a pipeline: ends with 1 if a server is in the clear, weak, or nobody's."],
  ],
  adopt: [
    ["adopt", "All of your own clients."],
    [
      "adopt --server files -- npx -y @modelcontextprotocol/server-filesystem .",
      "A server of no client yet.",
    ],
    ["adopt --undo", "Give everything back as it was."],
  ],
  "inventory label": [
    [
      'inventory label billing --owner "team pay" --data-class restricted --shelf-life 10y',
      "So that the plan knows what is urgent.",
    ],
  ],
  "inventory export": [
    ["inventory export --as cbom --out cbom.json", "A CycloneDX 1.7 bill of cryptography."],
  ],
  "policy explain": [
    ["policy explain 01a1fe76-e521-7784-9d49-4b9678456dd5", "Why a call of the log was decided as it was."],
    [
      "policy explain --caller spiffe://latticegate.local/agent/laptop --tool files/write_file",
      "How one would be decided now.",
    ],
  ],
  "policy diff": [
    ["policy diff new.yaml --replay 7d", "What the last week's calls would become."],
    ["policy diff old.yaml new.yaml --replay 2026-11-01..2026-11-07", "One file against another."],
  ],
  "policy suggest": [["policy suggest --since 7d", "The least rules that pass what was captured."]],
  "policy bundle make": [
    ["policy bundle make rules.yaml --out rules.bundle.json", "Sign what gateways are to take up."],
  ],
  "approvals approve": [
    ['approvals approve b31c5b61501aefb5 --because "Bob asked for it."', "Ids stand in `approvals list`."],
  ],
  "tools approve": [
    [
      'tools approve files read_file --as HASH --because "A new argument."',
      "Exactly what `tools diff` showed.",
    ],
    ['tools approve files --all --because "Version 2."', "All of a server that wait."],
  ],
  "pins approve": [
    [
      "pins approve spiffe://latticegate.local/server/files FINGERPRINT",
      "`pins fingerprint` on the other end prints it; compare it another way.",
    ],
  ],
  delegate: [
    [
      "delegate --to agent/helper --tools 'files/read_*' --for 1h --out helper.jwt",
      "The helper may read files for an hour, as far as both may.",
    ],
  ],
  respond: [
    [
      'respond quarantine --caller agent/laptop --for 4h --next read_only=1h --because "It was phished."',
      "Nothing for four hours, then an hour of reading.",
    ],
    [
      'respond limit --server files --tool read_file --calls 10 --per 1m --because "A loop."',
      "Not more than that.",
    ],
  ],
  "incidents suppress": [
    [
      `incidents suppress 'finding secret' --caller agent/ci --for 30d --because "Test keys."`,
      "No incidents of that from that caller for a month.",
    ],
  ],
  "kill on": [
    ['kill on --because "Being looked into."', "Every call is refused from now on, until `kill off`."],
  ],
  "outlets replay": [["outlets replay siem --from 2h", "Tell it the last two hours again."]],
  "audit query": [
    ["audit query --verdict denied --since 2h", "What was refused lately."],
    ["audit query --caller agent/laptop --tool 'files/*' --format csv", "For a spreadsheet."],
  ],
  "audit verify": [
    ["audit verify", "The log of the gateway here."],
    ["audit verify --log copy/log --key log-key.txt --seen checkpoint", "A copy, with what you kept of it."],
  ],
  "audit export": [
    ["audit export --call 01a1fe76-e521-7784-9d49-4b9678456dd5 --out call.json", "One call with its proofs."],
    ["audit export --since 2026-11-01 --until 2026-11-30 --out november.json", "A month."],
  ],
  "audit erase": [
    ["audit erase spiffe://latticegate.local/agent/laptop", "Says what would be erased; `--yes` erases it."],
  ],
  assess: [["assess --framework cosai --level 2 --html report.html", "Ends with 1 below that level."]],
  "ca token": [
    ["ca token --for agent/laptop", "For `connect --join`."],
    ["ca token --for server/files --address gateway.example:8443", "For `expose --join` on another machine."],
  ],
  "ca revoke": [["ca revoke spiffe://latticegate.local/agent/laptop", "Its links end within a second."]],
  "ca backup": [
    ["ca backup ca.backup --passphrase-file /run/secrets/backup", "Everything that makes the authority."],
  ],
  "crypto plan": [["crypto plan cnsa-2.0", "What it would change and whom it would break."]],
  "crypto rotate": [["crypto rotate log", "New keys for the audit log, at once."]],
  "detect watch": [["detect watch traffic.jsonl", "What the models say of a copy of traffic."]],
};
