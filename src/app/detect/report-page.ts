/** A page about watched calls that stands by itself: no script, nothing from elsewhere. */
import { quantile } from "../../kernel/statistics.ts";
import type { MirroredCall } from "./mirror.ts";

const maxRows = 200;
const bars = 20;

export function reportPage(
  calls: readonly MirroredCall[],
  { source, unread }: { readonly source: string; readonly unread: number },
): string {
  const sessions = Map.groupBy(calls, ({ session }) => session);
  const risks = calls.map(({ risk }) => risk.call).toSorted((a, b) => a - b);
  const worst = calls.toSorted((a, b) => b.risk.call - a.risk.call).slice(0, maxRows);
  const count = (from: number): number => risks.filter((risk) => risk >= from).length;
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Watched calls</title>
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<style>${style}</style></head><body>
<h1>Watched calls</h1>
<p>${escaped(source)}: ${calls.length} calls in ${sessions.size} sessions${unread > 0 ? `; ${unread} lines couldn't be read` : ""}. Nothing was stopped.</p>
<p>0.6 is what one benign session in a hundred has, 0.9 one in a thousand, by what the model was calibrated with.</p>
<table><tr><th>median risk</th><th>95th percentile</th><th>calls from 0.6 on</th><th>from 0.9 on</th></tr>
<tr><td>${quantile(risks, 0.5).toFixed(2)}</td><td>${quantile(risks, 0.95).toFixed(2)}</td><td>${count(0.6)}</td><td>${count(0.9)}</td></tr></table>
<h2>How risky calls are</h2>
${histogram(risks)}
<h2>The riskiest${worst.length < calls.length ? ` ${worst.length}` : ""}</h2>
<table><tr><th>when</th><th>risk</th><th>session</th><th>caller</th><th>call</th><th>found in</th><th>why</th></tr>
${worst.map(row).join("\n")}
</table></body></html>
`;
}

const style =
  "body{font:15px/1.5 system-ui,sans-serif;max-width:75rem;margin:2rem auto;padding:0 1rem;color:#1c2430}table{border-collapse:collapse;margin:1rem 0}th,td{border-bottom:1px solid #d5dbe3;padding:.3rem .7rem;text-align:left;vertical-align:top}th{font-weight:600}td:nth-child(2){font-variant-numeric:tabular-nums}svg{display:block}";

function row({ atUnixMs, session, caller, server, tool, risk }: MirroredCall): string {
  const cells = [
    new Date(atUnixMs).toISOString(),
    risk.call.toFixed(2),
    session,
    caller,
    `${server}/${tool}`,
    risk.source,
    risk.because,
  ];
  return `<tr>${cells.map((cell) => `<td>${escaped(cell)}</td>`).join("")}</tr>`;
}

/** Counts on a scale of their logarithms: of a million calls one counts. */
function histogram(risks: readonly number[]): string {
  const counts = Array.from({ length: bars }, () => 0);
  for (const risk of risks) {
    const at = Math.min(bars - 1, Math.floor(risk * bars));
    counts[at] = (counts[at] ?? 0) + 1;
  }
  const most = Math.log1p(Math.max(1, ...counts));
  const drawn = counts.map((count, i) => {
    const height = (120 * Math.log1p(count)) / most;
    const says = `${(i / bars).toFixed(2)} to ${((i + 1) / bars).toFixed(2)}: ${count}`;
    return `<rect x="${i * 30}" y="${(130 - height).toFixed(1)}" width="26" height="${height.toFixed(1)}" fill="${i >= 0.6 * bars ? "#b3261e" : "#37618e"}"><title>${says}</title></rect>`;
  });
  const scale = [0, 0.3, 0.6, 0.9].map(
    (at) => `<text x="${at * bars * 30}" y="148" font-size="12">${at}</text>`,
  );
  return `<svg width="${bars * 30}" height="155" role="img" aria-label="Calls by risk">${drawn.join("")}${scale.join("")}</svg>`;
}

function escaped(text: string): string {
  return text.replaceAll(/[&<>"']/g, (sign) => `&#${sign.codePointAt(0)};`);
}
