/** The texts of `--help`, from the table of commands. */
import type { CommandRow, LoadedCommand } from "./command.ts";
import { commands } from "./commands.ts";
import { examples } from "./examples.ts";
import { firstSteps, type Topic, topics } from "./topics.ts";

/** Where what is said of a command begins. */
const column = 25;

/** The help about all of them. */
export function overview(): string {
  return [
    "latticegate: post-quantum, zero-trust gateway and sidecar for the Model Context Protocol",
    "",
    "First steps",
    ...firstSteps.map(([typed, does]) => `  latticegate ${typed.padEnd(21)}${does}`),
    ...topics.flatMap((topic) => ["", topic.title, ...thingLines(topic)]),
    "",
    "latticegate THING lists the commands about one thing with what they do, latticegate help all every command,",
    "and latticegate COMMAND --help what one takes, with examples. latticegate --version tells the version.",
  ].join("\n");
}

function thingLines({ things }: Topic): readonly string[] {
  return Object.entries(things).flatMap(([thing, about]) => {
    const own = commands.filter(({ name }) => name.split(" ")[0] === thing);
    const isOneItself = own.some(({ name }) => name === thing);
    const verbs = own.flatMap(({ name, isPlumbing }) =>
      name === thing || isPlumbing === true ? [] : [name.slice(thing.length + 1)],
    );
    const first = `${" ".repeat(column)}${isOneItself ? "or " : ""}`;
    return [`  ${thing}`.padEnd(column) + about, ...listed(verbs, first)];
  });
}

const lineChars = 110;

/** Words behind `first`, in lines that end between them. */
function listed(words: readonly string[], first: string): readonly string[] {
  const lines: string[] = [];
  for (const [at, word] of words.entries()) {
    const text = at === words.length - 1 ? word : `${word},`;
    const last = lines.at(-1);
    if (last === undefined) lines.push(first + text);
    else if (last.length + text.length < lineChars) lines[lines.length - 1] = `${last} ${text}`;
    else lines.push(" ".repeat(column) + text);
  }
  return lines;
}

/** What a list of commands says of each. */
export function list(rows: readonly CommandRow[]): string {
  const lines = rows
    .filter(({ isPlumbing }) => isPlumbing !== true)
    .map(({ name, arguments: what, summary }) => {
      const left = `  ${name} ${what}`.trimEnd();
      const text = firstSentence(summary);
      return left.length < 40 ? `${left.padEnd(40)} ${text}` : `${left}\n${" ".repeat(41)}${text}`;
    });
  return lines.join("\n");
}

function firstSentence(text: string): string {
  return /^.*?[^.][.](?= [A-Z]|$)/.exec(text)?.[0] ?? text;
}

/** What one command takes. */
export function usage(command: LoadedCommand): string {
  const options = Object.entries(command.options).map(([name, option]) => {
    const short = option.short === undefined ? "" : `-${option.short}, `;
    const left = `  ${short}--${name}${option.value === undefined ? "" : ` ${option.value}`}`;
    return `${left.padEnd(26)} ${option.help}`;
  });
  const shown = examples[command.name] ?? [];
  return [
    `latticegate ${command.name}${command.arguments === "" ? "" : ` ${command.arguments}`}`,
    "",
    command.summary,
    ...(options.length === 0 ? [] : ["", ...options]),
    ...(shown.length === 0 ? [] : ["", "Examples"]),
    ...shown.flatMap(([typed, does]) => [`  latticegate ${typed}`, `      ${does}`]),
  ].join("\n");
}
