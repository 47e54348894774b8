/** Command lines that start this very product, however it is installed. */

const program =
  /(?:^|[\\/])latticegate(?:\.(?:mjs|js|cmd|exe|ps1))?$|[\\/](?:src|dist)[\\/]cli[\\/]main\.[tj]s$/i;
/** Before the program: a runtime with options, `npx -y`, `cmd /c`. */
const maxBefore = 8;
/** Those of `connect` that take no value. */
const switches = new Set(["--verbose"]);

/** What stands behind the program's name: verb and arguments; undefined if it is another program. */
export function latticegateArguments(command: readonly string[]): readonly string[] | undefined {
  const at = command
    .slice(0, maxBefore)
    .findIndex((part) => program.test(part.replace(/@[\w.-]{1,64}$/, "")));
  return at === -1 ? undefined : command.slice(at + 1);
}

/** The server that `latticegate connect` reaches; undefined if this is another command. */
export function connectedServer(command: readonly string[]): string | undefined {
  const [verb, ...rest] = latticegateArguments(command) ?? [];
  if (verb !== "connect") return undefined;
  for (let at = 0; at < rest.length; at += 1) {
    const part = rest[at] ?? "";
    if (!part.startsWith("-")) return part;
    if (!part.includes("=") && !switches.has(part)) at += 1;
  }
  return undefined;
}
