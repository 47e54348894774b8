/** Cues that are a form and no words: what poses as a conversation's frame, commands, paths, pictures that carry data out. */
import type { Severity } from "../../model/finding.ts";

interface Mark {
  readonly kind: string;
  readonly severity: Severity;
  readonly means: string;
  /** Linear: bounded repetition, and no two of them that can share characters. */
  readonly form: RegExp;
}

export const marks = [
  {
    kind: "mark.frame",
    severity: "high",
    means: "poses as a part of the conversation that others write",
    form: /<\/?(?:system|important|instructions?|admin|assistant|secret|hidden|information|tool_result|function_results|user)\b[^<>]{0,40}>|\[\/?(?:inst|system|important|admin)\b[^[\]]{0,20}\]|<\|(?:im_(?:start|end)|system|user|assistant|endoftext)\|>|<<\/?sys>>|^[ \t#*>-]{0,6}(?:system|developer|new|updated) (?:prompt|instructions?|message|directive)s?\b|\b(?:end|begin|start) of (?:the )?(?:prompt|input|context|document|system|instructions?)\b/gim,
  },
  {
    kind: "mark.image",
    severity: "high",
    means: "a picture whose address would carry data out",
    form: /!\[[^[\]]{0,200}\]\(\s{0,3}https?:\/\/[^()\s?]{1,300}\?[^()\s=]{1,60}=/gi,
  },
  {
    kind: "mark.shell",
    severity: "medium",
    means: "a shell command that loads, sends or deletes",
    form: /\b(?:curl|wget)\s+(?:-{1,2}[\w-]{1,20}\s+){0,6}["']?(?:https?:|\$|[\w-]{1,60}\.[a-z]{2,10}\/)|\brm\s+-rf?\b|\|\s{0,3}(?:ba|z)?sh\b|\bbase64\s+-d\b|\bnc\s+-[a-z]{0,4}e\b|\bchmod\s+(?:\+x|777)\b|>>\s{0,3}~?\/[\w./-]{1,60}|\bos\.system\(|\bsubprocess\.(?:run|popen|call|check_output)\(/gi,
  },
  {
    kind: "mark.path",
    severity: "medium",
    means: "a path where secrets or start-up files are",
    form: /(?:~|\$HOME|\/home\/\w{1,32}|\/root)\/\.[\w./-]{2,60}|\/etc\/(?:passwd|shadow|sudoers|hosts|cron[\w.]{0,10})|(?<![\w])\.(?:env|ssh|aws|bashrc|zshrc|npmrc|netrc|kube)\b|\bid_(?:rsa|ed25519)\b|\bauthorized_keys\b|\bmcp\.json\b/gi,
  },
  {
    kind: "told.override",
    severity: "high",
    means: "tells the reader to ignore what it was told before",
    form: /(?:忽略|无视|忘记|不要理会)[^。\n]{0,8}(?:之前|以上|先前|上述|前面|所有)[^。\n]{0,8}(?:指令|指示|提示|规则|命令|内容)|(?:以前|これまで|上記|前)の[^。\n]{0,8}(?:指示|命令|ルール|プロンプト)[^。\n]{0,6}(?:無視|忘れ)|(?:이전|위의|앞의)[^.\n]{0,10}(?:지시|명령|규칙|프롬프트)[^.\n]{0,8}(?:무시|잊)|(?:تجاهل|انس)[^.\n]{0,20}(?:التعليمات|الأوامر|السابقة)|(?:अनदेखा|नज़रअंदाज़|भूल)[^।\n]{0,20}(?:निर्देश|आदेश)|(?:निर्देश|आदेश)[^।\n]{0,20}(?:अनदेखा|नज़रअंदाज़|भूल)/g,
  },
  {
    kind: "told.conceal",
    severity: "high",
    means: "tells the reader to keep something from its user",
    form: /(?:不要|别|勿)[^。\n]{0,6}(?:告诉|告知|通知|提及)[^。\n]{0,6}(?:用户|任何人)|ユーザーに[^。\n]{0,12}(?:言わ|知らせ|伝え)な|사용자에게[^.\n]{0,12}(?:말하지|알리지)/g,
  },
] as const satisfies readonly Mark[];
