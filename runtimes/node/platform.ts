// The platform of Node, Deno and Bun: clocks, the one timer, sockets and programs by `node:*`, which all three have.
import { lookup } from "node:dns/promises";
import { connect } from "node:net";
import { arch, cpus, freemem, hostname, loadavg, platform as osPlatform, release, totalmem, uptime } from "node:os";
import type {
  Blobs,
  Cipher,
  DnsClient,
  Exec,
  HostFacts,
  HttpProbe,
  LogStore,
  Peers,
  Platform,
  ReportEvent,
  TcpProbe,
} from "../../src/platform.ts";
import { cipher } from "./cipher.ts";
import { dialError, dialTimeout } from "./dial-error.ts";
import { withGossip } from "./gossip-peers.ts";
import { httpProbe } from "./http-probe.ts";
import { recurse } from "./dns.ts";
import { runProgram } from "./run-program.ts";
import { httpPeers } from "./peers.ts";
import { OperationalError } from "../../src/types/error.ts";

/** What the platform is made with. */
export interface NodePlatformOptions {
  log: LogStore;
  blobs: Blobs;
  report(event: ReportEvent): void;
  /** Called when the one timer goes off. */
  wake(): void;
  /** The way to other agents; Node's when absent. */
  peers?: Peers;
}

/** Timers longer than this overflow `setTimeout`; waking early is harmless. */
const TIMER_MAX_MS = 2 ** 31 - 1;

/** The platform that Node, Deno and Bun share. */
export class NodePlatform implements Platform {
  readonly log: LogStore;
  readonly blobs: Blobs;
  readonly report: (event: ReportEvent) => void;
  readonly peers: Peers;
  readonly http: HttpProbe = httpProbe;
  readonly tcp: TcpProbe = { connect: connectTcp };
  readonly dns: DnsClient = { recurse };
  readonly exec: Exec = { run: runProgram };
  readonly host: HostFacts = { hostname: hostname(), facts: hostFacts, memory: () => process.memoryUsage() };
  readonly cipher: Cipher = cipher;
  readonly #wake: () => void;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: NodePlatformOptions) {
    this.log = options.log;
    this.blobs = options.blobs;
    this.report = options.report;
    this.#wake = options.wake;
    this.peers = withGossip(options.peers ?? httpPeers());
  }

  now(): number {
    return performance.now();
  }

  wall(): number {
    return Date.now();
  }

  wakeAt(at: number | null): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (at === null) return;
    const delay = Math.max(0, Math.ceil(at - performance.now()));
    this.#timer = setTimeout(() => this.#wake(), Math.min(delay, TIMER_MAX_MS));
  }

  random(length: number): Uint8Array<ArrayBuffer> {
    return crypto.getRandomValues(new Uint8Array(length));
  }

  fetch(request: Request): Promise<Response> {
    return fetch(request);
  }

  async resolve(name: string): Promise<readonly string[]> {
    try {
      return (await lookup(name, { all: true })).map(({ address }) => address);
    } catch (error) {
      throw new OperationalError("unreachable", `lookup ${name}: no such host`, { cause: error });
    }
  }
}

function connectTcp(host: string, port: number, timeoutMs: number): Promise<void> {
  const address = host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port, autoSelectFamily: true });
    const timer = setTimeout(() => {
      socket.destroy();
      reject(dialTimeout(address));
    }, timeoutMs);
    socket.once("connect", () => {
      clearTimeout(timer);
      socket.destroy();
      resolve();
    });
    // There may be more than one: the connection may be reset while it is closed.
    socket.on("error", (error: NodeJS.ErrnoException) => {
      clearTimeout(timer);
      reject(dialError(address, error));
    });
  });
}

function hostFacts(): Record<string, unknown> {
  const total = totalmem();
  const free = freemem();
  return {
    Memory: { total, available: free, used: total - free, usedPercent: ((total - free) / total) * 100, free },
    CPU: cpus().map((cpu, at) => ({
      cpu: at,
      vendorId: "",
      family: "",
      model: "",
      stepping: 0,
      physicalId: "",
      coreId: "",
      cores: 1,
      modelName: cpu.model,
      mhz: cpu.speed,
      cacheSize: 0,
      flags: null,
      microcode: "",
    })),
    Host: {
      hostname: hostname(),
      uptime: Math.round(uptime()),
      bootTime: Math.round(Date.now() / 1000 - uptime()),
      procs: 0,
      os: osPlatform(),
      platform: osPlatform(),
      platformFamily: "",
      platformVersion: "",
      kernelVersion: release(),
      kernelArch: arch(),
      virtualizationSystem: "",
      virtualizationRole: "",
      hostId: "",
    },
    Disk: null,
    CollectionTime: Date.now() * 1e6,
    Errors: null,
    Load: loadavg(),
  };
}
