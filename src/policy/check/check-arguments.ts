/** Conditions on arguments, with the types that each tool's input schema gives them; and where redactions lead. */
import { compileCondition } from "../../expr/condition.ts";
import type { ObjectSpec, TypeSpec } from "../../expr/type-spec.ts";
import { factTypes } from "../facts.ts";
import { readPointer, type Pointer } from "../redaction.ts";
import { instead, sentence } from "./check-condition.ts";
import { type CheckedRule, type MatchedTool, matchedTools } from "./checked-rule.ts";
import { listed, type Remark } from "./finding.ts";
import type { Known } from "./known.ts";

export function checkArguments(checked: CheckedRule, known: Known): readonly Remark[] {
  const tools = matchedTools(checked, known);
  return [...conditionRemarks(checked, tools), ...pointerRemarks(checked, tools)];
}

/** What the condition gets wrong about all tools is a mistake; what it does about some may be meant for the others. */
function conditionRemarks(checked: CheckedRule, tools: readonly MatchedTool[]): readonly Remark[] {
  const { condition, document } = checked;
  if (condition?.compiled.variables.has("args") !== true) return [];
  const asked = tools.filter((each) => isAskedOf(checked, each));
  const wrong = asked.flatMap((each) => {
    const remark = typedRemark(checked, each);
    return remark === undefined ? [] : [{ remark, tool: `${each.server}/${each.name}` }];
  });
  const [first] = wrong;
  if (first === undefined) return [];
  const { remark } = first;
  if (wrong.length === asked.length && onlyTools(document)) return [remark];
  const where = listed(wrong.map(({ tool }) => tool));
  const then =
    document.effect === "allow" ? "there the rule never allows" : "there it errs, and the rule counts";
  return [
    {
      ...remark,
      kind: "argument-elsewhere",
      wrong: `For ${where} of the tools it names the condition can't be told, and ${then}: ${remark.wrong}`,
      mend: `Name the tools the condition is meant for, or begin it with call.tool == "…" &&. ${remark.mend}`,
    },
  ];
}

function onlyTools({ resources, prompts, methods }: CheckedRule["document"]): boolean {
  return resources === undefined && prompts === undefined && methods === undefined;
}

/** Not where it is false whatever the arguments are, since it names another tool. */
function isAskedOf({ condition }: CheckedRule, { server, name }: MatchedTool): boolean {
  if (condition === undefined) return false;
  const { compiled } = condition;
  const whole = compiled.reads.some((path) => path === "call");
  const unsaid = compiled.reads.some((path) => /^call\.(?:size|era)\b/.test(path));
  const call = { server, tool: name, kind: "tools", name, method: "tools/call" };
  const missing = new Set(Object.keys(factTypes).filter((each) => each !== "call" || whole || unsaid));
  return compiled.evaluate(whole || unsaid ? {} : { call }, missing).kind !== "false";
}

function typedRemark({ document }: CheckedRule, { server, name, tool }: MatchedTool): Remark | undefined {
  const { when = "" } = document;
  if (tool.args === undefined) return undefined;
  const typed = compileCondition(when, { ...factTypes, args: tool.args });
  if (typed.kind !== "mistake") return undefined;
  const names = compileCondition(when, { ...factTypes, args: namesOnly(tool.args) });
  const { message, suggestion, line, column } = typed;
  return {
    kind: names.kind === "mistake" ? "unknown-argument" : "bad-argument",
    at: ["when"],
    place: { line, column },
    wrong: `Of ${server}/${name}: ${sentence(message)}`,
    mend: suggestion === undefined ? "Write it as the tool's input schema has it." : instead(suggestion),
  };
}

/** The type with its names, and values of any type. */
function namesOnly(type: TypeSpec): TypeSpec {
  if (typeof type === "string" || type.kind === "enum") return "dyn";
  if (type.kind !== "object") return { ...type, of: namesOnly(type.of) };
  const members = Object.entries(type.members).map(([name, of]) => [name, namesOnly(of)] as const);
  const others = typeof type.others === "object" ? { of: namesOnly(type.others.of) } : type.others;
  return { kind: "object", members: Object.fromEntries(members), others };
}

const sides = [
  ["arguments", "args", "arguments"],
  ["answer", "answer", "answer"],
] as const;

/** A pointer that leads to nothing in any tool takes nothing out. */
function pointerRemarks({ document }: CheckedRule, tools: readonly MatchedTool[]): readonly Remark[] {
  if (document.resources !== undefined || document.prompts !== undefined) return [];
  return sides.flatMap(([member, side, what]) => {
    const types = tools.flatMap(({ tool }) => (tool[side] === undefined ? [] : [tool[side]]));
    if (types.length === 0 || types.length < tools.length) return [];
    return (document.redact?.[member] ?? []).flatMap((text, at): readonly Remark[] => {
      if (types.some((type) => leadsSomewhere(type, readPointer(text)))) return [];
      const where = tools.map(({ server, name }) => `${server}/${name}`);
      return [
        {
          kind: "pointer-leads-nowhere",
          at: ["redact", member, at],
          wrong: `${text} leads to nothing in the ${what} of ${listed(where)}: nothing is taken out.`,
          mend: `Write the pointer as the tool's schema has it; there ${namesIn(types)}.`,
        },
      ];
    });
  });
}

function namesIn(types: readonly TypeSpec[]): string {
  const names = new Set(
    types.flatMap((type) =>
      typeof type === "object" && type.kind === "object" ? Object.keys(type.members) : [],
    ),
  );
  return names.size === 0 ? "is nothing declared" : `is ${listed([...names].map((name) => `/${name}`))}`;
}

function leadsSomewhere(type: TypeSpec, pointer: Pointer): boolean {
  const [step, ...rest] = pointer;
  if (step === undefined || type === "dyn") return true;
  if (typeof type === "string" || type.kind === "enum") return false;
  if (type.kind === "nullable") return leadsSomewhere(type.of, pointer);
  if (type.kind === "map") return leadsSomewhere(type.of, rest);
  if (type.kind === "list")
    return (typeof step !== "string" || /^\d+$/.test(step)) && leadsSomewhere(type.of, rest);
  return membersAt(type, step).some((member) => leadsSomewhere(member, rest));
}

function membersAt({ members, others }: ObjectSpec, step: Pointer[number]): readonly TypeSpec[] {
  const beside = typeof others === "object" ? [others.of] : [];
  if (typeof step !== "string") return [...Object.values(members), ...beside];
  const member = Object.hasOwn(members, step) ? members[step] : undefined;
  return member === undefined ? beside : [member];
}
