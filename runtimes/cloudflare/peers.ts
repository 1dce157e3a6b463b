// Calls to agents of other datacenters from an object: web requests, since nothing else leaves it.
import type { Peers } from "../../src/platform.ts";
import { OperationalError } from "../../src/types/error.ts";
import type { PeerHandle } from "../peer-handle.ts";

/** What one call may carry: the memory of an object is 128 MB. */
const CALL_BYTES_MAX = 32 * 1024 * 1024;
const PREFIXES = ["/rpc/", "/raft/", "/gossip/"];

/** What agents call; the API has other paths. */
export const isCallPath = (path: string): boolean => PREFIXES.some((prefix) => path.startsWith(prefix));

/** Answers one call of another agent; `from` is the address that it comes from. */
export async function serveCall(handle: PeerHandle, request: Request, path: string, from: string): Promise<Response> {
  if (request.method !== "POST") return new Response(null, { status: 405, headers: { Allow: "POST" } });
  if (Number(request.headers.get("content-length") ?? 0) > CALL_BYTES_MAX) return new Response(null, { status: 413 });
  const body = new Uint8Array(await request.arrayBuffer());
  const answer = await handle(path, body, from);
  return new Response(answer as Uint8Array<ArrayBuffer>, { headers: { "Content-Type": "application/octet-stream" } });
}

/** Calls others. @param send carries a request, as `fetch` does. */
export function httpsPeers(send: (request: Request) => Promise<Response>): Peers {
  return {
    async call(address, path, body, timeoutMs) {
      const base = address.includes("://") ? address : `http://${address}`;
      try {
        const response = await send(
          new Request(base + path, {
            method: "POST",
            body: body as Uint8Array<ArrayBuffer>,
            signal: AbortSignal.timeout(timeoutMs),
          }),
        );
        const bytes = new Uint8Array(await response.arrayBuffer());
        if (response.ok) return bytes;
        throw new OperationalError("outcome-unknown", `${address}: it answered ${response.status}`);
      } catch (error) {
        if (error instanceof OperationalError) throw error;
        const { name, message } = error as Error;
        const isTimeout = name === "TimeoutError" || name === "AbortError";
        throw new OperationalError(
          isTimeout ? "timeout" : "outcome-unknown",
          `${address}: ${isTimeout ? "no answer in time" : message}`,
          { cause: error },
        );
      }
    },
  };
}
