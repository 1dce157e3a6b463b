// Calls between agents as HTTP POST requests: the listener by `Deno.serve`, the client by Deno's own `fetch`, which keeps
// its connections.
import type { Peers } from "../../src/platform.ts";
import { listenError } from "../node/http.ts";
import type { PeerHandle, PeerListener } from "../node/peers.ts";
import { fetchPeers, servePeer } from "../node/peers-fetch.ts";

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
export const httpPeers = (): Peers => fetchPeers;
