/** How well poisoned tool declarations are told from honest ones, in all and by category. */
import { type DeclaredTool } from "../tools/declared-texts.ts";
import { scoreTool } from "../tools/score-tool.ts";
import { type Measure, measure } from "./measure.ts";

export interface LabelledTool extends DeclaredTool {
  readonly isPoisoned: boolean;
  readonly category: string;
}

export interface ToolReport extends Measure {
  /** The poisoned ones of a category against all honest ones. */
  readonly byCategory: Readonly<Record<string, Measure>>;
  /** Of 1,000 honest declarations, those with a finding. */
  readonly alertsPer1000: number;
}

export function toolReport(tools: readonly LabelledTool[]): ToolReport {
  const scored = tools.map((tool) => {
    const { score, findings } = scoreTool(tool);
    return { tool, score, isAttack: tool.isPoisoned, group: tool.server, isTold: findings.length > 0 };
  });
  const categories = new Set(tools.filter(({ isPoisoned }) => isPoisoned).map(({ category }) => category));
  const honest = scored.filter(({ isAttack }) => !isAttack);
  const byCategory = [...categories].map((category) => {
    const own = scored.filter(({ isAttack, tool }) => !isAttack || tool.category === category);
    return [category === "" ? "(none)" : category, measure(own)] as const;
  });
  return {
    ...measure(scored),
    byCategory: Object.fromEntries(byCategory),
    alertsPer1000: (1000 * honest.filter(({ isTold }) => isTold).length) / Math.max(1, honest.length),
  };
}
