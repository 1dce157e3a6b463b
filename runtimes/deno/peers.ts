// Calls between agents: streams, and HTTP POST requests beside them. The listener is `Deno.serve` for both; the client is a
// socket for a stream, which costs a fifth of a request, and for a request Deno's own `fetch`, which keeps its connections.
import { listenError } from "../node/http.ts";
import type { PeerListener } from "../node/peers.ts";
import type { PeerHandle } from "../peer-handle.ts";
import { fetchPeers, servePeer } from "../node/peers-fetch.ts";
import { openPeerSocket } from "../node/peer-sockets.ts";
import { StreamPeers } from "../peer-streams.ts";

interface DenoServer {
  readonly addr: { port: number };
}
interface DenoGlobal {
  serve(
    options: { hostname: string; port: number; signal: AbortSignal; onListen(): void },
    handler: (request: Request, info: { remoteAddr: { hostname: string } }) => Promise<Response>,
  ): DenoServer;
}
declare const Deno: DenoGlobal;

/** @throws OperationalError naming the address when it cannot be listened on. */
export async function listenPeers(
  handle: PeerHandle,
  { address, port }: { address: string; port: number },
): Promise<PeerListener> {
  const abort = new AbortController();
  try {
    const server = Deno.serve(
      { hostname: address, port, signal: abort.signal, onListen: () => {} },
      (request, { remoteAddr }) => servePeer(handle, request, remoteAddr.hostname),
    );
    return {
      port: server.addr.port,
      close: () => {
        abort.abort();
        return Promise.resolve();
      },
    };
  } catch (error) {
    const denoError = error as NodeJS.ErrnoException & { name: string };
    if (denoError.name === "AddrInUse") denoError.code = "EADDRINUSE";
    if (denoError.name === "AddrNotAvailable") denoError.code = "EADDRNOTAVAIL";
    if (denoError.name === "PermissionDenied") denoError.code = "EACCES";
    throw listenError(denoError, address, port);
  }
}

/** This runtime's way to other agents. */
export const httpPeers = (): StreamPeers => new StreamPeers(fetchPeers, openPeerSocket);
