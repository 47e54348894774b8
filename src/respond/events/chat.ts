/** Events as Slack's incoming webhooks take them, and what is compatible with them. */
import { revealed } from "../../wire/hidden-text.ts";
import { type Severity, summaryOf } from "./summary.ts";
import type { Teller, Told } from "./told.ts";

const signs: Readonly<Record<Severity, string>> = {
  informational: "⚪",
  low: "🔵",
  medium: "🟡",
  high: "🟠",
  critical: "🔴",
};
/** A block takes 3,000 characters. */
const maxUnits = 2500;
/** Of `text`, which some take 2,000 characters of. */
const maxTextUnits = 1900;

/**
 * INVARIANT: no text of others is read as markup: it names nobody, links nowhere, and calls no channel. Slack shows the
 * blocks, which are plain text; those that take the same and show `text` read Markdown in it, so there it is code in
 * which no backtick, address or name of anybody is whole.
 */
export function chatMessage(told: Told, { origin }: Teller): object {
  const { says, severity, server, agentic } = summaryOf(told);
  const said = short(revealed(says.replaceAll("\n", " ")));
  const details = [
    `caller ${told.principal}`,
    ...(told.tool === null ? (server === undefined ? [] : [`server ${server}`]) : [`tool ${told.tool}`]),
    ...(told.facts["until"] === undefined ? [] : [`until ${told.facts["until"]}`]),
    ...(told.facts["incident"] === undefined ? [] : [`incident ${told.facts["incident"]}`]),
    `call ${agentic.correlation_id}`,
    `${origin} ${told.uid.slice(origin.length)}`,
  ];
  const text = (of: string): object => ({ type: "plain_text", text: of, emoji: false });
  return {
    text: `${signs[severity]} \`${short(inert(said), maxTextUnits)}\``,
    unfurl_links: false,
    unfurl_media: false,
    blocks: [
      { type: "section", text: text(`${signs[severity]} ${said}`) },
      { type: "context", elements: [text(short(revealed(details.join(" · "))))] },
    ],
  };
}

function short(text: string, units = maxUnits): string {
  return text.length <= units ? text : `${text.slice(0, units).toWellFormed()}…`;
}

/** As analysts defang addresses; `@` and backticks by signs that look like them; Slack's three characters as it asks. */
function inert(text: string): string {
  return text
    .replaceAll("`", "ˋ")
    .replaceAll("@", "＠")
    .replaceAll("://", "[:]//")
    .replaceAll(/\bwww\./gi, "www[.]")
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;");
}
