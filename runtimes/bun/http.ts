// The HTTP listener by `Bun.serve`.
import type { Handle, HttpListener, HttpListenerOptions } from "../node/http.ts";
import { listenError } from "../node/http.ts";
import { toResponse } from "../../src/http/reply.ts";
import { WebRequest } from "../../src/http/web-request.ts";

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
    fetch(request: Request, server: BunServer): Response | Promise<Response>;
  }): BunServer;
}
declare const Bun: BunGlobal;

/** @throws OperationalError naming the address when it cannot be listened on. */
export function listenHttp(handle: Handle, options: HttpListenerOptions): Promise<HttpListener> {
  try {
    const server = Bun.serve({
      hostname: options.address,
      port: options.port,
      // Bun would end a blocking query after 10 s.
      idleTimeout: 0,
      // The API has its own limits, route by route; a snapshot is the largest body there is.
      maxRequestBodySize: Number.MAX_SAFE_INTEGER,
      fetch(request, self) {
        const answer = handle(new WebRequest(request, () => self.requestIP(request)?.address ?? ""));
        return answer instanceof Promise ? answer.then(toResponse) : toResponse(answer);
      },
    });
    return Promise.resolve({ port: server.port, close: () => server.stop(true), limit: () => {} });
  } catch (error) {
    return Promise.reject(listenError(error as NodeJS.ErrnoException, options.address, options.port));
  }
}
