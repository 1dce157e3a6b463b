// Calls between agents by web requests, for runtimes whose `fetch` and server are good at them (Bun, Deno; not Node).
import type { Peers } from "../../src/platform.ts";
import { OperationalError } from "../../src/types/error.ts";
import { isPeerPath, PEER_BODY_BYTES_MAX, type PeerHandle } from "./peers.ts";

/** Answers one request of another agent; `from` is the IP address that it comes from. */
export async function servePeer(handle: PeerHandle, request: Request, from: string): Promise<Response> {
  if (!isPeerPath(new URL(request.url).pathname)) return new Response(null, { status: 404 });
  if (request.method !== "POST") return new Response(null, { status: 405 });
  if (Number(request.headers.get("content-length") ?? 0) > PEER_BODY_BYTES_MAX)
    return new Response(null, { status: 413 });
  const body = new Uint8Array(await request.arrayBuffer());
  const answer = await handle(new URL(request.url).pathname, body, from);
  return new Response(answer as Uint8Array<ArrayBuffer>, { headers: { "Content-Type": "application/octet-stream" } });
}

/** Said by the runtimes of a connection that never was: nothing can have arrived. */
const REFUSED =
  /ECONNREFUSED|ConnectionRefused|Connection refused|EHOSTUNREACH|ENETUNREACH|ENOTFOUND|Unable to connect|dns error|tcp connect error/i;

/** Calls other agents. */
export const fetchPeers: Peers = {
  async call(address, path, body, timeoutMs) {
    try {
      const response = await fetch(`http://${address}${path}`, {
        method: "POST",
        body: body as Uint8Array<ArrayBuffer>,
        signal: AbortSignal.timeout(timeoutMs),
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
