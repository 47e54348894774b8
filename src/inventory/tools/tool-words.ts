/** What words of names and descriptions say that a tool does: the verb it begins with, and what it deals in. */

const rows = {
  reading:
    "get gets list lists search searches read reads view views check checks find finds query queries describe describes show shows count counts look lookup browse browses inspect retrieve retrieves fetch fetches return returns provide provides calculate calculates compute analyze analyse analyzer summarize explain compare validate verify estimate extract convert parse detect explore monitor info display preview diff resolve whoami ping discover locate determine identify obtain tail evaluate think route geocode translate rank classify match matches autocomplete visualize enrich enriches scan navigate",
  writing:
    "create creates add adds make makes new insert inserts append appends register write writes update updates change changes modify modifies edit edits set sets replace replaces rename renames adjust configure alter put patch save saves store stores upsert merge merges move moves copy clone fork import assign enable disable approve accept confirm book reserve schedule order buy purchase subscribe unsubscribe follow open close start stop pause resume lock unlock grant attach link unlink restore sync deploy install run execute exec invoke trigger launch commit generate draft mark toggle apply activate deactivate connect switch scale upgrade ingest finalize vacuum click fill press",
  destroying:
    "delete deletes remove removes erase erases drop drops wipe wipes purge purges destroy destroys clear clears uninstall kick ban cancel cancels revoke revokes terminate terminates kill kills reset resets truncate overwrite overwrites shutdown unpublish rollback transfer transfers pay pays withdraw refund",
  /** Verbs alone. */
  sending:
    "send sends publish publishes share shares forward forwards notify notifies upload uploads broadcast transmit submit submits deliver invite invites reply replies push export exports tweet transfer transfers pay pays",
  /** Things as well as verbs: verbs where nothing else in the name is one. */
  sendingThings: "email mail message post comment dm sms webhook",
  running: "run execute exec eval shell bash command script terminal spawn powershell subprocess",
  outside:
    "web website webpage internet news feed rss google bing twitter reddit youtube wikipedia crawl scrape browser",
  fromOthers:
    "inbox emails mails messages issues comments reviews tickets threads conversations discussions attachments feedback posts requests",
  private:
    "file files directory folder document documents drive database sql table tables row rows record records patient patients customer customers account accounts balance balances transaction transactions invoice invoices contact contacts calendar mail mails email emails inbox message messages note notes user users employee employees credential credentials secret secrets password passwords env memory clipboard history medical payroll salary crm repository logs",
} as const;

export type WordKind = keyof typeof rows;

const kindsOf = new Map<string, Set<WordKind>>();
for (const kind of Object.keys(rows) as WordKind[]) {
  for (const word of rows[kind].split(" ")) kindsOf.set(word, (kindsOf.get(word) ?? new Set()).add(kind));
}

export function isWordOf(kind: WordKind, word: string | undefined): boolean {
  return word !== undefined && kindsOf.get(word)?.has(kind) === true;
}

/** Longer texts are no names. */
const longestName = 256;
const mostWords = 24;

/** `server__sendMoney` is send, money: what stands before two underscores is a server's name. */
export function wordsOfName(name: string): readonly string[] {
  const cut = name.slice(0, longestName);
  return wordsIn(cut.slice(cut.lastIndexOf("__") + 1));
}

/** Words of a text's first sentence, in lower case. */
export function firstWords(text: string): readonly string[] {
  const sentence = /^[^.!?\n]{0,400}/.exec(text.trimStart())?.[0] ?? "";
  return wordsIn(sentence);
}

function wordsIn(text: string): readonly string[] {
  return text
    .replaceAll(/([a-z0-9])([A-Z])/g, "$1 $2")
    .toLowerCase()
    .split(/[^\p{L}\p{N}]+/u)
    .filter((word) => word !== "")
    .slice(0, mostWords);
}
