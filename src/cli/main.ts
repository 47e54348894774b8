/** `latticegate`: arguments to command to exit code. 0 done · 1 found wanting or failed · 2 called wrongly · 3 a plan breaks something. */
import { version } from "../app/version.ts";
import { type LoadedCommand, loaded, own, parseCall, usage } from "./command.ts";
import { find, groupOf, list, overview, unknownCommand } from "./commands.ts";
import { complaint } from "./complaint.ts";
import { progress } from "./progress.ts";

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
  if (args[0] === "help") return await main([...args.slice(1), "--help"]);
  const found = find(args);
  if (found === undefined) return withoutCommand(args, out);
  const { row, rest } = found;
  const command = await loaded(row);
  if (own(rest).includes("--help")) {
    out(usage(command));
    return 0;
  }
  return await run(command, rest, out);
}

function withoutCommand(args: readonly string[], out: (line: string) => void): number {
  if (args.length === 0 || args[0] === "--help") {
    out(overview());
    return 0;
  }
  const words = args.filter((arg) => arg !== "--help");
  const group = groupOf(words);
  if (group.length > 0 && (words.length < args.length || words.length === 1)) {
    const isAsked = words.length < args.length;
    (isAsked ? out : complain)(list(group));
    return isAsked ? 0 : 2;
  }
  const text = unknownCommand(args);
  if (!args.includes("--json")) complain(`latticegate: ${text}`);
  else
    complain(
      JSON.stringify({ error: { code: "bad_config", message: text.split("\n", 1)[0], exit_code: 2 } }),
    );
  return 2;
}

async function run(
  command: LoadedCommand,
  rest: readonly string[],
  out: (line: string) => void,
): Promise<number> {
  const shown = progress(command.name);
  const printed = (line: string): void => {
    shown.clear();
    out(line);
  };
  try {
    return await command.run(parseCall(command, rest, printed));
  } catch (error) {
    shown.end();
    const { text, code } = complaint(command, error, own(rest).includes("--json"));
    complain(text);
    return code;
  } finally {
    shown.end();
  }
}

function complain(text: string): void {
  process.stderr.write(`${text}\n`);
}
