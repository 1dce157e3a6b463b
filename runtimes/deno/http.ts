// The HTTP listener by `Deno.serve`, which answers about twice as many requests as Deno's node:http, on the loopback
// interface. It has no time limit of any kind and no limit of its own for connections, so an address that other machines
// can reach is served by node:http, which has both.
import type { Handle, HttpListener, HttpListenerOptions } from "../node/http.ts";
import { listenError, listenHttp as listenNodeHttp } from "../node/http.ts";
import { toResponse, textReply } from "../../src/http/reply.ts";
import { WebAnswers } from "../web-answers.ts";

interface RequestInfo {
  readonly remoteAddr: { readonly hostname?: string };
}
interface DenoServer {
  readonly addr: { port: number };
  shutdown(): Promise<void>;
}
interface DenoGlobal {
  serve(
    options: { hostname: string; port: number; signal: AbortSignal; onListen(): void },
    handler: (request: Request, info: RequestInfo) => Response | Promise<Response>,
  ): DenoServer;
}
declare const Deno: DenoGlobal;

const LOOPBACK = /^(?:127\.\d+\.\d+\.\d+|::1|localhost)$/;

/** @throws OperationalError naming the address when it cannot be listened on. */
export async function listenHttp(handle: Handle, options: HttpListenerOptions): Promise<HttpListener> {
  if (!LOOPBACK.test(options.address)) return listenNodeHttp(handle, options);
  const abort = new AbortController();
  const answers = new WebAnswers<RequestInfo>(handle, options.connectionsPerClientMax, {
    address: (_request, info) => info.remoteAddr.hostname ?? "",
  });
  try {
    const server = Deno.serve(
      { hostname: options.address, port: options.port, signal: abort.signal, onListen: () => {} },
      (request, info) => {
        const target = targetOf(request);
        return target === null
          ? toResponse(textReply(400, "Bad Request: malformed Host header"))
          : answers.answer(request, target, info);
      },
    );
    return {
      port: server.addr.port,
      limit: (max) => answers.limit(max),
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

/**
 * The target in a URL that is the Host header and the target, put together unchecked; null when the header has in it what
 * would make another target of the two.
 */
function targetOf({ url, headers }: Request): string | null {
  if (headers.get("host")?.includes("/")) return null;
  const slash = url.indexOf("/", url.indexOf("//") + 2);
  return slash < 0 ? "/" : url.slice(slash);
}
