/** What somebody who stands between two ends can try with the messages that pass. */
import type { Meddling } from "./man-in-the-middle.ts";
import {
  type Attack,
  answers,
  calls,
  claimAnew,
  exchanged,
  flipped,
  holderOf,
  isCall,
  isVictims,
  mallory,
  ownKeysFor,
  parsed,
  pays,
  paysAgain,
  paysTwice,
  poison,
  put,
  reads,
  resign,
  strip,
  toMallory,
  together,
  wasPaid,
  wasTold,
  withParams,
  withResult,
  withoutAttestations,
  withoutExtension,
} from "./meddling.ts";
import {
  attestMethod,
  type Claims,
  claimsOf,
  fromBase64url,
  freshClaims,
  type Holder,
  keysMethod,
  leafOf,
  type Message,
  type OwnKeys,
  ownKeys,
  payloadOf,
  rootOf,
  sigMember,
} from "./own-signatures.ts";

/** Introduces keys, in whosever name. */
export function keysQuestion(keys: OwnKeys, { iss, aud }: Pick<Claims, "iss" | "aud">): Message {
  const params = { keys: keys.jwks };
  const question = { jsonrpc: "2.0", id: "k", method: keysMethod, params };
  const claims = freshClaims({ dir: "req", iss, aud, method: keysMethod }, question);
  const _meta = { [sigMember]: { ...keys.direct(claims), own: true } };
  return { ...question, params: { ...params, _meta } };
}

/** Each call signed anew, in that name. */
export function signedBy(keys: OwnKeys, iss: string): Meddling {
  return calls((message) => resign(message, keys, { iss }));
}

/** Keys of his own in the server's name, and answers that they sign. */
export function secondIdentity(keys: OwnKeys): Meddling {
  return together(
    ownKeysFor(keys),
    answers((message) => {
      poison(message);
      resign(message, keys, {});
    }),
  );
}

export const attacks: readonly Attack[] = [
  {
    name: "a byte of an argument flipped",
    meddling: () => flipped('"to":"alice"', '"to":"alicf"', "call"),
    victim: pays,
    landed: wasPaid("alicf"),
  },
  {
    name: "an argument changed, and the claims with it",
    meddling: () =>
      calls((message) => {
        toMallory(message);
        claimAnew(message);
      }),
    victim: pays,
    landed: wasPaid("mallory"),
  },
  {
    name: "a byte of an answer flipped",
    meddling: () => flipped("paid 10", "paie 10", "answer"),
    victim: pays,
    landed: wasTold("paie"),
  },
  {
    name: "an answer changed, and the claims with it",
    meddling: () =>
      answers((message) => {
        poison(message);
        claimAnew(message);
      }),
    victim: pays,
    landed: wasTold("poison"),
  },
  {
    name: "a byte of a resource flipped",
    meddling: () => flipped("1.0829", "1.0828", "answer"),
    victim: reads,
    landed: wasTold("1.0828"),
  },
  {
    name: "the end of a stream changed",
    meddling: () => answers(poison),
    victim: async (client) => [await client.tool("slip", { to: "alice", amount: "10" })],
    landed: wasTold("poison"),
  },
  {
    name: "a long answer changed at its end",
    meddling: () => ({
      answer: (bytes) =>
        bytes.length < 1_500_000
          ? bytes
          : Buffer.from(bytes.toString("latin1").replace(/x"/, 'y"'), "latin1"),
    }),
    victim: async (client) => [await client.tool("statement", { bytes: 1_500_000 })],
    landed: wasTold('xy"'),
  },
  {
    name: "two calls exchanged",
    meddling: () => {
      const swap = exchanged<Holder | undefined>();
      return calls(async ({ params, ...message }) => withParams(message, await swap(params)));
    },
    victim: paysTwice,
    landed: ([first], _done) => first?.text.includes("bob") === true,
  },
  {
    name: "two answers exchanged",
    meddling: () => {
      const swap = exchanged<Holder | undefined>();
      return answers(async (message) => withResult(message, await swap(message.result)));
    },
    victim: paysTwice,
    landed: ([first], _done) => first?.text.includes("bob") === true,
  },
  {
    name: "a call replayed at once",
    meddling: () => ({
      call: async (passing) => {
        if (isCall(parsed(passing.body))) await passing.send(passing.body);
        return passing.body;
      },
    }),
    victim: pays,
    landed: wasPaid("alice", 2),
  },
  {
    name: "a call replayed later, instead of another",
    meddling: () => {
      let first: Message | undefined;
      return calls((message) => withParams(message, (first ??= message).params));
    },
    victim: paysAgain,
    landed: wasPaid("alice", 2),
  },
  {
    name: "an answer replayed to a later call",
    meddling: () => {
      let first: Message | undefined;
      return answers((message) => withResult(message, (first ??= message).result));
    },
    victim: paysAgain,
    landed: ([, second]) => second?.text.includes("paid 10 to alice") === true,
  },
  {
    name: "a call's signature taken away",
    meddling: () =>
      calls((message) => {
        toMallory(message);
        strip(message);
      }),
    victim: pays,
    landed: wasPaid("mallory"),
  },
  {
    name: "an answer's signature taken away",
    meddling: () =>
      answers((message) => {
        poison(message);
        strip(message);
      }),
    victim: pays,
    landed: wasTold("poison"),
  },
  {
    name: "a call signed anew by another identity of the house",
    meddling: () => {
      const keys = ownKeys();
      return calls((message) => {
        toMallory(message);
        resign(message, keys, { iss: mallory });
      });
    },
    victim: pays,
    landed: wasPaid("mallory"),
  },
  {
    name: "an answer signed anew by another identity of the house",
    meddling: () => {
      const keys = ownKeys();
      return answers((message) => {
        poison(message);
        resign(message, keys, { iss: mallory });
      });
    },
    victim: pays,
    landed: wasTold("poison"),
  },
  {
    name: "a call signed by a second identity in the caller's name",
    meddling: () => {
      const keys = ownKeys();
      return calls((message) => {
        toMallory(message);
        resign(message, keys, {});
      });
    },
    victim: pays,
    landed: wasPaid("mallory"),
  },
  {
    name: "a second identity in the caller's name, introduced with its keys",
    meddling: () => {
      const keys = ownKeys();
      return calls(async (message, { send }) => {
        const { iss = "", aud = "" } = claimsOf(message) ?? {};
        await send(JSON.stringify(keysQuestion(keys, { iss, aud })));
        toMallory(message);
        resign(message, keys, {});
      });
    },
    victim: pays,
    landed: wasPaid("mallory"),
  },
  {
    name: "answers signed by a second identity in the server's name",
    meddling: () => secondIdentity(ownKeys()),
    victim: pays,
    landed: wasTold("poison"),
  },
  {
    name: "a tool's description changed within a session",
    meddling: () => answers(poison),
    victim: async (client) => [await client.ask("tools/list")],
    landed: wasTold("poison"),
  },
  {
    name: "the extension taken out of the negotiation, and every signature",
    meddling: () => ({
      call: ({ body }) => {
        const message = parsed(body);
        strip(message);
        withoutExtension(message.params);
        if (message.method === "tools/call") toMallory(message);
        return JSON.stringify(message);
      },
      answer: (bytes) => {
        const message = parsed(bytes);
        strip(message);
        withoutExtension(message.result);
        return JSON.stringify(message);
      },
      instead: ({ body }) => {
        const { id, method } = parsed(body);
        if (method !== keysMethod && method !== attestMethod) return undefined;
        return { body: JSON.stringify({ jsonrpc: "2.0", id, error: { code: -32601, message: "no" } }) };
      },
    }),
    victim: async (client) => {
      await client.ask("initialize", { protocolVersion: "2025-11-25", capabilities: {}, clientInfo: {} });
      return await pays(client);
    },
    landed: wasPaid("mallory"),
  },
  {
    name: "a call given back as its own answer",
    meddling: () =>
      answers((message, call) => {
        poison(message);
        const member = holderOf(call)._meta?.[sigMember];
        if (member !== undefined) put(message, member);
      }),
    victim: pays,
    landed: wasTold("poison"),
  },
  {
    name: "a call signed with a weaker algorithm",
    meddling: () => {
      const keys = ownKeys();
      return calls((message) => {
        toMallory(message);
        resign(message, keys, {}, "ML-DSA-44");
      });
    },
    victim: pays,
    landed: wasPaid("mallory"),
  },
  {
    name: "a signed call made one that is only promised",
    meddling: () =>
      calls((message) => {
        toMallory(message);
        claimAnew(message);
        const payload = payloadOf(message);
        if (payload !== undefined) put(message, { v: 1, payload, batch: "AAAAAAAAAAAAAAAAAAAAAA", seq: 0 });
      }),
    victim: pays,
    landed: wasPaid("mallory"),
  },
];

/** What can be tried only where signatures come in batches: a promise is not yet a signature. He goes on with it. */
export const batchAttacks: readonly Attack[] = [
  {
    name: "no attestation comes through",
    meddling: () =>
      together(
        calls((message) => {
          if (!isVictims(message)) return;
          toMallory(message);
          claimAnew(message);
        }),
        withoutAttestations(() => ({ error: { code: -32603, message: "not now" } })),
      ),
    victim: pays,
    landed: wasPaid("mallory"),
  },
  {
    name: "attestations of other leaves",
    meddling: () => ({
      call: ({ body }) => {
        const message = parsed(body);
        const leaves = message.method === attestMethod ? message.params?.leaves : undefined;
        if (message.params === undefined || leaves === undefined) return body;
        const other = Buffer.alloc(32, 7).toString("base64url");
        return JSON.stringify({ ...message, params: { ...message.params, leaves: leaves.map(() => other) } });
      },
    }),
    victim: pays,
    landed: () => true,
  },
  {
    name: "attestations signed by a second identity in the caller's name",
    meddling: () => {
      const keys = ownKeys();
      const leaf = new Map<string, string>();
      return {
        call: ({ body }) => {
          const message = parsed(body);
          const { params } = message;
          if (isVictims(message)) {
            const before = payloadOf(message) ?? "";
            toMallory(message);
            claimAnew(message);
            leaf.set(leafOf(before), leafOf(payloadOf(message) ?? ""));
            return JSON.stringify(message);
          }
          if (message.method !== attestMethod || params?.leaves === undefined) return body;
          const leaves = params.leaves.map((each) => leaf.get(each) ?? each);
          const claims = JSON.parse(fromBase64url(params.statement?.payload ?? "")) as object;
          const said = JSON.stringify({ ...claims, root: rootOf(leaves) });
          const changed = { ...params, leaves, statement: keys.jws("mcp-batch+jws", said) };
          const anew = { ...message, params: changed };
          resign(anew, keys, {});
          return JSON.stringify(anew);
        },
      };
    },
    victim: pays,
    landed: wasPaid("mallory"),
  },
];
