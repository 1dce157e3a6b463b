// Calls between agents: on streams where they are many (peer-sockets.ts), else as HTTP POST requests by `node:http`. The
// listener on the server port takes both; the client keeps its connections. Raft's messages have connections of their own, so
// that no number of forwarded requests holds them up.
import { Agent, createServer, request, type IncomingMessage, type ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { Peers } from "../../src/platform.ts";
import { OperationalError } from "../../src/types/error.ts";
import { isPeerPath, PEER_BODY_BYTES_MAX, type PeerHandle } from "../peer-handle.ts";
import { StreamPeers } from "../peer-streams.ts";
import { openPeerSocket, splitAddress, takeStreams } from "./peer-sockets.ts";
import { answerCall, openCallListener, refuseCall } from "./call-listener.ts";

export type { PeerHandle } from "../peer-handle.ts";

/** Where other agents reach this one. */
export interface PeerListener {
  readonly port: number;
  /** Stops listening and closes what is open. */
  close(): Promise<void>;
}

/** The listener keeps an idle connection for longer than a client does: none is closed as it is used again. */
const LISTENER_IDLE_MS = 120_000;
const CLIENT_IDLE_MS = 30_000;
const BODY_MS = 15 * 60_000;
const HEADERS_MS = 10_000;
const RAFT_PREFIX = "/raft/";
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
  const streams = new Set<Socket>();
  const requests = server.listeners("connection") as ((socket: Socket) => void)[];
  server.removeAllListeners("connection");
  server.on("connection", (socket: Socket) =>
    takeStreams(handle, socket, (other) => requests.forEach((take) => take.call(server, other)), streams),
  );
  return openCallListener(server, { address, port }, () => {
    for (const socket of streams) socket.destroy();
  });
}

async function serve(handle: PeerHandle, message: IncomingMessage, response: ServerResponse): Promise<void> {
  try {
    if (!isPeerPath(message.url as string)) return refuseCall(response, 404);
    if (message.method !== "POST") return refuseCall(response, 405);
    const answer = await handle(message.url as string, await readBody(message), message.socket.remoteAddress ?? "");
    answerCall(response, answer);
  } catch {
    // The caller has gone, or sent more than is taken.
    response.destroy();
  }
}

/** All bytes of a message. @throws when it is cut short, or too large. */
export function readBody(message: IncomingMessage): Promise<Uint8Array> {
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
        readBody(response)
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

/** This runtime's way to other agents. */
export const httpPeers = (): StreamPeers => new StreamPeers(new HttpPeers(), openPeerSocket);
