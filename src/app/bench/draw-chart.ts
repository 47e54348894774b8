/**
 * Panels of bars side by side, row by row: SVG by hand, light or dark as its reader prefers, without a script, a font
 * or anything else from elsewhere.
 */

/** A bar of one part, or of two that are shown one behind the other. */
export interface Bar {
  readonly parts: readonly [first: number, second?: number];
  readonly label: string;
}

interface Panel {
  readonly title: string;
  /** What the parts are, where there are two. */
  readonly legend?: readonly [first: string, second: string];
  readonly bars: readonly Bar[];
}

export interface Section {
  readonly title: string;
  readonly rows: readonly {
    readonly name: string;
    /** Words that stand out, behind the name. */
    readonly pills: readonly string[];
    /** What stands there if there are none. */
    readonly remark: string;
  }[];
  readonly panels: readonly Panel[];
}

interface Chart {
  readonly title: string;
  readonly subtitle: string;
  readonly footer: string;
  readonly sections: readonly Section[];
}

const page = { width: 1120, margin: 28, headHeight: 84, footHeight: 58 } as const;
const names = { width: 352 } as const;
const panelGap = 30;
const panelWidth = (page.width - 2 * page.margin - names.width - 3 * panelGap) / 3;
/** Room for a bar's figure behind it. */
const barWidth = panelWidth - 66;
const section = { headHeight: 72, rowHeight: 27, gap: 26, barHeight: 13 } as const;
/** A bar this many times longer than the next is cut, so that the others can be told apart. */
const outlier = 4;

/** One SVG document. */
export function drawChart({ title, subtitle, footer, sections }: Chart): string {
  let y: number = page.headHeight;
  const drawn = sections.map((each) => {
    const at = y;
    y += section.headHeight + each.rows.length * section.rowHeight + section.gap;
    return drawSection(each, at);
  });
  const height = y + page.footHeight - section.gap;
  const about = `Bars for ${sections.map((each) => each.title).join("; ")}. ${subtitle}.`;
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${page.width} ${height}" width="${page.width}" height="${height}" role="img" aria-labelledby="title about">
<title id="title">${escaped(title)}</title>
<desc id="about">${escaped(about)}</desc>
${style}
<rect class="page" width="${page.width}" height="${height}" rx="10"/>
${text(page.margin, 42, "title", title)}
${text(page.margin, 65, "muted", subtitle)}
${drawn.join("\n")}
${text(page.margin, height - 24, "muted", footer)}
</svg>
`;
}

function drawSection({ title, rows, panels }: Section, top: number): string {
  const rowsTop = top + section.headHeight;
  const middle = (row: number): number => rowsTop + row * section.rowHeight + section.rowHeight / 2;
  const { margin, width } = page;
  return [
    `<g>`,
    text(margin, top + 20, "section", title),
    ...rows.map((_, row) =>
      row % 2 === 0
        ? `<rect class="stripe" x="${margin - 10}" y="${rowsTop + row * section.rowHeight}" width="${width - 2 * margin + 20}" height="${section.rowHeight}" rx="4"/>`
        : "",
    ),
    ...rows.flatMap(({ name, pills, remark }, row) => [
      text(margin, middle(row) + 4.5, "name", name),
      pills.length > 0
        ? drawPills(pills, middle(row))
        : text(margin + names.width, middle(row) + 4, "muted end", remark),
    ]),
    ...panels.map((panel, i) =>
      drawPanel(panel, margin + names.width + panelGap + i * (panelWidth + panelGap), {
        top: top + 44,
        rowsTop,
        middle,
      }),
    ),
    `</g>`,
  ]
    .filter((line) => line !== "")
    .join("\n");
}

/** Right-aligned in the column of names. */
function drawPills(words: readonly string[], middle: number): string {
  let right = page.margin + names.width;
  return words
    .toReversed()
    .map((word) => {
      const width = word.length * 6.3 + 14;
      right -= width;
      const pill = `<rect class="pill" x="${round(right)}" y="${round(middle - 8.5)}" width="${round(width)}" height="17" rx="8.5"/>${text(right + width / 2, middle + 4, "pill-text", word)}`;
      right -= 5;
      return pill;
    })
    .join("");
}

interface Place {
  readonly top: number;
  readonly rowsTop: number;
  readonly middle: (row: number) => number;
}

function drawPanel({ title, legend, bars }: Panel, x: number, { top, rowsTop, middle }: Place): string {
  const longest = scaleOf(bars.map(lengthOf));
  return [
    text(x, top - 1, "head", title),
    ...(legend === undefined ? [] : [drawLegend(legend, x, top + 15)]),
    `<line class="axis" x1="${round(x)}" x2="${round(x)}" y1="${rowsTop}" y2="${rowsTop + bars.length * section.rowHeight}"/>`,
    ...bars.map((bar, row) =>
      drawBar(bar, { x, middle: middle(row), longest, isPair: legend !== undefined }),
    ),
  ].join("\n");
}

function drawLegend(legend: readonly [string, string], x: number, y: number): string {
  const second = x + 22 + legend[0].length * 6;
  return legend
    .map((what, i) => {
      const left = i === 0 ? x : second;
      return `<rect class="${i === 0 ? "first" : "second"}" x="${round(left)}" y="${y - 8}" width="9" height="9" rx="2"/>${text(left + 14, y, "muted", what)}`;
    })
    .join("");
}

function drawBar(
  bar: Bar,
  { x, middle, longest, isPair }: { x: number; middle: number; longest: number; isPair: boolean },
): string {
  const [first, second = 0] = bar.parts;
  const length = lengthOf(bar);
  const drawn = Math.max(1.5, (Math.min(length, longest) / longest) * barWidth);
  const cut = (first / length) * drawn;
  const top = middle - section.barHeight / 2;
  const rect = (className: string, from: number, width: number): string =>
    `<rect class="${className}" x="${round(x + from)}" y="${round(top)}" width="${round(width)}" height="${section.barHeight}"/>`;
  const gap = x + drawn - 18;
  return [
    isPair
      ? rect("first", 0, cut) + (second > 0 ? rect("second", cut, drawn - cut) : "")
      : rect("only", 0, drawn),
    ...(length > longest
      ? [`<path class="gap" d="M${round(gap)} ${round(top - 2)}l6 0l-5 ${section.barHeight + 4}l-6 0z"/>`]
      : []),
    text(x + drawn + 6, middle + 4, "figure", bar.label),
  ].join("");
}

function lengthOf({ parts: [first, second = 0] }: Bar): number {
  return first + second;
}

/** What is as long as the panel is wide: the longest bar, or what is left when outliers are cut. */
function scaleOf(lengths: readonly number[]): number {
  const sorted = lengths.toSorted((a, b) => b - a);
  const cut = sorted.findLastIndex((length, i) => i < 2 && length > outlier * (sorted[i + 1] ?? length));
  return cut === -1 ? (sorted[0] ?? 1) : (sorted[cut + 1] ?? 1) * 1.25;
}

function text(x: number, y: number, className: string, content: string): string {
  return content === ""
    ? ""
    : `<text x="${round(x)}" y="${round(y)}" class="${className}">${escaped(content)}</text>`;
}

function round(value: number): string {
  return String(Math.round(value * 10) / 10);
}

function escaped(content: string): string {
  return content
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replaceAll('"', "&quot;");
}

const style = `<style>
  text { font-family: system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; fill: #1b2430 }
  .page { fill: #ffffff } .stripe { fill: #f5f7fa } .axis { stroke: #b4bdc9; stroke-width: 1 }
  .title { font-size: 22px; font-weight: 650 } .section { font-size: 15px; font-weight: 650 }
  .head { font-size: 12px; font-weight: 600 } .name { font-size: 13px } .figure { font-size: 12px }
  .name, .figure { font-variant-numeric: tabular-nums } .muted { font-size: 11.5px; fill: #5d6978 }
  .end { text-anchor: end } .pill-text { font-size: 11px; font-weight: 600; text-anchor: middle; fill: #1d4f91 }
  .pill { fill: #dbe8f9 } .first { fill: #2f6fcb } .second { fill: #eda03a } .only { fill: #2f9487 } .gap { fill: #ffffff }
  @media (prefers-color-scheme: dark) {
    text { fill: #e7ecf2 } .page { fill: #10161e } .stripe { fill: #182029 } .axis { stroke: #4d5967 }
    .muted { fill: #9aa7b6 } .pill-text { fill: #b9d5ff } .pill { fill: #203a5e }
    .first { fill: #5b9bf0 } .second { fill: #f0b25c } .only { fill: #4dbbab } .gap { fill: #10161e }
  }
</style>`;
