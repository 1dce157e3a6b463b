// A whole agent in this process for tests: stores in memory, virtual time, seeded randomness, requests without sockets.
//
//   const agent = await startTestAgent();
//   const reply = await agent.fetch("PUT", "/v1/kv/a", "x");   // reply.status, reply.header("x-consul-index"), reply.json()
//   await agent.advance(15_000);                               // time passes; every timer due meanwhile goes off
//   await agent.stop();
//
// Time stands still but for `advance`; what is due at once (a break between two slices of work) still happens.
import { setImmediate } from "node:timers/promises";
import { type AgentConfig, buildConfig } from "../../src/config/agent-config.ts";
import { parseAgentFlags } from "../../src/config/agent-flags.ts";
import { MemoryBlobs, MemoryLogStore } from "../../src/host/memory-store.ts";
import type { HttpRequest } from "../../src/http/request.ts";
import { createAgent, OperationalError, type Reply, type RunningAgent } from "../../src/index.ts";
import type { Blobs, LogEvent, LogStore, MetricEvent, Peers, Platform, ReportEvent } from "../../src/platform.ts";
import { concat, text, utf8 } from "../../src/util/bytes.ts";
import { parseJson } from "../../src/util/json.ts";
import { Random } from "../../src/util/random.ts";

export interface TestAgentOptions {
  /** The keys of a configuration file, such as `{ http_config: { block_endpoints: ["/v1/agent"] } }`. */
  settings?: Record<string, unknown>;
  /** Words after `agent`; a development agent without any. */
  flags?: readonly string[];
  /** Resolved settings in place of those. */
  config?: Partial<AgentConfig>;
  /** Stores of an earlier agent: this one is then its restart. */
  log?: LogStore;
  blobs?: Blobs;
  /** What else the platform has: `fetch`, `tcp`, `exec`, `host`, `peers`. */
  platform?: Partial<Pick<Platform, "fetch" | "tcp" | "exec" | "host" | "peers" | "cipher">>;
  /** When virtual time begins, milliseconds since the epoch. */
  startMs?: number;
  seed?: number;
  /** The agent is expected to end by itself. */
  mayStop?: boolean;
}

/** What came back, read whole. */
export interface TestReply {
  readonly status: number;
  readonly bytes: Uint8Array;
  readonly text: string;
  /** The value of a header, by its name in any case; null when absent. */
  header(name: string): string | null;
  /** The body; integers past 2^53 are bigints. */
  // oxlint-disable-next-line typescript/no-explicit-any -- tests look into it as they like
  json(): any;
}

export type TestBody = string | Uint8Array | object | undefined;

export interface TestAgent {
  readonly running: RunningAgent;
  readonly agent: RunningAgent["agent"];
  readonly platform: TestPlatform;
  /** Sends a request by the door a runtime uses. An object is sent as JSON. */
  fetch(method: string, path: string, body?: TestBody, headers?: Record<string, string>): Promise<TestReply>;
  /** The same, for a request that may go away before its answer: `gone` says so. */
  send(
    method: string,
    path: string,
    body?: TestBody,
    headers?: Record<string, string>,
  ): { reply: Promise<TestReply>; gone(): void };
  /** A request as a runtime would hand it to `running.handle`. */
  request(method: string, path: string, body?: TestBody, headers?: Record<string, string>): HttpRequest;
  /** The exit code with which the agent ended by itself; null while it has not. With `mayStop` only: else that throws. */
  readonly stopped: number | null;
  /** Lets virtual time pass, a timer at a time. */
  advance(ms: number): Promise<void>;
  /** Lets what is under way go on until nothing more happens without time passing. */
  settle(): Promise<void>;
  stop(): Promise<void>;
}

const START_MS = Date.UTC(2030, 0, 1);
/** Turns of the loop that chains of promises and streams get to come to rest. */
const SETTLE_TURNS = 5;
const NODE_ID = "11111111-1111-1111-1111-111111111111";

/** A platform whose clock is turned by hand. */
export class TestPlatform implements Platform {
  readonly log: LogStore;
  readonly blobs: Blobs;
  /** Everything that was reported, oldest first. */
  readonly logs: LogEvent[] = [];
  readonly metrics: MetricEvent[] = [];
  readonly peers: Peers = {
    call: (address) => Promise.reject(new OperationalError("unreachable", `${address}: no peers in this test`)),
  };
  /** Called when the one timer goes off. */
  wake: () => void = () => {};
  readonly #random: Random;
  readonly #startMs: number;
  #nowMs = 0;
  #wakeAt: number | null = null;
  #soon = false;

  constructor({ log, blobs, platform, startMs, seed }: TestAgentOptions) {
    this.log = log ?? new MemoryLogStore();
    this.blobs = blobs ?? new MemoryBlobs();
    this.#random = new Random(seed ?? 1);
    this.#startMs = startMs ?? START_MS;
    Object.assign(this, platform);
  }

  now(): number {
    return this.#nowMs;
  }

  wall(): number {
    return this.#startMs + this.#nowMs;
  }

  wakeAt(at: number | null): void {
    this.#wakeAt = at;
    if (at === null || at > this.#nowMs || this.#soon) return;
    this.#soon = true;
    void setImmediate().then(() => {
      this.#soon = false;
      this.#goOff(this.#nowMs);
    });
  }

  random(length: number): Uint8Array<ArrayBuffer> {
    return Uint8Array.from({ length }, () => this.#random.next() & 0xff);
  }

  fetch(request: Request): Promise<Response> {
    return Promise.reject(new TypeError(`fetch failed: ${request.url}: no network in this test`));
  }

  report(event: ReportEvent): void {
    if (event.type === "log") this.logs.push(event);
    else this.metrics.push(event);
  }

  /** Moves the clock to `at` and sets off each timer in its turn. */
  async turnTo(at: number): Promise<void> {
    await settle();
    while (this.#wakeAt !== null && this.#wakeAt <= at) {
      this.#nowMs = Math.max(this.#nowMs, this.#wakeAt);
      this.#goOff(this.#nowMs);
      await settle();
    }
    this.#nowMs = at;
  }

  #goOff(nowMs: number): void {
    if (this.#wakeAt === null || this.#wakeAt > nowMs) return;
    this.#wakeAt = null;
    this.wake();
  }
}

async function settle(): Promise<void> {
  for (let turn = 0; turn < SETTLE_TURNS; turn++) await setImmediate();
}

/** The configuration of a test's agent. @throws Error that says what is wrong with it. */
export function testConfig({ settings = {}, flags = ["-dev"], config = {} }: TestAgentOptions): AgentConfig {
  const parsed = parseAgentFlags(["-node=n1", `-node-id=${NODE_ID}`, "-bind=127.0.0.1", ...flags]);
  if ("error" in parsed) throw new Error(parsed.error);
  const result = buildConfig({
    flags: parsed,
    sources: [{ name: "test.json", format: "json", text: JSON.stringify(settings) }],
    hostname: "test-host",
    interfaces: [{ name: "lo", address: "127.0.0.1", prefixBits: 8, loopback: true }],
  });
  if ("errors" in result) throw new Error(result.errors.join("\n"));
  return { ...result.config, ...config };
}

/** Starts an agent that leads a datacenter of its own; `stop` it when done. */
export async function startTestAgent(options: TestAgentOptions = {}): Promise<TestAgent> {
  const platform = new TestPlatform(options);
  let stopped: number | null = null;
  const running = await createAgent({
    config: testConfig(options),
    platform,
    stopped: (exitCode) => {
      stopped = exitCode;
      if (options.mayStop !== true) throw new Error(`the agent stopped by itself with ${exitCode}`);
    },
  });
  platform.wake = () => running.wake();
  running.wake();
  await settle();
  const send: TestAgent["send"] = (method, path, body, headers = {}) => {
    const request = new TestRequest(method, path, body, headers);
    return { reply: readReply(running, request), gone: () => request.leave() };
  };
  return {
    running,
    agent: running.agent,
    platform,
    send,
    request: (method, path, body, headers = {}) => new TestRequest(method, path, body, headers),
    get stopped() {
      return stopped;
    },
    fetch: (method, path, body, headers) => send(method, path, body, headers).reply,
    advance: (ms) => platform.turnTo(platform.now() + ms),
    settle,
    stop: () => running.stop(),
  };
}

/** A request as a runtime would hand it in, whose sender can go away. */
export class TestRequest implements HttpRequest {
  readonly method: string;
  readonly target: string;
  readonly remoteAddress = "127.0.0.1";
  readonly #headers = new Map<string, string>();
  readonly #bytes: Uint8Array;
  readonly #gone = new Set<() => void>();

  constructor(method: string, target: string, body: TestBody, headers: Record<string, string>) {
    this.method = method;
    this.target = target;
    this.#bytes =
      body instanceof Uint8Array
        ? body
        : utf8(typeof body === "string" ? body : body === undefined ? "" : JSON.stringify(body));
    for (const [name, value] of Object.entries({ host: "127.0.0.1:8500", ...headers }))
      this.#headers.set(name.toLowerCase(), value);
    if (body !== undefined && !this.#headers.has("content-length"))
      this.#headers.set("content-length", String(this.#bytes.length));
  }

  header(name: string): string | null {
    return this.#headers.get(name) ?? null;
  }

  async body(limitBytes: number): Promise<Uint8Array> {
    if (this.#bytes.length > limitBytes)
      throw new OperationalError(
        "payload-too-large",
        `Request body(${this.#bytes.length} bytes) too large, max size: ${limitBytes} bytes.`,
      );
    return this.#bytes;
  }

  onGone(gone: () => void): () => void {
    this.#gone.add(gone);
    return () => this.#gone.delete(gone);
  }

  leave(): void {
    for (const gone of Array.from(this.#gone)) gone();
  }
}

/** Has the agent answer, and reads the answer whole. */
export async function readReply(running: RunningAgent, request: TestRequest): Promise<TestReply> {
  const reply = await running.handle(request);
  const bytes = await bodyOf(reply);
  const shown = text(bytes);
  const headers = new Map<string, string>();
  for (let at = 0; at < reply.headers.length; at += 2)
    headers.set((reply.headers[at] as string).toLowerCase(), reply.headers[at + 1] as string);
  return {
    status: reply.status,
    bytes,
    text: shown,
    header: (name) => headers.get(name.toLowerCase()) ?? null,
    json: () => parseJson(shown),
  };
}

async function bodyOf({ body }: Reply): Promise<Uint8Array> {
  if (body === null) return new Uint8Array(0);
  if (typeof body === "string") return utf8(body);
  if (body instanceof Uint8Array) return body;
  const chunks: Uint8Array[] = [];
  for await (const chunk of body) chunks.push(chunk);
  return concat(chunks);
}
