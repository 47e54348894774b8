/** `latticegate`: arguments to command to exit code. 0 done · 1 found wanting or failed · 2 called wrongly · 3 a plan breaks something. */
import { Refusal } from "../kernel/refusal.ts";
import { version } from "../app/version.ts";
import { type LoadedCommand, loaded, parseCall, usage } from "./command.ts";
import { find, overview } from "./commands.ts";

// Who reads only the beginning of what is printed (`| head`) has all it wants.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code !== "EPIPE") throw error;
  process.exit();
});
process.exitCode = await main(process.argv.slice(2));

async function main(args: readonly string[]): Promise<number> {
  const out = (line: string): void => void process.stdout.write(`${line}\n`);
  if (args[0] === "--version") {
    out(`latticegate ${version}`);
    return 0;
  }
  const found = find(args);
  if (found === undefined) {
    const asked = args.length === 0 || args[0] === "--help" || args[0] === "help";
    (asked ? out : complain)(
      asked ? overview() : `latticegate: there is no command "${args.join(" ")}"\n\n${overview()}`,
    );
    return asked ? 0 : 2;
  }
  const { row, rest } = found;
  const command = await loaded(row);
  const own = rest.includes("--") ? rest.slice(0, rest.indexOf("--")) : rest;
  if (own.includes("--help")) {
    out(usage(command));
    return 0;
  }
  return await run(command, rest, out);
}

async function run(
  command: LoadedCommand,
  rest: readonly string[],
  out: (line: string) => void,
): Promise<number> {
  try {
    return await command.run(parseCall(command, rest, out));
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    complain(`latticegate ${command.name}: ${error.message}`);
    return error.code === "bad_config" || error.code === "not_yet" ? 2 : 1;
  }
}

function complain(text: string): void {
  process.stderr.write(`${text}\n`);
}
