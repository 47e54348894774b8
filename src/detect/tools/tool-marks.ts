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
    form: /\b(?:exfiltrat(?:e[sd]?|ing)|backdoor\w{0,3}|key ?logg\w{1,4}|reverse shell|steal(?:s|ing)?|(?:harvest|siphon)(?:s|ing)?|escalat\w{1,4} privileges?|(?:bypass|circumvent|disabl|evad)(?:e|es|ing)?\w{0,3} (?:\w{1,20} ){0,2}(?:auth\w{0,12}|security|detection|logging|monitoring|audit\w{0,4}|safety|filters?|restrictions?|permissions?|access controls?|confirmation|validation))\b/gi,
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
    form: /\b(?:always|must|only|should(?: always)?) (?:use|call|prefer|choose|select|invoke) (?:this|the current) (?:tool|function|server|version)\b|\bthis (?:tool|function) (?:must|should|has to|needs to) (?:always |also )?be (?:called|used|invoked|executed|run) (?:first|before|instead|prior|after every|for (?:all|every|any))|\b(?:do not|don't|never|avoid) (?:use|call|using|calling|invoke|trust) (?:any |the |an? )?(?:other|another|different|original|real|legitimate)\b|\b(?:the )?only (?:approved|trusted|safe|secure|official|authori[sz]ed|verified|working) \b|\b(?:other|all other|similar|any other)(?: \w{1,20})? tools? (?:is|are|have been|has been|may be) (?:deprecated|insecure|unsafe|broken|disabled|outdated|compromised)|\b(?:replaces|overrides|supersedes|takes precedence over|instead of) (?:the |all |any )?(?:other |previous |existing |original )?(?:\w{1,20} )?(?:tools?|instructions?|server)\b/gi,
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
    form: /\b(?:pass|include|provide|put|append|attach|add|insert|supply|fill|copy|place|encode|write)(?:s|ing)?\b[^.\n]{0,60}\b(?:(?:full |entire |whole )conversation|conversation history|chat history|previous messages?|system prompt|full context|all (?:the )?(?:messages|context)|(?:file )?contents? of (?:~|\/|\.|the (?:\.|~|\/))|env(?:ironment)? variables?|credentials?|passwords?|api keys?|secrets?|private keys?|ssh keys?|user'?s (?:last |recent |previous |own )?(?:\w{1,12} )?(?:messages|keys?|passwords?|tokens?|location|history|files|data))\b/gi,
  },
  {
    kind: "tool.besides",
    severity: "medium",
    means: "does something besides its task",
    form: /\b(?:also|additionally|secretly|covertly|silently|quietly|in addition|furthermore|as well as)\b[^.\n]{0,40}\b(?:upload|send|post|forward|collect|transmit|record|track|copy|copi|share|harvest|gather|disabl|install|creat|delet|add|append)(?:e|s|es|ing)?\b[^.\n]{0,40}\b(?:user'?s?|browsing|history|credentials?|passwords?|tokens?|keys?|personal|clipboard|keystrokes?|environment|messages|admin|account|backdoor|logs?|files?|server|analytics|remote)\b/gi,
  },
  {
    kind: "tool.danger",
    severity: "medium",
    means: "gives more than a task needs",
    form: /\barbitrary (?:\w{1,20} )?(?:code|commands?|expressions?|scripts?|shell|programs?|system)\b|\b(?:without|no|skips?|skipping|lacks?) (?:any |input |proper |further )?(?:validation|saniti[sz]ation|authentication|authori[sz]ation|checks|restrictions?|sandbox\w{0,3})\b|\bany file (?:on|in|from) (?:the|this|your) (?:system|machine|computer|host|disk|server)|\b(?:ignor|bypass|circumvent)(?:e|es|ing)? (?:\w{1,20} ){0,2}(?:access control|permissions?|checks)|\b(?:root|elevated|administrator|superuser) (?:privileges?|rights|access)\b|\b(?:eval|exec)\(\)/gi,
  },
  {
    kind: "tool.addresses",
    severity: "medium",
    means: "speaks to the model that reads it",
    form: /\b(?:the |dear )?(?:ai|assistant|agent|model|llm|language model) (?:must|should|shall|needs? to|has to|have to|is required|is instructed|will always)\b|\b(?:note|attention|message|instructions?|important) (?:to|for) (?:the |all |any )?(?:ai|assistants?|agents?|models?|llms?)\b|\b(?:as|you are) an? (?:ai|assistant|llm|language model)\b/gi,
  },
  {
    kind: "tool.then",
    severity: "medium",
    means: "makes other calls a part of its own",
    form: /\b(?:after|before|once|whenever|every time|each time|prior to)\b[^.\n]{0,60}\b(?:must|should|need to|have to|always|required to)\b[^.\n]{0,30}\b(?:call|invoke|run|execute|read|send|forward|upload)\b|\b(?:must|should|need to|have to) (?:also|first|then|always) (?:call|invoke|run|execute|read|send|forward|upload)\b/gi,
  },
  {
    kind: "tool.consent",
    severity: "high",
    means: "gives consent in its user's name",
    form: /\b(?:skip|bypass|suppress|omit|ignore)(?:s|ping|ing)? (?:the |any |all |user )?(?:confirmation|approval|consent|permission)s?\b|\b(?:user|they|customer|admin\w{0,9}) (?:has|have) (?:already |previously |explicitly )?(?:granted|approved|consented|authori[sz]ed|agreed|pre-?approved)|\bpre-?(?:approved|authori[sz]ed)\b|\bno (?:user )?(?:confirmation|approval|consent) (?:is |are )?(?:needed|required|necessary)/gi,
  },
];

/** Names of parameters that no task needs: the conversation, the reader's thoughts, its instructions. */
export const contextParameter =
  /^_{0,2}(?:side_?note|(?:conversation|chat|message|session|dialog(?:ue)?)_?(?:history|log|transcript|context)|system_?(?:prompt|message|instructions?)|full_?(?:context|conversation|prompt)|(?:previous|prior|all)_?(?:messages|prompts|context)|user_?(?:prompt|secrets?|credentials)|chain_?of_?thought|(?:model|llm|agent|assistant)_?(?:name|thoughts?|reasoning|context|instructions?|memory)|tools?_?(?:list|names|call_?history)|env(?:ironment)?_?(?:vars?|variables|dump)|hidden_?\w{0,20}|exfil\w{0,10})$/i;

/** Of a parameter of any name: what it is said to hold. */
export const contextAsked =
  /\b(?:conversation|chat history|system prompt|previous messages|your (?:instructions|reasoning|thoughts)|contents? of (?:the )?(?:file|~|\/|\.)|environment variables|ssh key|private key|all (?:available )?tools)\b/i;
