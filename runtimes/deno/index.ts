// `proconsul/deno`: what an agent needs on Deno, ready made. Platform, stores and configuration are Node's, which Deno runs.
export {
  acquireDataDir,
  listenGossip,
  NodePlatform,
  openBlobs,
  openLogStore,
  parseAgentFlags,
  readConfig,
} from "../node/index.ts";
export type {
  AgentFlags,
  DataDirLock,
  DataDirOptions,
  DnsHandle,
  DnsListener,
  DnsListenOptions,
  GossipListenOptions,
  Handle,
  HttpListener,
  HttpListenerOptions,
  LogStoreOptions,
  NodePlatformOptions,
  PeerHandle,
  PeerListener,
} from "../node/index.ts";
export { listenDns, recurse } from "./dns.ts";
export { listenHttp } from "./http.ts";
export { main } from "./main.ts";
export { httpPeers, listenPeers } from "./peers.ts";
