/** The commands that take no --json, and why; and those whose words another program reads. */
export const withoutJson: Readonly<Record<string, string>> = {
  up: "runs until it is stopped; its log is JSON when stderr is no terminal",
  connect: "stdout belongs to the MCP client",
  expose: "runs until it is stopped; its log is JSON when stderr is no terminal",
  signer: "runs until it is stopped",
  "audit witness": "runs until it is stopped",
  grant: "shows an address to open while it waits",
  adopt: "asks the person who runs it",
  completion: "prints a shell script",
  "completion words": "answers a shell",
  "audit export": "writes a bundle, which is JSON",
  "audit receipt": "prints a receipt, which is JSON",
  "audit verifier": "writes an HTML page",
  "audit query": "has --format jsonl",
  "bench handshake": "has --format json",
  "client-config": "prints the client's own format",
  "inventory export": "has --as json",
  "identity export": "prints PEM",
  "detect report": "writes an HTML page",
  "config docs": "writes the reference page",
};

/** What they print is a format, a token or a key: nothing is added to it, whatever a terminal shows. */
const printsFormat: ReadonlySet<string> = new Set([
  "audit export",
  "audit receipt",
  "audit renewed",
  "ca anchor",
  "ca request",
  "ca token",
  "client-config",
  "completion",
  "completion words",
  "connect",
  "delegate",
  "identity export",
  "inventory export",
  "pins fingerprint",
]);

/** Whether a person reads what the command prints, called with those options. */
export function isForPeople(command: string, args: readonly string[]): boolean {
  if (printsFormat.has(command)) return false;
  return !args.some((arg) => /^--(json|format|as|outside)(=|$)/.test(arg));
}
