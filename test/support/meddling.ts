/** What an attack on messages is made of: who is the victim, what is changed on the way, and how one sees that it worked. */
import type { Bank, BankClient, Told } from "./bank.ts";
import type { Meddling, Passing } from "./man-in-the-middle.ts";
import {
  attestMethod,
  bodyDigest,
  type Claims,
  claimsOf,
  extensionId,
  type Holder,
  keysMethod,
  type Message,
  type OwnKeys,
  type SigMember,
  sigMember,
} from "./own-signatures.ts";

export interface Attack {
  readonly name: string;
  readonly meddling: () => Meddling;
  /** What a client does meanwhile. */
  readonly victim: (client: BankClient) => Promise<readonly Told[]>;
  /** Whether he had his way: something was done, or told to the client, that nobody said. */
  readonly landed: (told: readonly Told[], done: Bank["done"]) => boolean;
}

export const mallory = "spiffe://latticegate.local/agent/mallory";

/** The victim's usual call. */
export const pays = async (client: BankClient): Promise<readonly Told[]> => [await client.pay("alice", "10")];
export const reads = async (client: BankClient): Promise<readonly Told[]> => [
  await client.ask("resources/read", { uri: "mem://rates" }),
];
export const paysTwice = (client: BankClient): Promise<readonly Told[]> =>
  Promise.all([client.pay("alice", "10"), client.pay("bob", "20")]);
export const paysAgain = async (client: BankClient): Promise<readonly Told[]> => [
  await client.pay("alice", "10"),
  await client.pay("bob", "20"),
];

export const wasPaid =
  (what: string, times = 1): Attack["landed"] =>
  (_told, done) =>
    done.filter((each) => each.startsWith("pay ") && each.includes(what)).length >= times;
export const wasTold =
  (what: string): Attack["landed"] =>
  (told) =>
    told.some(({ text }) => text.includes(what));

export const isCall = ({ method = "" }: Message): boolean =>
  ["tools/call", "resources/read", "tools/list"].includes(method);

/** The message as it goes on, if it isn't the one that came, changed in place. */
type Changed = Message | void | Promise<Message | void>;

/** Changes each message of the victim's own work, and leaves what the ends say to each other. */
export function calls(change: (message: Message, passing: Passing) => Changed): Pick<Meddling, "call"> {
  return {
    call: async (passing) => {
      const message = parsed(passing.body);
      if (!isCall(message)) return passing.body;
      return JSON.stringify((await change(message, passing)) ?? message);
    },
  };
}

/** Bytes for bytes of the same length. */
export function flipped(found: string, instead: string, where: "call" | "answer"): Meddling {
  const flip = (bytes: Buffer): string => bytes.toString().replace(found, instead);
  return where === "call" ? { call: ({ body }) => flip(body) } : { answer: flip };
}

export function answers(change: (message: Message, call: Message) => Changed): Pick<Meddling, "answer"> {
  return {
    answer: async (bytes, passing) => {
      const message = parsed(bytes);
      const call = parsed(passing.body);
      if (!isCall(call) || message.result === undefined) return bytes;
      return JSON.stringify((await change(message, call)) ?? message);
    },
  };
}

/** The victim's usual call, and not what comes later. */
export function isVictims({ method, params }: Message): boolean {
  return method === "tools/call" && params?.arguments?.["amount"] === "10";
}

export function parsed(bytes: Buffer): Message {
  return bytes.length === 0 ? {} : (JSON.parse(bytes.toString()) as Message);
}

export function holderOf(message: Message): Holder {
  return message.params ?? message.result ?? {};
}

export function withParams(message: Message, params: Holder | undefined): Message {
  return { ...message, ...(params && { params }) };
}

export function withResult(message: Message, result: Holder | undefined): Message {
  return { ...message, ...(result && { result }) };
}

export function toMallory({ params }: Message): void {
  if (params !== undefined) params.arguments = { ...params.arguments, to: "mallory" };
}

export function poison({ result = {} }: Message): void {
  if (result.contents !== undefined) result.contents = [{ ...result.contents[0], text: "poison" }];
  else if (result.tools !== undefined)
    result.tools = result.tools.map((tool) => ({ ...tool, description: "poison" }));
  else result.content = [{ type: "text", text: "poison" }];
}

export function strip(message: Message): void {
  const holder = holderOf(message);
  const isAlone = holder._meta?.[sigMember]?.own === true;
  delete holder._meta?.[sigMember];
  if (isAlone) delete holder._meta;
}

/** What carries claims, in place of what there is. */
export function put(message: Message, member: SigMember): void {
  const holder = holderOf(message);
  const own = holder._meta?.[sigMember]?.own;
  holder._meta = { ...holder._meta, [sigMember]: { ...member, ...(own === true && { own }) } };
}

/** Writes the claims anew so that they say what the message says now, under the signature that was there. */
export function claimAnew(message: Message): void {
  const claims = claimsOf(message);
  const member = holderOf(message)._meta?.[sigMember];
  if (claims === undefined || member === undefined) return;
  const text = JSON.stringify({ ...claims, body: bodyDigest(message) });
  const payload = Buffer.from(text).toString("base64url");
  put(
    message,
    member.jws === undefined ? { ...member, payload } : { ...member, jws: { ...member.jws, payload } },
  );
}

/** Signs with his own keys what the message says now; the rest of the claims as they were, but for `more`. */
export function resign(
  message: Message,
  keys: OwnKeys,
  more: Partial<Claims>,
  algorithm?: Parameters<OwnKeys["direct"]>[1],
): void {
  const claims = claimsOf(message);
  if (claims !== undefined)
    put(message, keys.direct({ ...claims, body: bodyDigest(message), ...more }, algorithm));
}

/** Answers the ends' question for keys with his own, in the server's name. */
export function ownKeysFor(keys: OwnKeys): Pick<Meddling, "instead" | "answer"> {
  return {
    answer: (bytes, { body }) => {
      const [answer, call] = [parsed(bytes), parsed(body)];
      if (call.method !== keysMethod || answer.result === undefined) return bytes;
      answer.result.keys = keys.jwks;
      resign(answer, keys, {});
      return JSON.stringify(answer);
    },
  };
}

export function together(...all: readonly Meddling[]): Meddling {
  return {
    call: async (passing) => {
      let { body } = passing;
      for (const { call } of all) body = Buffer.from((await call?.({ ...passing, body })) ?? body);
      return body;
    },
    answer: async (message, passing) => {
      let bytes = message;
      for (const { answer } of all) bytes = Buffer.from((await answer?.(bytes, passing)) ?? bytes);
      return bytes;
    },
    instead: async (passing) => {
      for (const { instead } of all) {
        const answering = await instead?.(passing);
        if (answering !== undefined) return answering;
      }
      return undefined;
    },
  };
}

/** Holds the first of two until the second is there, and gives each what the other has; what comes later keeps its own. */
export function exchanged<T>(): (mine: T) => Promise<T> {
  const first = Promise.withResolvers<T>();
  const second = Promise.withResolvers<T>();
  let count = 0;
  return async (mine) => {
    count++;
    if (count > 2) return mine;
    (count === 1 ? first : second).resolve(mine);
    return await (count === 1 ? second : first).promise;
  };
}

/** Answers the callers' attestations himself; the servers' come with the answers, so they don't either. */
export function withoutAttestations(answer: () => object): Meddling {
  return {
    instead: ({ body }) => {
      const { id, method } = parsed(body);
      if (method !== attestMethod) return undefined;
      return { body: JSON.stringify({ jsonrpc: "2.0", id, ...answer() }) };
    },
  };
}

export function withoutExtension(holder: Holder | undefined): void {
  for (const capabilities of [
    holder?.capabilities,
    holder?._meta?.["io.modelcontextprotocol/clientCapabilities"],
  ]) {
    delete capabilities?.extensions?.[extensionId];
    delete capabilities?.experimental?.[extensionId];
  }
}
