// Calls between agents by web requests, for runtimes whose `fetch` and server are good at them (Bun, Deno; not Node).
import type { Peers } from "../../src/platform.ts";
import { OperationalError } from "../../src/types/error.ts";
import { isPeerPath, PEER_BODY_BYTES_MAX, type PeerHandle } from "../peer-handle.ts";
import { type LinkSink, PeerLink } from "../peer-link.ts";
import { serveStream, STREAM_PATH, STREAM_TYPE } from "../peer-stream-server.ts";

/** Answers one request of another agent; `from` is the IP address that it comes from. */
export async function servePeer(handle: PeerHandle, request: Request, from: string): Promise<Response> {
  if (!isPeerPath(new URL(request.url).pathname)) return new Response(null, { status: 404 });
  if (request.method !== "POST") return new Response(null, { status: 405 });
  if (Number(request.headers.get("content-length") ?? 0) > PEER_BODY_BYTES_MAX)
    return new Response(null, { status: 413 });
  const path = new URL(request.url).pathname;
  if (path === STREAM_PATH && request.body !== null) return streamed(handle, request.body, from);
  const body = new Uint8Array(await request.arrayBuffer());
  const answer = await handle(path, body, from);
  return new Response(answer as Uint8Array<ArrayBuffer>, { headers: { "Content-Type": "application/octet-stream" } });
}

/** What the listener holds of a stream that its client does not take yet. */
const STREAM_BUFFER_BYTES = 64 * 1024;

/** A stream of calls: the request's body is what comes, the answer's what goes. */
function streamed(handle: PeerHandle, incoming: ReadableStream<Uint8Array>, from: string): Response {
  const reader = incoming.getReader();
  let outgoing: ReadableStreamDefaultController<Uint8Array> | null = null;
  const sink: LinkSink = {
    write(parts, bytes) {
      const chunk = new Uint8Array(bytes);
      let at = 0;
      for (const part of parts) {
        chunk.set(part, at);
        at += part.length;
      }
      outgoing?.enqueue(chunk);
      return (outgoing?.desiredSize ?? 0) > 0;
    },
    close() {
      void reader.cancel().catch(() => {});
      try {
        outgoing?.close();
      } catch {
        // Its reader has gone already.
      }
    },
  };
  const link: PeerLink = serveStream(handle, from, sink);
  const body = new ReadableStream<Uint8Array>(
    {
      start(controller) {
        outgoing = controller;
      },
      pull: () => link.drained(),
      cancel: () => link.close("the client has gone"),
    },
    { highWaterMark: STREAM_BUFFER_BYTES, size: (chunk) => chunk.length },
  );
  void (async () => {
    try {
      for (;;) {
        const { done, value } = await reader.read();
        if (done) break;
        link.chunk(value);
      }
      link.close("the client has ended it");
    } catch (error) {
      link.close((error as Error).message);
    }
  })();
  // The head goes out with the first bytes, and the client waits for it.
  link.beat();
  return new Response(body as ReadableStream<Uint8Array<ArrayBuffer>>, {
    headers: { "Content-Type": STREAM_TYPE, "Cache-Control": "no-store, no-transform" },
  });
}

/** Said by the runtimes of a connection that never was: nothing can have arrived. */
const REFUSED =
  /ECONNREFUSED|ConnectionRefused|Connection refused|EHOSTUNREACH|ENETUNREACH|ENOTFOUND|Unable to connect|dns error|tcp connect error/i;

interface DenoGlobal {
  createHttpClient(options: { poolMaxIdlePerHost: number }): object;
}
/**
 * Deno sends a request a second time, on a new connection, when the kept one that it took breaks before the answer: the
 * command would be carried out twice, or, where nobody listens any more, seem never to have been sent. It keeps none.
 */
const { Deno } = globalThis as { Deno?: DenoGlobal };
const once: object = Deno === undefined ? {} : { client: Deno.createHttpClient({ poolMaxIdlePerHost: 0 }) };

/** Calls other agents. */
export const fetchPeers: Peers = {
  async call(address, path, body, timeoutMs) {
    try {
      const response = await fetch(`http://${address}${path}`, {
        method: "POST",
        body: body as Uint8Array<ArrayBuffer>,
        signal: AbortSignal.timeout(timeoutMs),
        ...once,
      });
      const bytes = new Uint8Array(await response.arrayBuffer());
      if (response.ok) return bytes;
      throw new OperationalError("outcome-unknown", `${address}: it answered ${response.status}`);
    } catch (error) {
      if (error instanceof OperationalError) throw error;
      const said = wordsOf(error);
      const isTimeout = (error as Error).name === "TimeoutError" || (error as Error).name === "AbortError";
      const code = isTimeout ? "timeout" : REFUSED.test(said) ? "unreachable" : "outcome-unknown";
      throw new OperationalError(code, `${address}: ${isTimeout ? "no answer in time" : said}`, { cause: error });
    }
  },
};

/** Codes and messages of an error and of what caused it. */
function wordsOf(error: unknown): string {
  const words: string[] = [];
  for (
    let inner = error as (Error & { code?: unknown }) | undefined;
    inner instanceof Error;
    inner = inner.cause as Error | undefined
  ) {
    words.push(inner.message);
    if (typeof inner.code === "string") words.push(inner.code);
  }
  return words.join(": ");
}
