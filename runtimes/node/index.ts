// `proconsul/node`: what an agent needs on Node, ready made: its platform, durable stores, listeners, configuration.
export { parseAgentFlags } from "../../src/config/agent-flags.ts";
export type { AgentFlags } from "../../src/config/agent-flags.ts";
export { openBlobs } from "./blobs.ts";
export { readConfig } from "./config-files.ts";
export { acquireDataDir } from "./data-dir-lock.ts";
export type { DataDirLock, DataDirOptions } from "./data-dir-lock.ts";
export { listenDns, recurse } from "./dns.ts";
export type { DnsHandle, DnsListener, DnsListenOptions } from "./dns.ts";
export { listenHttp } from "./http.ts";
export type { Handle, HttpListener, HttpListenerOptions } from "./http.ts";
export { openLogStore } from "./log-store.ts";
export type { LogStoreOptions } from "./log-store.ts";
export { main } from "./main.ts";
export { NodePlatform } from "./platform.ts";
export type { NodePlatformOptions } from "./platform.ts";
export { httpPeers, listenPeers } from "./peers.ts";
export type { PeerHandle, PeerListener } from "./peers.ts";
