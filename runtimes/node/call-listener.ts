// What the listeners for calls of other agents have in common (servers, gossip, gateways): how one is opened and closed, and how a call is
// refused and answered.
import type { Server, ServerResponse } from "node:http";
import { listen } from "./http.ts";
import type { PeerListener } from "./peers.ts";

const CONNECTIONS_MAX = 8192;
const BACKLOG = 1024;

/** @param closed called when it is closed. @throws OperationalError naming the address when it cannot be listened on. */
export async function openCallListener(
  server: Server,
  { address, port }: { address: string; port: number },
  closed: () => void = () => {},
): Promise<PeerListener> {
  server.maxConnections = CONNECTIONS_MAX;
  const listening = await listen(server, address, port, BACKLOG);
  return {
    port: listening,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
        closed();
      }),
  };
}

/** Ends a call that is not taken, and its connection. */
export function refuseCall(response: ServerResponse, status: number): void {
  response.writeHead(status, { "Content-Length": 0, Connection: "close" }).end();
}

/** Ends a call with its answer. */
export function answerCall(response: ServerResponse, answer: Uint8Array): void {
  response.writeHead(200, { "Content-Type": "application/octet-stream", "Content-Length": answer.length });
  response.end(answer);
}
