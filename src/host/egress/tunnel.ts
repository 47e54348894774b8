/** A tunnel (RFC 9110 §9.3.6): bytes both ways, counted before they go on; the first TLS message is read as it passes. */
import type { Socket } from "node:net";
import { type Duplex, pipeline, Transform, type TransformCallback } from "node:stream";

import { peekClientHello } from "../../wire/client-hello.ts";
import type { Crossing } from "./egress-desk.ts";

/** Larger than any hello of today's, with post-quantum key shares. */
const maxHelloBytes = 16_384;
/** Of a tunnel on which nothing moves. */
const idleMs = 300_000;

export function runTunnel(client: Duplex, head: Buffer, upstream: Socket, crossing: Crossing): void {
  let over = false;
  const end = (because?: string): void => {
    if (over) return;
    over = true;
    client.destroy();
    upstream.destroy();
    crossing.ended(because);
  };
  upstream.setTimeout(idleMs, () => end("nothing moved for five minutes"));
  client.on("error", () => end());
  upstream.on("error", () => end());
  if (head.length > 0) client.unshift(head);
  client.write("HTTP/1.1 200 Connection established\r\n\r\n");
  let open = 2;
  const done = (error: Error | null | undefined): void => {
    open -= 1;
    if (error) end(error instanceof CutShort ? error.message : undefined);
    else if (open === 0) end();
  };
  pipeline(client, new FirstMessage(crossing), counted(crossing, "sent"), upstream, done);
  pipeline(upstream, counted(crossing, "received"), client, done);
}

/** What stops a stream in the middle, and why. */
export class CutShort extends Error {
  override readonly name = "CutShort";
}

/** Hands bytes on that the crossing was told of, and stops when it says so: none of that chunk goes on. */
export function counted(crossing: Crossing, way: "sent" | "received"): Transform {
  return new Transform({
    transform: (chunk: Buffer, _encoding, done) => {
      let because: string | undefined;
      try {
        because = crossing.moved(way, chunk.length);
      } catch (error) {
        // What can't be judged doesn't go on; thrown here, it would end the sidecar.
        done(error instanceof Error ? error : new Error("it can't be judged", { cause: error }));
        return;
      }
      if (because === undefined) done(null, chunk);
      else done(new CutShort(because));
    },
  });
}

/** Holds what the client says first until it is known whether it is TLS, and with whom. */
class FirstMessage extends Transform {
  readonly #crossing: Crossing;
  #held: Buffer | undefined = Buffer.alloc(0);

  constructor(crossing: Crossing) {
    super();
    this.#crossing = crossing;
  }

  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    if (this.#held === undefined) {
      done(null, chunk);
      return;
    }
    this.#held = Buffer.concat([this.#held, chunk]);
    const peek = peekClientHello(this.#held, maxHelloBytes);
    if (peek.kind === "need-more") done();
    else this.#go(peek.kind === "hello" || peek.kind === "not-tls" ? peek : peek.reason, done);
  }

  /** Less than a whole message, and no more to come: no TLS. */
  override _flush(done: TransformCallback): void {
    if (this.#held === undefined || this.#held.length === 0) done();
    else this.#go({ kind: "not-tls" }, done);
  }

  #go(peek: { readonly kind: string } | string, done: TransformCallback): void {
    const held = this.#held;
    this.#held = undefined;
    const because = typeof peek === "string" ? `it began with ${peek}` : this.#crossing.began(helloOf(peek));
    if (because === undefined) done(null, held);
    else done(new CutShort(because));
  }
}

function helloOf(peek: object): Parameters<Crossing["began"]>[0] {
  return "hello" in peek ? (peek.hello as Parameters<Crossing["began"]>[0]) : undefined;
}
