// The platform of Node, Deno and Bun: clocks, the one timer, sockets and programs by `node:*`, which all three have.
import { spawn } from "node:child_process";
import { connect } from "node:net";
import { arch, cpus, freemem, hostname, loadavg, platform as osPlatform, release, totalmem, uptime } from "node:os";
import type { Blobs, DnsClient, Exec, ExecOptions, ExecResult, HostFacts, HttpProbe, LogStore, Peers, Platform, ReportEvent, TcpProbe } from "../../src/platform.ts";
import { httpProbe } from "./http-probe.ts";
import { recurse } from "./dns.ts";
import { httpPeers } from "./peers.ts";
import { OperationalError } from "../../src/types/error.ts";

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
  readonly #wake: () => void;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: NodePlatformOptions) {
    this.log = options.log;
    this.blobs = options.blobs;
    this.report = options.report;
    this.#wake = options.wake;
    this.peers = options.peers ?? httpPeers();
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
}

function connectTcp(host: string, port: number, timeoutMs: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port, autoSelectFamily: true });
    const timer = setTimeout(() => {
      socket.destroy();
      reject(new OperationalError("timeout", `dial tcp ${host}:${port}: i/o timeout`));
    }, timeoutMs);
    socket.once("connect", () => {
      clearTimeout(timer);
      socket.destroy();
      resolve();
    });
    socket.once("error", (error: NodeJS.ErrnoException) => {
      clearTimeout(timer);
      const why = error.code === "ECONNREFUSED" ? "connect: connection refused" : error.message || error.code;
      reject(new OperationalError("unreachable", `dial tcp ${host}:${port}: ${why}`, { cause: error }));
    });
  });
}

function runProgram(args: readonly string[], options: ExecOptions): Promise<ExecResult> {
  return new Promise((resolve, reject) => {
    const [command, ...rest] = args;
    // A group of its own, so that what the program started ends with it.
    const child = spawn(command as string, rest, {
      detached: true,
      env: options.env === undefined ? process.env : { ...process.env, ...options.env },
      stdio: ["pipe", "pipe", "pipe"],
    });
    const tail = new Tail(options.outputBytes);
    let timedOut = false;
    const kill = (): void => {
      try {
        if (child.pid !== undefined) process.kill(-child.pid, "SIGKILL");
      } catch {
        child.kill("SIGKILL");
      }
    };
    const timer = setTimeout(() => {
      timedOut = true;
      kill();
    }, options.timeoutMs);
    options.signal?.addEventListener("abort", kill, { once: true });
    const done = (): void => {
      clearTimeout(timer);
      options.signal?.removeEventListener("abort", kill);
    };
    child.stdout.on("data", (chunk: Uint8Array) => tail.push(chunk));
    child.stderr.on("data", (chunk: Uint8Array) => tail.push(chunk));
    child.stdin.on("error", () => {});
    child.stdin.end(options.stdin);
    child.once("error", (error: NodeJS.ErrnoException) => {
      done();
      const why = error.code === "ENOENT" ? "executable file not found in $PATH" : error.message;
      reject(new OperationalError("refused", `exec: ${JSON.stringify(command)}: ${why}`, { cause: error }));
    });
    child.once("close", (code) => {
      done();
      resolve({ exitCode: code, timedOut, output: tail.bytes(), outputTotal: tail.total });
    });
  });
}

/** The last bytes of a stream. */
class Tail {
  readonly #max: number;
  #chunks: Uint8Array[] = [];
  #kept = 0;
  total = 0;
  constructor(max: number) {
    this.#max = max;
  }
  push(chunk: Uint8Array): void {
    this.total += chunk.length;
    this.#chunks.push(chunk);
    this.#kept += chunk.length;
    while (this.#chunks.length > 1 && this.#kept - (this.#chunks[0] as Uint8Array).length >= this.#max)
      this.#kept -= (this.#chunks.shift() as Uint8Array).length;
  }
  bytes(): Uint8Array {
    const all = Buffer.concat(this.#chunks);
    return new Uint8Array(all.subarray(Math.max(0, all.length - this.#max)));
  }
}

function hostFacts(): Record<string, unknown> {
  const total = totalmem();
  const free = freemem();
  return {
    Memory: { total, available: free, used: total - free, usedPercent: ((total - free) / total) * 100, free },
    CPU: cpus().map((cpu, at) => ({ cpu: at, vendorId: "", family: "", model: "", stepping: 0, physicalId: "", coreId: "", cores: 1, modelName: cpu.model, mhz: cpu.speed, cacheSize: 0, flags: null, microcode: "" })),
    Host: { hostname: hostname(), uptime: Math.round(uptime()), bootTime: Math.round(Date.now() / 1000 - uptime()), procs: 0, os: osPlatform(), platform: osPlatform(), platformFamily: "", platformVersion: "", kernelVersion: release(), kernelArch: arch(), virtualizationSystem: "", virtualizationRole: "", hostId: "" },
    Disk: null,
    CollectionTime: Date.now() * 1e6,
    Errors: null,
    Load: loadavg(),
  };
}
