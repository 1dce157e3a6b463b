// The life of an agent's process on Node, Bun and Deno: configuration, data directory, listeners, banner, signals, end.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { agentUsage, type AgentFlags, parseAgentFlags } from "../../src/config/agent-flags.ts";
import type { AgentConfig, ListenAddress } from "../../src/config/agent-config.ts";
import { MemoryBlobs, MemoryLogStore } from "../../src/host/memory-store.ts";
import type { GossipPool } from "../../src/config/config-types.ts";
import { createAgent, type RunningAgent } from "../../src/index.ts";
import type { Blobs, LogStore, Peers } from "../../src/platform.ts";
import { OperationalError } from "../../src/types/error.ts";
import { text, utf8, uuid } from "../../src/util/bytes.ts";
import { CONSUL_VERSION, VERSION } from "../../src/version.ts";
import { openBlobs } from "./blobs.ts";
import { readConfig } from "./config-files.ts";
import { acquireDataDir, type DataDirLock } from "./data-dir-lock.ts";
import { listenGateway } from "./gateway.ts";
import { listenGossip } from "./gossip.ts";
import type { HttpListener, HttpListenerOptions, Handle } from "./http.ts";
import { openLogStore } from "./log-store.ts";
import { LogSink } from "./log-sink.ts";
import type { PeerHandle, PeerListener } from "./peers.ts";
import { NodePlatform } from "./platform.ts";

/** What differs between the runtimes. */
export interface Runtime {
  name: "node" | "bun" | "deno";
  listenHttp(handle: Handle, options: HttpListenerOptions): Promise<HttpListener>;
  listenPeers(handle: PeerHandle, options: { address: string; port: number }): Promise<PeerListener>;
  httpPeers(): Peers;
  listenDns(
    handle: DnsHandle,
    options: { address: string; port: number },
  ): Promise<{ port: number; close(): Promise<void> }>;
}
export type DnsHandle = (
  packet: Uint8Array,
  transport: "udp" | "tcp",
  from: string,
) => Uint8Array | null | Promise<Uint8Array | null>;

/** Runs `agent` with these words until it ends; gives the exit code. */
export async function runAgent(args: readonly string[], runtime: Runtime): Promise<number> {
  const flags = parseAgentFlags(args);
  if ("error" in flags) {
    if (flags.help) console.log(agentUsage("proconsul"));
    else console.error(`${flags.error}\n\n${agentUsage("proconsul")}`);
    return flags.help ? 0 : 1;
  }
  const read = readConfig(flags);
  if ("errors" in read) {
    for (const error of read.errors) console.error(`==> ${error}`);
    return 1;
  }
  const { config, warnings } = read;
  const process_ = new AgentProcess(config, flags, runtime);
  try {
    return await process_.run(warnings);
  } catch (error) {
    console.error(
      `==> Error starting agent: ${error instanceof OperationalError ? error.message : ((error as Error).stack ?? error)}`,
    );
    return 1;
  } finally {
    await process_.close();
  }
}

interface Closable {
  close(): Promise<void>;
}

class AgentProcess {
  readonly #config: AgentConfig;
  readonly #flags: AgentFlags;
  readonly #runtime: Runtime;
  readonly #listeners: Closable[] = [];
  #lock: DataDirLock | null = null;
  #running: RunningAgent | null = null;

  constructor(config: AgentConfig, flags: AgentFlags, runtime: Runtime) {
    this.#config = config;
    this.#flags = flags;
    this.#runtime = runtime;
  }

  async run(warnings: readonly string[]): Promise<number> {
    const sink = new LogSink({
      level: this.#config.logLevel,
      json: this.#config.logJson,
      file: this.#config.logFile,
      rotateBytes: this.#config.logRotateBytes,
      rotateDurationMs: this.#config.logRotateDurationMs,
      rotateMaxFiles: this.#config.logRotateMaxFiles,
    });
    const { raftFiles, ...stores } = await this.#storage((message) =>
      sink.report({ type: "log", level: "warn", module: "agent.server.raft", message }),
    );
    const config = await withNodeId(this.#config, stores.blobs);
    let end: (code: number) => void = () => {};
    const ended = new Promise<number>((resolve) => {
      end = resolve;
    });
    const platform = new NodePlatform({
      ...stores,
      ...(raftFiles === undefined ? {} : { raftFiles }),
      report: sink.report,
      wake: () => this.#running?.wake(),
      peers: this.#runtime.httpPeers(),
    });
    console.log("==> Starting Proconsul agent...");
    console.log(banner(config, this.#runtime));
    // Others hear of this agent as soon as it starts: by then they must be able to call it, and what cannot be listened on is
    // known. What comes before it has started waits.
    let made: (running: RunningAgent) => void = () => {};
    const started = new Promise<RunningAgent>((resolve) => {
      made = resolve;
    });
    await this.#listenToPeers(async (path, body, from) => (await started).peer(path, body, from), config);
    if (config.server && config.ports.gateway > 0) {
      const at = { address: config.bindAddress, port: config.ports.gateway };
      await this.#open(
        "ports.gateway, -bind",
        listenGateway(async () => (await started).gateway, at),
      );
    }
    const running = await createAgent({ config, platform, stopped: end });
    this.#running = running;
    made(running);
    // A timer that went off while the agent was being made is not lost.
    running.wake();
    await this.#listen(running, config);

    for (const warning of warnings) running.agent.log.warn(warning);
    if (config.pidFile !== "") writePid(config.pidFile);
    const signals = this.#signals(running, sink, end);
    try {
      return await ended;
    } finally {
      signals();
    }
  }

  async close(): Promise<void> {
    await Promise.all(this.#listeners.map((listener) => listener.close()));
    await this.#running?.stop();
    await this.#lock?.release();
  }

  /** @param notice told what was repaired after a crash. */
  async #storage(notice: (message: string) => void): Promise<{ log: LogStore; blobs: Blobs; raftFiles?: Blobs }> {
    const { dataDir } = this.#config;
    if (dataDir === "") return { log: new MemoryLogStore(), blobs: new MemoryBlobs() };
    this.#lock = await acquireDataDir(dataDir);
    const log = await openLogStore(join(dataDir, "raft"), { notice });
    return { log, blobs: await openBlobs(dataDir), raftFiles: await openBlobs(join(dataDir, "raft")) };
  }

  async #listen(running: RunningAgent, config: AgentConfig): Promise<void> {
    const { httpConfig, limits } = config;
    for (const at of config.addresses.http.map(tcpOnly)) {
      this.#listeners.push(
        await this.#runtime.listenHttp(running.handle, {
          address: at.host,
          port: at.port,
          connectionsPerClientMax: limits.httpMaxConnsPerClient,
          readTimeoutMs: httpConfig.readTimeoutMs,
          headersTimeoutMs: httpConfig.readHeaderTimeoutMs,
          idleTimeoutMs: httpConfig.idleTimeoutMs,
          ...(httpConfig.headerBytesMax > 0 ? { headersMaxBytes: httpConfig.headerBytesMax } : {}),
        }),
      );
    }
    for (const at of config.addresses.dns.map(tcpOnly))
      this.#listeners.push(await this.#runtime.listenDns(running.dns, { address: at.host, port: at.port }));
  }

  async #listenToPeers(peer: PeerHandle, config: AgentConfig): Promise<void> {
    if (config.server && config.ports.server > 0)
      await this.#open(
        "-server-port, -bind",
        this.#runtime.listenPeers(peer, { address: config.bindAddress, port: config.ports.server }),
      );
    if (config.gossipLan.port > 0) await this.#listenGossip(peer, "lan", config.gossipLan);
    if (config.server && config.gossipWan !== null) await this.#listenGossip(peer, "wan", config.gossipWan);
  }

  #listenGossip(peer: PeerHandle, kind: "lan" | "wan", { bindAddress: address, port }: GossipPool): Promise<void> {
    const path = `/gossip/1/${kind}`;
    return this.#open(`-serf-${kind}-port, -serf-${kind}-bind`, listenGossip(peer, { address, port, path }));
  }

  /** @throws OperationalError that names the flags by which another place is chosen. */
  async #open(flags: string, opening: Promise<Closable>): Promise<void> {
    try {
      this.#listeners.push(await opening);
    } catch (error) {
      if (!(error instanceof OperationalError)) throw error;
      throw new OperationalError(error.code, `${error.message} (${flags})`, { cause: error });
    }
  }

  /** Consul's rules of what each signal means; gives back how to stop listening to them. */
  #signals(running: RunningAgent, sink: LogSink, end: (code: number) => void): () => void {
    const { log } = running.agent;
    let ending = false;
    const stop = (signal: string, leave: boolean): void => {
      log.info("Caught", { signal });
      if (ending) {
        end(1);
        return;
      }
      ending = true;
      if (!leave) {
        running.handOver().then(
          () => end(1),
          () => end(1),
        );
        return;
      }
      log.info("Gracefully shutting down agent...");
      running.leave().then(
        () => end(0),
        () => end(1),
      );
    };
    const interrupt = (): void => stop("interrupt", !this.#config.skipLeaveOnInterrupt);
    const terminate = (): void => stop("terminated", this.#config.leaveOnTerminate);
    const hangUp = (): void => {
      log.info("Caught", { signal: "hangup" });
      this.#reload(running, sink);
    };
    running.agent.onReload = () => this.#reload(running, sink);
    process.on("SIGINT", interrupt).on("SIGTERM", terminate).on("SIGHUP", hangUp);
    return () => void process.off("SIGINT", interrupt).off("SIGTERM", terminate).off("SIGHUP", hangUp);
  }

  /** Reads the files again. @throws OperationalError when they are faulty; the agent then goes on as it was. */
  #reload(running: RunningAgent, sink: LogSink): void {
    running.agent.log.info("Reloading configuration...");
    const read = readConfig(this.#flags);
    if ("errors" in read) {
      running.agent.log.error("Reloading the configuration failed", { error: read.errors.join("; ") });
      throw new OperationalError("refused", read.errors.join("\n"));
    }
    sink.level = read.config.logLevel;
    running.agent.reload({ ...read.config, nodeId: running.agent.config.nodeId });
  }
}

/** The node's id: the one configured, the one kept, or a new one, which is kept. */
async function withNodeId(config: AgentConfig, blobs: Blobs): Promise<AgentConfig> {
  const kept = await blobs.read("node-id");
  const nodeId =
    config.nodeId || (kept === null ? uuid(crypto.getRandomValues(new Uint8Array(16))) : text(kept).trim());
  if (kept === null || text(kept).trim() !== nodeId) await blobs.write("node-id", utf8(nodeId));
  return { ...config, nodeId };
}

function tcpOnly(at: ListenAddress): { host: string; port: number } {
  if (at.type === "tcp") return at;
  throw new OperationalError("unsupported", `Unix sockets are not supported in this build: unix://${at.path}`);
}

function writePid(path: string): void {
  try {
    writeFileSync(path, String(process.pid));
  } catch (error) {
    throw new OperationalError("storage-failed", `Could not write pid file ${path}: ${(error as Error).message}`, {
      cause: error,
    });
  }
}

function banner(config: AgentConfig, runtime: Runtime): string {
  const { ports } = config;
  const rows: [string, string][] = [
    ["Version", `'${VERSION}' (Consul ${CONSUL_VERSION}, ${runtime.name})`],
    ["Node ID", `'${config.nodeId}'`],
    ["Node name", `'${config.nodeName}'`],
    ["Datacenter", `'${config.datacenter}' (Segment: '<all>')`],
    ["Server", `${config.server} (Bootstrap: ${config.bootstrap})`],
    [
      "Client Addr",
      `[${config.clientAddresses.join(" ")}] (HTTP: ${ports.http}, HTTPS: ${ports.https}, gRPC: ${ports.grpc}, DNS: ${ports.dns})`,
    ],
    ["Cluster Addr", `${config.advertiseAddress} (LAN: ${ports.serfLan}, WAN: ${ports.serfWan})`],
    ["Gossip Encryption", String(config.encrypt !== "")],
    ["Auto-Encrypt-TLS", "false"],
    ["ACL Enabled", String(config.acl.enabled)],
    ["ACL Default Policy", config.acl.defaultPolicy],
  ];
  const width = Math.max(...rows.map(([name]) => name.length)) + 6;
  return `${rows.map(([name, value]) => `${name.padStart(width)}: ${value}`).join("\n")}\n\n==> Log data will now stream in as it occurs:\n`;
}
