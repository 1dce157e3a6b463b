// Where gossip comes in, on Node, Bun and Deno: HTTP POST requests on a port of the pool's own (Consul's 8301 and 8302), which
// answers the path of that pool and nothing else.
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { PeerHandle, PeerListener } from "./peers.ts";
import { answerCall, openCallListener, refuseCall } from "./call-listener.ts";

/** Where to listen, and for what. */
export interface GossipListenOptions {
  address: string;
  port: number;
  /** `/gossip/1/lan` or `/gossip/1/wan`. */
  path: string;
}

/** The whole state of the largest pool; memberlist takes as much. */
export const GOSSIP_BODY_BYTES_MAX: number = 20 * 1024 * 1024;

/** Longer than any client keeps an idle connection: none is closed as it is used again. */
const IDLE_MS = 60_000;
const REQUEST_MS = 60_000;
const HEADERS_MS = 10_000;

/** @throws OperationalError naming the address when it cannot be listened on. */
export async function listenGossip(
  handle: PeerHandle,
  { address, port, path }: GossipListenOptions,
): Promise<PeerListener> {
  const server = createServer(
    { keepAliveTimeout: IDLE_MS, requestTimeout: REQUEST_MS, headersTimeout: HEADERS_MS, noDelay: true },
    (message, response) => void serve(handle, path, message, response),
  );
  return openCallListener(server, { address, port });
}

async function serve(
  handle: PeerHandle,
  path: string,
  message: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  try {
    if (message.url !== path) return refuseCall(response, 404);
    if (message.method !== "POST") return refuseCall(response, 405);
    const body = await read(message);
    if (body === null) return refuseCall(response, 413);
    const answer = await handle(path, body, message.socket.remoteAddress ?? "");
    answerCall(response, answer);
  } catch {
    // The caller has gone.
    response.destroy();
  }
}

/** All bytes of a message; null when they are too many. @throws when it is cut short. */
function read(message: IncomingMessage): Promise<Uint8Array | null> {
  if (Number(message.headers["content-length"] ?? 0) > GOSSIP_BODY_BYTES_MAX) return Promise.resolve(null);
  return new Promise((resolve, reject) => {
    const chunks: Uint8Array[] = [];
    let total = 0;
    message.on("data", (chunk: Uint8Array) => {
      total += chunk.length;
      if (total <= GOSSIP_BODY_BYTES_MAX) chunks.push(chunk);
      else resolve(null);
    });
    message.on("end", () => resolve(chunks.length === 1 ? (chunks[0] as Uint8Array) : Buffer.concat(chunks)));
    message.on("error", reject);
    message.on("aborted", () => reject(new Error("aborted")));
  });
}
