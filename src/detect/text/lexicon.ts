/**
 * Words by what they do in a sentence that tells somebody to act: a class is a bit, a word may be in several. Few words, in
 * several languages, and none of a topic: what a text is about says nothing on whether it gives orders.
 */

export const classNames = [
  "override",
  "prior",
  "orders",
  "model",
  "you",
  "must",
  "system",
  "urgent",
  "hide",
  "not",
  "tell",
  "user",
  "send",
  "secret",
  "place",
  "read",
  "path",
  "run",
  "tool",
  "before",
  "using",
  "replace",
  "shell",
  "answer",
  "act",
  "role",
  "now",
  "every",
  "please",
  "lock",
] as const;
export type WordClass = (typeof classNames)[number];

/** English first, then Spanish, French, German, Italian, Portuguese, Dutch, Russian; stems of one word stand beside each other. */
const words: Readonly<Record<WordClass, string>> = {
  override: `ignore ignoring ignored disregard disregarding forget override overrides overriding overrule bypass bypassing
    supersede supersedes neglect circumvent discard ignora ignorar ignore olvida olvide olvidar ignorez ignorer oublie oubliez
    ignoriere ignorieren vergiss vergessen missachte dimentica ignori esqueça esqueca negeer vergeet игнорируй игнорируйте
    забудь забудьте проигнорируй`,
  prior: `previous previously prior above earlier preceding former original initial existing foregoing aforementioned
    anteriores anterior previas previa previos précédentes précédents précédente antérieures vorherigen vorherige bisherigen
    obigen früheren precedenti precedente vorige eerdere bovenstaande предыдущие предыдущих прежние прошлые`,
  orders: `instruction instructions prompt prompts rule rules guideline guidelines directive directives order orders
    command commands restriction restrictions constraint constraints safeguards programming instrucciones instrucción
    indicaciones reglas órdenes consignes directives règles ordres anweisungen anweisung befehle regeln vorgaben istruzioni
    regole instruções instrucoes regras instructies opdrachten инструкции инструкций указания правила команды`,
  model: `ai assistant llm agent chatbot bot gpt chatgpt claude copilot gemini llama asistente assistente assistent ki
    ассистент помощник`,
  you: `you your yourself you're youre u usted tú tu votre vos vous du sie dein deine ihre você seu ты вы твой ваш`,
  must: `must shall mandatory required requires require always never ensure obligatory need needs should debes debe
    siempre nunca obligatorio devez toujours jamais obligatoire musst müssen immer niemals unbedingt devi deve sempre mai
    deve obrigatório moet altijd должен должны всегда никогда обязательно`,
  system: `system admin administrator administrative developer root maintenance compliance protocol audit sudo privileged
    sistema administrador système administrateur wartung verwaltung amministratore система администратор`,
  urgent: `important critical urgent urgently immediately immediate attention warning crucial essential imperative asap
    mandatory notice alert importante urgente inmediatamente crítico immédiatement urgence wichtig dringend sofort
    achtung attenzione imediatamente belangrijk onmiddellijk важно срочно немедленно внимание`,
  hide: `secretly silently quietly discreetly covertly conceal concealed hide unnoticed undetected invisibly stealthily
    secretamente discretamente secrètement discrètement heimlich unauffällig still segretamente тайно незаметно`,
  not: `not don't dont never without avoid refrain cannot no nor stop no sin nunca ne pas sans jamais nicht ohne kein keine
    niemals non senza não sem niet zonder не без нельзя`,
  tell: `tell telling mention mentioning inform informing reveal revealing show showing notify notifying disclose disclosing
    display displaying alert alerting say saying explain explaining acknowledge acknowledging ask asking prompting confirm
    confirmation reference discuss expose menciones mencionar informar digas decir mentionner mentionne informer dire
    erwähne erwähnen informiere informieren sagen sage sag menzionare dire mencione informe noem vertel говори сообщай
    упоминай сообщать`,
  user: `user users human humans customer operator anyone usuario utilisateur benutzer nutzer utente usuário gebruiker
    пользователю пользователь пользователя`,
  send: `send sending forward forwarding email mail upload uploading post transmit transmitting exfiltrate exfiltrating leak
    submit share transfer transferring bcc cc deliver relay dispatch wire pay remit envía envia enviar reenvía envoie envoyez
    envoyer transmettez sende senden schicke übermittle übergeben übergib überweise invia inviare trasferisci envie stuur verzend отправь
    отправьте перешли пришли переведи`,
  secret: `password passwords passphrase credential credentials secret secrets token tokens apikey api_key api_keys ssh
    id_rsa private_key cookies cookie pin ssn confidential sensitive private personal keys history conversation transcript
    contraseña contraseñas credenciales clave claves secreto motdepasse identifiants passwort passwörter zugangsdaten
    geheim chiave credenziali senha senhas wachtwoord пароль пароли ключи секрет`,
  place: `http https webhook endpoint attacker external server address url link website remote correo adresse servidor
    serveur сервер адрес ссылка`,
  read: `read reading open access accessing fetch load retrieve cat extract collect gather copy dump list lee leer lis lire
    lies lesen lese lisez leer leggere leggi leia прочитай открой`,
  path: `bashrc zshrc profile passwd authorized_keys hosts crontab env dotenv config configuration startup registry`,
  run: `execute executing run running invoke invoking launch eval exec download install perform ejecuta ejecutar exécute
    exécutez führe ausführen esegui execute voer выполни запусти`,
  tool: `tool tools function functions mcp plugin plugins api`,
  before: `before prior after first whenever when once upon antes avant bevor zuvor prima voor перед прежде`,
  using: `using calling use call invoke invoking invocation responding answering proceeding processing returning continuing
    accessing executing running performing doing usar utiliser verwenden`,
  replace: `instead replace replacing substitute change changing modify modifying redirect redirecting alter swap rewrite
    overwrite switch convert append prepend prefix suffix insert inject inserting adding reemplaza remplace ersetze
    sostituisci замени вместо`,
  shell: `curl wget bash sh sudo rm chmod chown nc netcat powershell base64 scp rsync ssh-keygen nslookup dig crontab
    mkfifo python eval xargs tee cmd.exe`,
  answer: `response responses answer answers reply replies output outputs message completion summary respuesta réponse
    antwort risposta resposta antwoord ответ ответе`,
  act: `add analyze append apply approve ask assign attach authorize block book break bring build buy bypass calculate call
    cancel capture change check choose clear click close collect combine complete compose compromise compute conduct confirm
    connect convert copy corrupt create decode delete deliver deploy describe destroy detail develop direct disable
    disclose discontinue display disrupt divert do download draft drop edit email enable encode encrypt ensure erase
    escalate establish examine execute exploit explain export expose extract fabricate falsify fetch fill find follow format
    forward generate get give go grant group halt identify implement import include incorporate infect inform initiate
    inject insert inspect install integrate introduce invoke join leak list load locate log login look mail make manipulate
    map mark merge migrate misreport mislead modify monitor move navigate notify obtain obstruct offer open order output
    overload override paste pay perform place plant post prepare present print proceed produce promote prompt propagate
    provide publish purchase put query quote read rearrange recommend record redirect refer refund register reject relay
    release remove rename render repeat replace reply report request reroute reschedule reserve reset respond restart
    restore retrieve return reveal reverse review revoke rewrite run sabotage save scan schedule scramble search select sell
    send set share show shut simulate skip spread start steal stop store submit substitute suggest summarize suspend swap
    switch tamper tell terminate test track transfer translate transmit trigger turn type undermine unlock unsubscribe
    update upload use validate verify view visit wipe withdraw write`,
  role: `pretend imagine roleplay simulate impersonate jailbreak jailbroken dan unrestricted unfiltered actúa imagina imagine
    fais-semblant stell притворись представь`,
  now: `now new updated revised nuevas nuevos nouvelles neue nuove novas henceforth onwards forward ahora désormais maintenant jetzt nun ora agora nu теперь отныне`,
  every: `every each any all whenever always cualquier todas chaque tous toutes jede jeder alle ogni tutti todas alle каждый
    все любой`,
  please: `please kindly por favor svp bitte prego пожалуйста`,
  lock: `unless until otherwise fail fails failure prevent corrupt corruption error work works function properly
    requirement security integrity`,
};

/** Of a word, its classes as bits; 0 of most. */
export const classesOf: ReadonlyMap<string, number> = bits();

function bits(): ReadonlyMap<string, number> {
  const found = new Map<string, number>();
  for (const [i, name] of classNames.entries()) {
    for (const word of words[name].split(/\s+/)) found.set(word, (found.get(word) ?? 0) | (1 << i));
  }
  return found;
}

export function bitOf(name: WordClass): number {
  return 1 << classNames.indexOf(name);
}
