/** `latticegate`: arguments to command to exit code. 0 done · 1 found wanting or failed · 2 called wrongly · 3 a plan breaks something. */
import { version } from "../app/version.ts";
import { type LoadedCommand, loaded, own, parseCall } from "./command.ts";
import { commands, find, groupOf, unknownCommand } from "./commands.ts";
import { complaint } from "./complaint.ts";
import { painted, paintedComplaint } from "./painted.ts";
import { progress } from "./progress.ts";
import { isForPeople } from "./without-json.ts";

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
  if (args.join(" ") === "help all") {
    const { list } = await import("./help.ts");
    out(list(commands));
    return 0;
  }
  if (args[0] === "help") return await main([...args.slice(1), "--help"]);
  const found = find(args);
  if (found === undefined) return await withoutCommand(args, out);
  const { row, rest } = found;
  const command = await loaded(row);
  if (own(rest).includes("--help")) {
    const { usage } = await import("./help.ts");
    out(painted(usage(command), process.stdout));
    return 0;
  }
  return await run(command, rest, out);
}

async function withoutCommand(args: readonly string[], out: (line: string) => void): Promise<number> {
  const { list, overview } = await import("./help.ts");
  if (args.length === 0 || args[0] === "--help") {
    out(painted(overview(), process.stdout));
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
  if (!args.includes("--json")) complain(paintedComplaint(`latticegate: ${text}`, process.stderr));
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
  const isJson = own(rest).includes("--json");
  const shown = progress(command.name, isJson);
  const isPainted = isForPeople(command.name, own(rest));
  const printed = (line: string): void => {
    shown.clear();
    out(isPainted ? painted(line, process.stdout) : line);
  };
  try {
    return await command.run(parseCall(command, rest, { out: printed, doing: shown.doing }));
  } catch (error) {
    shown.end();
    const { text, code } = complaint(command, error, isJson);
    complain(isJson ? text : paintedComplaint(text, process.stderr));
    return code;
  } finally {
    shown.end();
  }
}

function complain(text: string): void {
  process.stderr.write(`${text}\n`);
}
