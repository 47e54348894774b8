/** A person with a browser: follows redirects and forms, keeps cookies by host, and says yes where it is asked to. */
export interface Visit {
  readonly status: number;
  readonly text: string;
  readonly url: string;
}

export interface Person {
  readonly visit: (url: string) => Promise<Visit>;
  /** Opens a consent page and answers it; goes on from there until a page shows no further way. */
  readonly answer: (url: string, answer: "yes" | "no") => Promise<Visit>;
  /** Follows redirects until the one back to loopback: its URL. */
  readonly until: (url: string) => Promise<string>;
  /** Answers a consent page and follows until there. */
  readonly answerUntilBack: (url: string) => Promise<string>;
}

const maxSteps = 20;

export function person(): Person {
  const jar = new Map<string, string>();
  const step = async (url: string, init: RequestInit = {}): Promise<Response> => {
    const cookie = [...jar].map(([name, value]) => `${name}=${value}`).join("; ");
    const answer = await fetch(url, {
      ...init,
      redirect: "manual",
      headers: { cookie, ...(init.body !== undefined && { origin: new URL(url).origin }) },
    });
    for (const line of answer.headers.getSetCookie()) {
      const [, name = "", value = ""] = /^([^=]+)=([^;]*)/.exec(line) ?? [];
      if (value === "") jar.delete(name);
      else jar.set(name, value);
    }
    return answer;
  };
  const walk = async (start: string, init: RequestInit, isEnd: (url: string) => boolean): Promise<Visit> => {
    let [url, now] = [start, init];
    for (let steps = 0; steps < maxSteps; steps++) {
      if (isEnd(url)) return { status: 0, text: "", url };
      const answer = await step(url, now);
      const text = await answer.text();
      const next =
        answer.headers.get("location") ?? /http-equiv="refresh" content="0;url=([^"]+)"/.exec(text)?.[1];
      if (next === undefined) return { status: answer.status, text, url };
      [url, now] = [new URL(next.replaceAll("&amp;", "&"), url).href, {}];
    }
    throw new Error("no end of redirects");
  };
  const visit = (url: string): Promise<Visit> => walk(url, {}, () => false);
  const consent = async (url: string, answer: string, isEnd: (url: string) => boolean): Promise<Visit> => {
    const page = await visit(url);
    const token = /name="token" value="([^"]+)"/.exec(page.text)?.[1] ?? "";
    const body = new URLSearchParams({ token, answer });
    return await walk(url, { method: "POST", body }, isEnd);
  };
  return {
    visit,
    until: async (url) => (await walk(url, {}, isBack)).url,
    answer: (url, answer) => consent(url, answer, () => false),
    answerUntilBack: async (url) => (await consent(url, "yes", isBack)).url,
  };
}

function isBack(url: string): boolean {
  return new URL(url).pathname === "/callback";
}
