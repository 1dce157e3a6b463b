// The HTTP listener by `Deno.serve`.
import type { Handle, HttpListener, HttpListenerOptions } from "../node/http.ts";
import { listenError } from "../node/http.ts";
import { toResponse } from "../../src/http/reply.ts";
import { WebRequest } from "../../src/http/web-request.ts";

interface DenoServer {
  readonly addr: { port: number };
  shutdown(): Promise<void>;
}
interface DenoGlobal {
  serve(
    options: { hostname: string; port: number; signal: AbortSignal; onListen(): void },
    handler: (request: Request, info: { remoteAddr: { hostname?: string } }) => Response | Promise<Response>,
  ): DenoServer;
}
declare const Deno: DenoGlobal;

/** @throws OperationalError naming the address when it cannot be listened on. */
export async function listenHttp(handle: Handle, options: HttpListenerOptions): Promise<HttpListener> {
  const abort = new AbortController();
  try {
    const server = Deno.serve({ hostname: options.address, port: options.port, signal: abort.signal, onListen: () => {} }, (request, info) => {
      const answer = handle(new WebRequest(request, () => info.remoteAddr.hostname ?? ""));
      return answer instanceof Promise ? answer.then(toResponse) : toResponse(answer);
    });
    return {
      port: server.addr.port,
      limit: () => {},
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
    throw listenError(denoError, options.address, options.port);
  }
}
