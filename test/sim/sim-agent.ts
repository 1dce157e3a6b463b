// One simulated machine: its disk, its clocks and the agent that runs on it, life after life. The agent is the product's
// own (`createAgent`), and sees nothing of the world but the platform made here.
import type { AgentConfig } from "../../src/config/agent-config.ts";
import type { HttpRequest } from "../../src/http/request.ts";
import { createAgent, type Reply, type RunningAgent } from "../../src/index.ts";
import type { LogEvent, Platform, ReportEvent } from "../../src/platform.ts";
import type { Configuration } from "../../src/raft/types.ts";
import type { Server } from "../../src/server/server.ts";
import { concat, text, utf8 } from "../../src/util/bytes.ts";
import type { Random } from "../../src/util/random.ts";
import type { SimDisk } from "./disk.ts";
import type { EventQueue } from "./event-queue.ts";
import { copyOf, type Network, type OpenCall } from "./network.ts";
import { NodeClock } from "./node-clock.ts";
import type { SeamNode, SimReply } from "./types.ts";

/** What a machine is made with. */
export interface SimAgentOptions {
  readonly name: string;
  /** The node id: it belongs to the disk. */
  readonly id: string;
  readonly host: string;
  readonly datacenter: string;
  /** There are other datacenters: its WAN pool can be called. */
  readonly isFederated: boolean;
  /** `server` or `client`: what kind of agent runs here. */
  readonly kind: "server" | "client";
  readonly disk: SimDisk;
  readonly events: EventQueue;
  readonly network: Network;
  readonly random: Random;
  /** Something happens in it. */
  touched(agent: SimAgent): void;
  /** The settings of the next life. */
  config(): AgentConfig;
  /** A life has ended by itself, or could not begin. */
  stopped(agent: SimAgent, why: string): void;
  /** The agent reported that it has a bug. */
  bug(agent: SimAgent, text: string): void;
}

/** The last lines of an agent's own log that are kept. */
const LOG_LINES = 30;
const RPC_PORT = 8300;
const SERF_PORT = 8301;
export const WAN_PORT = 8302;

export class SimAgent implements SeamNode {
  readonly name: string;
  readonly id: string;
  readonly host: string;
  readonly datacenter: string;
  readonly address: string;
  readonly serfAddress: string;
  readonly wanAddress: string;
  readonly kind: "server" | "client";
  readonly disk: SimDisk;
  readonly clock: NodeClock;
  readonly log: LogEvent[] = [];
  /** Counts beginnings and ends of lives: what belongs to an older one never happens. */
  life = 0;
  running: RunningAgent | null = null;
  /** The process was started and has not ended. */
  started = false;
  /** Is to be taken out of the cluster; never started again by itself. */
  retired = false;
  /** It is leaving gracefully. */
  departing = false;
  readonly #options: SimAgentOptions;
  /** What waits while the process is frozen. */
  #frozen: (() => void)[] | null = null;
  readonly #calls = new Set<OpenCall>();

  constructor(options: SimAgentOptions) {
    const { name, id, host, datacenter, kind, disk, events } = options;
    this.#options = options;
    this.name = name;
    this.id = id;
    this.host = host;
    this.address = `${host}:${RPC_PORT}`;
    this.datacenter = datacenter;
    this.serfAddress = `${host}:${SERF_PORT}`;
    this.wanAddress = `${host}:${WAN_PORT}`;
    this.kind = kind;
    this.disk = disk;
    this.clock = new NodeClock(events, () => this.run(this.life, () => this.running?.wake()));
  }

  get up(): boolean {
    return this.running !== null;
  }

  get frozen(): boolean {
    return this.#frozen !== null;
  }

  get server(): Server | null {
    return this.kind === "server" ? (this.running?.agent.server ?? null) : null;
  }

  /** Servers take calls on one port and those of the WAN pool on another, and every agent those of its own pool on a third. */
  listens(address: string): boolean {
    if (!this.up || address === this.serfAddress || this.kind !== "server")
      return this.up && address === this.serfAddress;
    return address === this.address || (address === this.wanAddress && this.#options.isFederated);
  }

  /** Begins a life. @param group the first configuration of a new group; null goes on with what is stored, or joins. */
  start(group: Configuration | null): void {
    if (this.started) return;
    const { disk, config, stopped } = this.#options;
    const life = ++this.life;
    this.started = true;
    const stores = disk.open((then) => this.run(life, then));
    createAgent({
      config: config(),
      platform: new LifePlatform(this, life, this.#options, stores),
      bootstrap: group ?? { servers: [] },
      stopped: (exitCode) => this.run(life, () => this.#ended(`it stopped by itself with exit code ${exitCode}`)),
    }).then(
      (running) =>
        this.run(life, () => {
          this.running = running;
          // What was missing was not needed.
          disk.isSuspect = false;
          running.wake();
        }),
      (error: unknown) =>
        this.run(life, () => {
          this.crash();
          stopped(this, `it could not start: ${String(error)}`);
        }),
    );
  }

  #ended(why: string): void {
    const last = this.log.findLast(({ level }) => level === "error");
    this.crash();
    this.#options.stopped(this, `${why}: ${last?.message ?? ""} ${String(last?.fields?.["error"] ?? "")}`);
  }

  /** Ends the process at once. Who called it finds the connection broken. */
  crash(): void {
    this.departing = false;
    if (!this.started) return;
    this.#options.touched(this);
    this.started = false;
    this.running = null;
    this.life += 1;
    this.#frozen = null;
    this.clock.wakeAt(null);
    this.disk.crash();
    for (const call of this.#calls) call.broken();
    this.#calls.clear();
  }

  /** The process stands still, its clocks go on: nothing that is meant for it happens before `thaw`. */
  freeze(): void {
    this.#frozen ??= [];
  }

  thaw(): void {
    const waiting = this.#frozen ?? [];
    this.#frozen = null;
    // One after the other, each with its promises run to rest, as a process finds them when it goes on.
    for (const then of waiting) this.#options.events.after(0, then);
  }

  /** Lets something happen in a life, now or when it goes on; never when that is over. */
  run(life: number, then: () => void): void {
    if (life !== this.life) return;
    if (this.#frozen === null) {
      this.#options.touched(this);
      then();
    } else this.#frozen.push(() => this.run(life, then));
  }

  /** Answers a call of another agent. */
  serve(
    call: OpenCall,
    path: string,
    bytes: Uint8Array,
    from: string,
    answer: (reply: Uint8Array<ArrayBuffer>) => void,
  ): void {
    const { life } = this;
    this.#calls.add(call);
    this.run(life, () => {
      void this.running?.peer(path, bytes, from).then((reply) => {
        if (this.#calls.delete(call)) answer(copyOf(reply));
      });
    });
  }

  /** Answers a client. */
  serveRequest(
    call: OpenCall,
    method: string,
    target: string,
    body: string | undefined,
    answer: (reply: SimReply) => void,
  ): void {
    this.#calls.add(call);
    this.run(this.life, () => {
      void this.#handle(method, target, body).then((reply) => {
        if (this.#calls.delete(call)) answer(reply);
      });
    });
  }

  async #handle(method: string, target: string, body: string | undefined): Promise<SimReply> {
    const reply = await (this.running as RunningAgent).handle(new SimRequest(method, target, body));
    const headers = new Map<string, string>();
    for (let at = 0; at < reply.headers.length; at += 2)
      headers.set((reply.headers[at] as string).toLowerCase(), reply.headers[at + 1] as string);
    return { status: reply.status, headers, body: await textOf(reply) };
  }

  /** A client's request, over the network. */
  request(method: string, target: string, body?: string): Promise<SimReply> {
    return this.#options.network.request(this, method, target, body);
  }

  /** Takes what the agent reports. */
  reported(event: ReportEvent): void {
    if (event.type !== "log") return;
    this.log.push(event);
    if (this.log.length > LOG_LINES) this.log.shift();
    if (event.level === "error" && event.message.includes("this is a bug"))
      this.#options.bug(this, `${event.message}: ${errorText(event.fields?.["error"])}`);
  }
}

const errorText = (error: unknown): string => (error instanceof Error ? (error.stack ?? error.message) : String(error));

async function textOf({ body }: Reply): Promise<string> {
  if (body === null) return "";
  if (typeof body === "string") return body;
  if (body instanceof Uint8Array) return text(body);
  const chunks: Uint8Array[] = [];
  for await (const chunk of body) chunks.push(chunk);
  return text(concat(chunks));
}

const NO_BYTES = new Uint8Array(0);

/** A request as a runtime would hand it in. */
class SimRequest implements HttpRequest {
  readonly method: string;
  readonly target: string;
  readonly remoteAddress = "127.0.0.1";
  readonly #bytes: Uint8Array;

  constructor(method: string, target: string, body: string | undefined) {
    this.method = method;
    this.target = target;
    this.#bytes = body === undefined ? NO_BYTES : utf8(body);
  }

  header(name: string): string | null {
    if (name === "host") return "127.0.0.1:8500";
    return name === "content-length" && this.#bytes !== NO_BYTES ? String(this.#bytes.length) : null;
  }

  async body(): Promise<Uint8Array> {
    return this.#bytes;
  }

  onGone(): () => void {
    return () => {};
  }
}

/** The platform of one life: when that is over, nothing comes out of it any more. */
class LifePlatform implements Platform {
  readonly log: Platform["log"];
  readonly blobs: Platform["blobs"];
  readonly peers: Platform["peers"];
  readonly #agent: SimAgent;
  readonly #life: number;
  readonly #random: Random;

  constructor(
    agent: SimAgent,
    life: number,
    { network, random }: SimAgentOptions,
    stores: Pick<Platform, "log" | "blobs">,
  ) {
    this.#agent = agent;
    this.#life = life;
    this.#random = random;
    this.log = stores.log;
    this.blobs = stores.blobs;
    this.peers = {
      call: (address, path, body, timeoutMs) =>
        // Who is dead says nothing, and hears nothing.
        agent.life === life ? network.call(agent, address, path, body, timeoutMs) : new Promise(() => {}),
    };
  }

  now(): number {
    return this.#agent.clock.now();
  }

  wall(): number {
    return this.#agent.clock.wall();
  }

  wakeAt(at: number | null): void {
    if (this.#agent.life === this.#life) this.#agent.clock.wakeAt(at);
  }

  random(length: number): Uint8Array<ArrayBuffer> {
    return Uint8Array.from({ length }, () => this.#random.next() & 0xff);
  }

  fetch(request: Request): Promise<Response> {
    return Promise.reject(new TypeError(`fetch failed: ${request.url}: no such host in the simulation`));
  }

  report(event: ReportEvent): void {
    if (this.#agent.life === this.#life) this.#agent.reported(event);
  }
}
