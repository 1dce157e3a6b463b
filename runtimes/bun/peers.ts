// Calls between agents as HTTP POST requests: the listener by `Bun.serve`, the client by Bun's own `fetch`, which keeps its
// connections and costs less than `node:http` does there.
import type { Peers } from "../../src/platform.ts";
import { listenError } from "../node/http.ts";
import { PEER_BODY_BYTES_MAX, type PeerHandle, type PeerListener } from "../node/peers.ts";
import { fetchPeers, servePeer } from "../node/peers-fetch.ts";

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
export const httpPeers = (): Peers => fetchPeers;
