// `proconsul/browser`: a client agent in a page, a worker or a service worker. It joins a datacenter as a leaf, which calls and
// is not called, answers the whole API from inside the page, and keeps its id, services and checks in IndexedDB.
import { buildConfig } from "../../src/config/agent-config.ts";
import { createAgent, type RunningAgent } from "../../src/index.ts";
import { OperationalError } from "../../src/types/error.ts";
import { text, utf8, uuid } from "../../src/util/bytes.ts";
import { IdbBlobs } from "./blobs.ts";
import { BrowserPlatform } from "./platform.ts";

export { IdbBlobs } from "./blobs.ts";
export type { BrowserPlatformOptions } from "./platform.ts";
export { BrowserPlatform } from "./platform.ts";

/** How an agent in a browser is made. */
export interface BrowserAgentOptions {
  /** Unlike any other node's, and the same each time: what is kept belongs to it. */
  nodeName: string;
  /** Servers or clients to join, as `address:port` of their LAN port. */
  retryJoin: readonly string[];
  /**
   * Where a call to another agent goes. Pages may only call their own origin and who lets them, and agents let no page: put a
   * proxy on the page's origin that posts on to the agents' ports, for those whom it trusts. `(address, path) => "/peers/" + address + path`
   */
  peerUrl(address: string, path: string): string;
  /** More of an agent's configuration, by its keys: `datacenter`, `encrypt`, `services`, … */
  config?: Readonly<Record<string, unknown>>;
}

/**
 * Starts a client agent. Its `fetch` answers requests to the API: of a service worker, `event.respondWith(agent.fetch(event.request))`; of
 * a client, `createClient({ fetch: (url, init) => agent.fetch(new Request(url, init)) })`.
 * @throws OperationalError that says what is wrong
 */
export async function startBrowserAgent(options: BrowserAgentOptions): Promise<RunningAgent> {
  const { nodeName, retryJoin, peerUrl } = options;
  const own = {
    node_name: nodeName,
    server: false,
    // Where is for the platform to say; that there is one means that what is registered here is remembered.
    data_dir: "/idb",
    bind_addr: "127.0.0.1",
    client_addr: "127.0.0.1",
    ports: { dns: -1, http: -1, https: -1, grpc: -1, grpc_tls: -1, serf_lan: -1, serf_wan: -1 },
    retry_join: retryJoin,
    retry_interval: "2s",
    log_level: "warn",
  };
  const result = buildConfig({
    sources: [
      { name: "the browser", format: "json", text: JSON.stringify(own) },
      { name: "config", format: "json", text: JSON.stringify(options.config ?? {}) },
    ],
    flags: null,
    hostname: nodeName,
    interfaces: null,
  });
  if ("errors" in result) throw new OperationalError("invalid-request", result.errors.join("; "));
  if (result.config.server) throw new OperationalError("unsupported", "a server does not run in a browser");
  const blobs = new IdbBlobs(`proconsul-agent-${nodeName}`);
  const kept = await blobs.read("node-id");
  const nodeId = kept === null ? uuid(crypto.getRandomValues(new Uint8Array(16))) : text(kept);
  if (kept === null) await blobs.write("node-id", utf8(nodeId));
  let running: RunningAgent | null = null;
  const platform = new BrowserPlatform({
    blobs,
    peerUrl,
    logLevel: result.config.logLevel,
    wake: () => running?.wake(),
  });
  running = await createAgent({ config: { ...result.config, nodeId }, platform, stopped: () => {} });
  // A timer that went off while the agent was being made is not lost.
  running.wake();
  return running;
}
