// Calls between agents as HTTP POST requests by `node:http`: the listener on the server port, and a client that keeps its
// connections. Raft's messages have connections of their own, so that no number of forwarded requests holds them up.
import { Agent, createServer, request, type IncomingMessage, type ServerResponse } from "node:http";
import type { Peers } from "../../src/platform.ts";
import { OperationalError } from "../../src/types/error.ts";
import { listenError } from "./http.ts";

/** Answers a call: `RunningAgent.peer`. `from` is the IP address that the connection comes from. */
export type PeerHandle = (path: string, body: Uint8Array, from: string) => Promise<Uint8Array>;

/** Where other agents reach this one. */
export interface PeerListener {
  readonly port: number;
  /** Stops listening and closes what is open. */
  close(): Promise<void>;
}

/** What a call may carry: a whole state to restore is the largest thing there is. */
export const PEER_BODY_BYTES_MAX: number = 1100 * 1024 * 1024;

const CONNECTIONS_MAX = 8192;
/** The listener keeps an idle connection for longer than a client does: none is closed as it is used again. */
const LISTENER_IDLE_MS = 120_000;
const CLIENT_IDLE_MS = 30_000;
const BODY_MS = 15 * 60_000;
const HEADERS_MS = 10_000;
const RAFT_PREFIX = "/raft/";
const RPC_PREFIX = "/rpc/";
const RAFT_SOCKETS_MAX = 16;
const FREE_SOCKETS_MAX = 64;
const NOTHING = new Uint8Array(0);

/** @throws OperationalError naming the address when it cannot be listened on. */
export async function listenPeers(
  handle: PeerHandle,
  { address, port }: { address: string; port: number },
): Promise<PeerListener> {
  const server = createServer(
    { keepAliveTimeout: LISTENER_IDLE_MS, requestTimeout: BODY_MS, headersTimeout: HEADERS_MS, noDelay: true },
    (message, response) => void serve(handle, message, response),
  );
  server.maxConnections = CONNECTIONS_MAX;
  await new Promise<void>((resolve, reject) => {
    const failed = (error: NodeJS.ErrnoException): void => reject(listenError(error, address, port));
    server.once("error", failed);
    server.listen({ host: address, port, backlog: 1024 }, () => {
      server.off("error", failed);
      resolve();
    });
  });
  return {
    port: (server.address() as { port: number }).port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** What the server port answers; gossip has ports of its own. */
export function isPeerPath(path: string): boolean {
  return path.startsWith(RAFT_PREFIX) || path.startsWith(RPC_PREFIX);
}

async function serve(handle: PeerHandle, message: IncomingMessage, response: ServerResponse): Promise<void> {
  try {
    if (!isPeerPath(message.url as string)) {
      response.writeHead(404, { "Content-Length": 0, Connection: "close" }).end();
      return;
    }
    if (message.method !== "POST") {
      response.writeHead(405, { "Content-Length": 0, Connection: "close" }).end();
      return;
    }
    const answer = await handle(message.url as string, await read(message), message.socket.remoteAddress ?? "");
    response.writeHead(200, { "Content-Type": "application/octet-stream", "Content-Length": answer.length });
    response.end(answer);
  } catch {
    // The caller has gone, or sent more than is taken.
    response.destroy();
  }
}

/** All bytes of a message. @throws when it is cut short, or too large. */
function read(message: IncomingMessage): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    const chunks: Uint8Array[] = [];
    let total = 0;
    message.on("data", (chunk: Uint8Array) => {
      total += chunk.length;
      if (total > PEER_BODY_BYTES_MAX) message.destroy(new Error("too large"));
      else chunks.push(chunk);
    });
    message.on("end", () =>
      resolve(
        chunks.length === 1 ? (chunks[0] as Uint8Array) : chunks.length === 0 ? NOTHING : Buffer.concat(chunks, total),
      ),
    );
    message.on("error", reject);
    message.on("aborted", () => reject(new Error("aborted")));
  });
}

/** Calls other agents. */
class HttpPeers implements Peers {
  readonly #raft = new Agent({ keepAlive: true, maxSockets: RAFT_SOCKETS_MAX, timeout: CLIENT_IDLE_MS });
  readonly #others = new Agent({ keepAlive: true, maxFreeSockets: FREE_SOCKETS_MAX, timeout: CLIENT_IDLE_MS });

  call(address: string, path: string, body: Uint8Array, timeoutMs: number): Promise<Uint8Array> {
    return new Promise((resolve, reject) => {
      const { host, port } = splitAddress(address);
      let isConnected = false;
      const call = request({
        host,
        port,
        path,
        method: "POST",
        agent: path.startsWith(RAFT_PREFIX) ? this.#raft : this.#others,
        headers: { "Content-Type": "application/octet-stream", "Content-Length": body.length },
      });
      const fail = (why: string, late: "timeout" | "outcome-unknown", cause?: unknown): void =>
        reject(new OperationalError(isConnected ? late : "unreachable", `${address}: ${why}`, { cause }));
      const timer = setTimeout(() => {
        fail(isConnected ? "no answer in time" : "no connection in time", "timeout");
        call.destroy();
      }, timeoutMs);
      call.on("socket", (socket) => {
        if (socket.connecting) socket.once("connect", () => (isConnected = true));
        else isConnected = true;
      });
      call.on("error", (error) => {
        clearTimeout(timer);
        fail(error.message, "outcome-unknown", error);
      });
      call.on("response", (response) => {
        read(response)
          .then(
            (bytes) => {
              if (response.statusCode === 200) resolve(bytes);
              else fail(`it answered ${response.statusCode}`, "outcome-unknown");
            },
            (error: unknown) => fail("the connection ended before its answer", "outcome-unknown", error),
          )
          .finally(() => clearTimeout(timer));
      });
      call.end(body);
    });
  }
}

/** `host:port`, `[host]:port`. */
function splitAddress(address: string): { host: string; port: number } {
  const colon = address.lastIndexOf(":");
  return { host: address.slice(0, colon).replace(/^\[(.*)\]$/, "$1"), port: Number(address.slice(colon + 1)) };
}

/** This runtime's way to other agents. */
export const httpPeers = (): Peers => new HttpPeers();
