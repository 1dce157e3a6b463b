// The HTTP listener by `Bun.serve`, which answers more than twice as many requests as Bun's node:http. What it lacks is
// said in web-answers.ts. A connection that sends no whole header is ended by Bun itself, after some ten seconds.
import http from "node:http";
import type { Handle, HttpListener, HttpListenerOptions } from "../node/http.ts";
import { HEADERS_BYTES_MAX, IDLE_MS, listenError } from "../node/http.ts";
import { WebAnswers } from "../web-answers.ts";

interface BunServer {
  readonly port: number;
  stop(closeActive: boolean): Promise<void>;
  requestIP(request: Request): { address: string } | null;
  /** How long the request's connection may be silent; 0 for ever. */
  timeout(request: Request, seconds: number): void;
}
interface BunGlobal {
  serve(options: {
    hostname: string;
    port: number;
    idleTimeout: number;
    maxRequestBodySize: number;
    fetch(request: Request, server: BunServer): Response | Promise<Response>;
  }): BunServer;
}
declare const Bun: BunGlobal;

/** The most that Bun takes. */
const IDLE_SECONDS_MAX = 255;

/** @throws OperationalError naming the address when it cannot be listened on. */
export function listenHttp(handle: Handle, options: HttpListenerOptions): Promise<HttpListener> {
  // Without end for an idle timeout of 0, as with node:http.
  const idleSeconds = Math.min(IDLE_SECONDS_MAX, Math.ceil((options.idleTimeoutMs ?? IDLE_MS) / 1000));
  const answers = new WebAnswers<BunServer>(handle, options.connectionsPerClientMax, {
    address: (request, server) => server.requestIP(request)?.address ?? "",
    held: (request, server, held) => {
      // A blocking query is silent for as long as it is held; a body that stops coming may not be.
      if (request.method === "GET") server.timeout(request, held ? 0 : idleSeconds);
    },
  });
  allowHeaders(options.headersMaxBytes ?? HEADERS_BYTES_MAX);
  try {
    const server = Bun.serve({
      hostname: options.address,
      port: options.port,
      idleTimeout: idleSeconds,
      // The API has its own limits, route by route; a snapshot is the largest body there is.
      maxRequestBodySize: Number.MAX_SAFE_INTEGER,
      fetch: (request, self) => answers.answer(request, targetOf(request.url), self),
    });
    return Promise.resolve({ port: server.port, close: () => server.stop(true), limit: (max) => answers.limit(max) });
  } catch (error) {
    return Promise.reject(listenError(error as NodeJS.ErrnoException, options.address, options.port));
  }
}

/** Bun has one limit for all headers of a process, and node:http sets it. */
function allowHeaders(bytes: number): void {
  (http as { maxHeaderSize: number }).maxHeaderSize = bytes;
}

/** The target in a URL that Bun made of it and of the Host header: of the target alone when the two made none. */
function targetOf(url: string): string {
  if (!url.startsWith("http")) return url;
  const slash = url.indexOf("/", url.indexOf("//") + 2);
  return slash < 0 ? "/" : url.slice(slash);
}
