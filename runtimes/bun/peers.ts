// Calls between agents: streams, and HTTP POST requests beside them. The listener is `Bun.serve` for both; the client is a
// socket for a stream, which costs less than half of a request, and for a request Bun's own `fetch`, which keeps its
// connections and costs less than `node:http` does there.
import { listenError } from "../node/http.ts";
import type { PeerListener } from "../node/peers.ts";
import { PEER_BODY_BYTES_MAX, type PeerHandle } from "../peer-handle.ts";
import { fetchPeers, servePeer } from "../node/peers-fetch.ts";
import { openPeerSocket } from "../node/peer-sockets.ts";
import { StreamPeers } from "../peer-streams.ts";

interface BunServer {
  readonly port: number;
  stop(closeActive: boolean): Promise<void>;
  requestIP(request: Request): { address: string } | null;
}
interface BunGlobal {
  serve(options: {
    hostname: string;
    port: number;
    idleTimeout: number;
    maxRequestBodySize: number;
    fetch(request: Request, server: BunServer): Promise<Response>;
  }): BunServer;
}
declare const Bun: BunGlobal;

/** @throws OperationalError naming the address when it cannot be listened on. */
export function listenPeers(
  handle: PeerHandle,
  { address, port }: { address: string; port: number },
): Promise<PeerListener> {
  try {
    const server = Bun.serve({
      hostname: address,
      port,
      // A forwarded blocking query waits for longer than Bun would.
      idleTimeout: 0,
      maxRequestBodySize: PEER_BODY_BYTES_MAX,
      fetch: (request, bun) => servePeer(handle, request, bun.requestIP(request)?.address ?? ""),
    });
    return Promise.resolve({ port: server.port, close: () => server.stop(true) });
  } catch (error) {
    return Promise.reject(listenError(error as NodeJS.ErrnoException, address, port));
  }
}

/** This runtime's way to other agents. */
export const httpPeers = (): StreamPeers => new StreamPeers(fetchPeers, openPeerSocket);
