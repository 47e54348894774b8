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

/** INVARIANT: no text of others is read as markup: it names nobody, links nowhere, and calls no channel. */
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
    text: escaped(`${signs[severity]} ${said}`),
    unfurl_links: false,
    unfurl_media: false,
    blocks: [
      { type: "section", text: text(`${signs[severity]} ${said}`) },
      { type: "context", elements: [text(short(revealed(details.join(" · "))))] },
    ],
  };
}

function short(text: string): string {
  return text.length <= maxUnits ? text : `${text.slice(0, maxUnits)}…`;
}

function escaped(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}
