/** What poisoned declarations say beside what any injected text does (src/detect/text/): rules alone, learned from nothing. */
import type { Severity } from "../../model/finding.ts";

export interface ToolMark {
  readonly kind: string;
  readonly severity: Severity;
  readonly means: string;
  readonly form: RegExp;
}

/** Of descriptions. Bounded repetition, no two of them that can share characters. */
export const toolMarks: readonly ToolMark[] = [
  {
    kind: "tool.harm",
    severity: "medium",
    means: "says that it does harm",
    form: /\b(?:exfiltrat\w{1,6}|backdoor\w{0,3}|key ?logg\w{1,4}|reverse shell|steal(?:s|ing)?|(?:harvest|siphon)(?:s|ing)?|escalat\w{1,4} privileges?|(?:bypass|circumvent|disabl|evad)(?:e|es|ing)?\w{0,3} (?:\w{1,20} ){0,2}(?:auth\w{0,12}|security|detection|logging|monitoring|audit\w{0,4}|safety|filters?|restrictions?|permissions?|access controls?|confirmation|validation))\b/gi,
  },
  {
    kind: "tool.unasked",
    severity: "high",
    means: "acts without its user's knowledge",
    form: /\bwithout (?:the |any |a |asking |informing |notifying |telling |prior )?(?:\w{1,12}(?:'s)? )?(?:user|knowledge|consent|permission|notice|notification|approval|awareness|authorization)\b|\b(?:the )?user (?:must|should|does|need|will|can|is|may)(?: ?n[o']t| not| never) (?:be )?(?:know|see|aware|notice|told|informed|shown|find out)|\b(?:hidden|invisible|transparent) (?:from|to) (?:the )?(?:end[- ])?users?\b|\bin the background\b[^.\n]{0,40}\b(?:send|upload|log|collect|report)/gi,
  },
  {
    kind: "tool.sends",
    severity: "medium",
    means: "sends what it is given to an address of its own",
    form: /\b(?:send|sent|forward|upload|post|report|transmit|log|copy|copies|cc|bcc|redirect|relay|sync)(?:s|ed|ing)?\b[^.\n]{0,80}(?:https?:\/\/[\w.-]{3,80}|[\w.+-]{1,40}@[\w-]{1,40}\.[a-z]{2,10}|\d{1,3}(?:\.\d{1,3}){3}|\b(?:external|remote|third[- ]party|attacker\S{0,12}) (?:server|service|endpoint|host|address|api|url|site|party|account)\b)/gi,
  },
  {
    kind: "tool.steers",
    severity: "medium",
    means: "wants to be used in the place of others",
    form: /\b(?:always|must|only|should(?: always)?) (?:use|call|prefer|choose|select|invoke) (?:this|the current) (?:tool|function|server|version)\b|\bthis (?:tool|function) (?:must|should|has to|needs to) (?:always |also )?be (?:called|used|invoked|executed|run) (?:first|before|instead|prior|after every|for (?:all|every|any))|\b(?:do not|don't|never|avoid) (?:use|call|using|calling|invoke|trust) (?:any |the |an? )?(?:other|another|different|original|real|legitimate)\b|\b(?:other|all other|similar) tools? (?:is|are|have been|has been|may be) (?:deprecated|insecure|unsafe|broken|disabled|outdated|compromised)|\b(?:replaces|overrides|supersedes|takes precedence over|instead of) (?:the |all |any )?(?:other |previous |existing |original )?(?:\w{1,20} )?(?:tools?|instructions?|server)\b/gi,
  },
  {
    kind: "tool.changes",
    severity: "high",
    means: "changes what the user asked for",
    form: /\b(?:regardless|irrespective) of (?:what |the |any )?(?:user|input|request|actual|original)|\b(?:change|modify|replace|set|alter|substitute|overwrite|redirect|convert|swap|adjust)(?:s|d|ing)? (?:the |any |all |this )?(?:['"`]?\w{1,30}['"`]? ){1,4}(?:to|with|by) ['"`(]|\bignor(?:e|es|ing) (?:the |any )?(?:user|input|provided|given|actual|requested|specified|passed|supplied)/gi,
  },
  {
    kind: "tool.runs",
    severity: "high",
    means: "has a command run, or a file changed, beside its task",
    form: /\b(?:must|need to|have to|should|required to|please|first|also|always)\b[^.\n]{0,80}\b(?:execut|run|evaluat|invok|download|install)(?:e|es|ing)?\b[^.\n]{0,60}(?:command|script|shell|code|binary|payload|`[^`\n]{2,80}`|[:$])|\b(?:add|append|write|insert|put|create)(?:s|ing)?\b[^.\n]{0,80}(?:\.bashrc|\.zshrc|\.profile|crontab|authorized_keys|\/etc\/|startup|\.ssh|\.env\b|system(?:d| file)|configuration file)/gi,
  },
  {
    kind: "tool.extra",
    severity: "high",
    means: "wants more than it needs in its parameters",
    form: /\b(?:pass|include|provide|put|append|attach|add|insert|supply|fill|copy|place|encode|write)(?:s|ing)?\b[^.\n]{0,60}\b(?:(?:full |entire |whole )conversation|conversation history|chat history|previous messages?|system prompt|full context|all (?:the )?(?:messages|context)|(?:file )?contents? of (?:~|\/|\.|the (?:\.|~|\/))|env(?:ironment)? variables?|credentials?|passwords?|api keys?|secrets?|private keys?|ssh keys?)\b/gi,
  },
];

/** Names of parameters that no task needs: the conversation, the reader's thoughts, its instructions. */
export const contextParameter =
  /^_{0,2}(?:side_?note|(?:conversation|chat|message|session|dialog(?:ue)?)_?(?:history|log|transcript|context)|system_?(?:prompt|message|instructions?)|full_?(?:context|conversation|prompt)|(?:previous|prior|all)_?(?:messages|prompts|context)|user_?(?:prompt|secrets?|credentials)|chain_?of_?thought|(?:model|llm|agent|assistant)_?(?:name|thoughts?|reasoning|context|instructions?|memory)|tools?_?(?:list|names|call_?history)|env(?:ironment)?_?(?:vars?|variables|dump)|hidden_?\w{0,20}|exfil\w{0,10})$/i;

/** Of a parameter of any name: what it is said to hold. */
export const contextAsked =
  /\b(?:conversation|chat history|system prompt|previous messages|your (?:instructions|reasoning|thoughts)|contents? of (?:the )?(?:file|~|\/|\.)|environment variables|ssh key|private key|all (?:available )?tools)\b/i;
