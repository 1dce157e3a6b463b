// What the listeners of Bun and Deno have in common. Their servers give requests, not connections: none can be counted or
// refused as it opens. So what one client may hold is limited by its requests under way: a blocking query, a body that
// drips in, a log being followed. What is answered at once is not counted, and costs nothing here.
import { type Reply, textReply, toResponse } from "../src/http/reply.ts";
import { WebRequest } from "../src/http/web-request.ts";
import { BUSY_TEXT, type Handle } from "./node/http.ts";

type Chunk = Uint8Array<ArrayBuffer>;

/** How a runtime tells of a request's connection; `C` is what it hands over beside the request. */
export interface ConnectionFacts<C> {
  /** The client's address, without port. */
  address(request: Request, context: C): string;
  /** The request is held from now on, or no longer: until then its connection may be silent. */
  held?(request: Request, context: C, held: boolean): void;
}

export class WebAnswers<C> {
  readonly #handle: Handle;
  readonly #facts: ConnectionFacts<C>;
  #max: number;
  #held = 0;
  readonly #heldBy = new Map<string, number>();

  /** @param max requests under way of one address; 0 for any number */
  constructor(handle: Handle, max: number, facts: ConnectionFacts<C>) {
    this.#handle = handle;
    this.#max = max;
    this.#facts = facts;
  }

  /** Applies a changed limit to new requests. */
  limit(max: number): void {
    this.#max = max;
  }

  /** Answers a request, at once when the answer is at hand. @param target as it was sent */
  answer(request: Request, target: string, context: C): Response | Promise<Response> {
    const address = (): string => this.#facts.address(request, context);
    if (this.#max > 0 && this.#held >= this.#max && (this.#heldBy.get(address()) ?? 0) >= this.#max)
      return toResponse(textReply(429, BUSY_TEXT));
    const reply = this.#handle(new WebRequest(request, address, target));
    if (!(reply instanceof Promise) && !(reply.body instanceof ReadableStream)) return toResponse(reply);
    const release = this.#hold(request, context);
    if (reply instanceof Promise) return reply.then((late) => released(late, release));
    return released(reply, release);
  }

  /** Gives how to let go of it. */
  #hold(request: Request, context: C): () => void {
    const facts = this.#facts;
    const address = facts.address(request, context);
    facts.held?.(request, context, true);
    this.#held += 1;
    this.#heldBy.set(address, (this.#heldBy.get(address) ?? 0) + 1);
    let held = true;
    const release = (): void => {
      if (!held) return;
      held = false;
      facts.held?.(request, context, false);
      this.#held -= 1;
      const left = (this.#heldBy.get(address) ?? 1) - 1;
      if (left === 0) this.#heldBy.delete(address);
      else this.#heldBy.set(address, left);
    };
    // A blocking query whose client goes away is never answered.
    if (request.method === "GET") request.signal.addEventListener("abort", release, { once: true });
    return release;
  }
}

/** A stream is under way until it has ended or its reader has gone; anything else is done. */
function released(reply: Reply, release: () => void): Response {
  const { body } = reply;
  if (body instanceof ReadableStream) return toResponse({ ...reply, body: told(body, release) });
  release();
  return toResponse(reply);
}

function told(body: ReadableStream<Chunk>, ended: () => void): ReadableStream<Chunk> {
  const reader = body.getReader();
  return new ReadableStream<Chunk>(
    {
      async pull(controller) {
        try {
          const { done, value } = await reader.read();
          if (!done) {
            controller.enqueue(value);
            return;
          }
          controller.close();
        } catch (error) {
          controller.error(error);
        }
        ended();
      },
      async cancel(reason) {
        ended();
        await reader.cancel(reason);
      },
    },
    { highWaterMark: 0 },
  );
}
