// A Cloudflare Worker that finds a service and calls it: whatever comes in goes on to a healthy instance of "web". Nothing
// runs between requests, so the list of instances is refreshed by the requests themselves, behind their answers.
import { type Client, createClient, NoInstanceError } from "proconsul/client";

interface Env {
  /** Of the datacenter: "https://consul.example.com". */
  CONSUL_HTTP_ADDR: string;
  /** A secret: `wrangler secret put CONSUL_HTTP_TOKEN`. */
  CONSUL_HTTP_TOKEN?: string;
  /** The service to call; "web" when not given. */
  SERVICE?: string;
}
interface Context {
  waitUntil(promise: Promise<unknown>): void;
}

// One client for all requests that this isolate serves: what it has learnt is in its memory.
let consul: Client | undefined;

export default {
  async fetch(request: Request, env: Env, context: Context): Promise<Response> {
    consul ??= createClient({ address: env.CONSUL_HTTP_ADDR, token: env.CONSUL_HTTP_TOKEN });
    const service = consul.discover(env.SERVICE ?? "web");
    const { pathname, search } = new URL(request.url);
    try {
      return await service.fetch(pathname + search, {
        method: request.method,
        headers: request.headers,
        body: request.body,
        waitUntil: (promise) => context.waitUntil(promise),
      });
    } catch (error) {
      const status = error instanceof NoInstanceError ? 503 : 502;
      return new Response(`${String(error)}\n`, { status });
    }
  },
};
