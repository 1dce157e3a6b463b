// A pool of gossip machines on a virtual clock and an in-memory network: latency, loss, members that are dead, blocked (their
// network stands still while their timers run, as in Lifeguard's experiments) or frozen (the whole process stands still).
// One seed decides everything.
import { Gossip } from "../../src/gossip/gossip.ts";
import { GOSSIP_LIMITS, LAN_TIMINGS } from "../../src/gossip/options.ts";
import { messageSize } from "../../src/gossip/size.ts";
import type {
  Answer,
  FailureReason,
  GossipEffect,
  GossipInput,
  GossipOptions,
  GossipTimings,
  Request,
  Versions,
} from "../../src/gossip/types.ts";
import { Heap } from "../../src/util/heap.ts";
import { Random } from "../../src/util/random.ts";

export const VERSIONS: Versions = {
  protocolMin: 1,
  protocolMax: 5,
  protocolCurrent: 2,
  delegateMin: 2,
  delegateMax: 5,
  delegateCurrent: 4,
};

export function optionsOf(name: string, change: Partial<GossipOptions> = {}): GossipOptions {
  return {
    name,
    address: `${name}:8301`,
    tags: {},
    versions: VERSIONS,
    seed: 1,
    timings: LAN_TIMINGS,
    limits: GOSSIP_LIMITS,
    mergeRules: [],
    allowedNetworks: null,
    anchorTag: null,
    reconnectTimeoutTag: null,
    coordinates: true,
    ...change,
  };
}

export interface NetworkOptions {
  seed: number;
  timings?: Partial<GossipTimings>;
  /** One way, in milliseconds: this, and up to as much again by chance. */
  latencyMs?: number;
  /** The share of requests and of answers that are lost; the caller then hears nothing until its timeout. */
  loss?: number;
  /** A dead member's host answers that nobody listens; otherwise it is silent. */
  refuses?: boolean;
  coordinates?: boolean;
}

/** What happens next: a member's deadline, or a thing on its way. */
type Happening =
  | { type: "wake"; host: Host; deadline: number }
  | { type: "request"; from: Host; id: number; to: string; message: Request }
  | { type: "answer"; from: Host; to: Host; id: number; message: Answer }
  | { type: "failed"; to: Host; id: number; reason: FailureReason }
  | { type: "do"; what: () => void };

export class Host {
  readonly name: string;
  readonly address: string;
  readonly gossip: Gossip;
  isUp = true;
  /** Nothing comes in or goes out. */
  isBlocked = false;
  /** Nothing happens at all. */
  isFrozen = false;
  /** What waits until it goes on. */
  readonly held: Happening[] = [];
  /** Calls that have not ended. */
  readonly calls: Set<number> = new Set<number>();
  wakeAt: number | null = null;
  readonly effects: GossipEffect[] = [];
  constructor(options: GossipOptions) {
    this.name = options.name;
    this.address = options.address === "" ? `leaf:${options.name}` : options.address;
    this.gossip = new Gossip(options);
  }
}

export class Network {
  now = 0;
  readonly hosts: Host[] = [];
  readonly byAddress: Map<string, Host> = new Map<string, Host>();
  readonly options: NetworkOptions;
  readonly random: Random;
  readonly #heap = new Heap<Happening>();
  #requests: { from: Host; call: number }[] = [];
  messages = 0;
  bytes = 0;
  /** What may not reach what: names `a>b`. */
  readonly cuts: Set<string> = new Set<string>();
  /** Called with every effect of every member. */
  onEffect: (host: Host, effect: GossipEffect) => void = () => undefined;
  /** Called before every step. */
  onStep: (host: Host, input: GossipInput) => void = () => undefined;

  constructor(options: NetworkOptions) {
    this.options = options;
    this.random = new Random(options.seed);
  }

  add(name: string, change: Partial<GossipOptions> = {}): Host {
    const timings = { ...LAN_TIMINGS, ...this.options.timings };
    const coordinates = this.options.coordinates ?? true;
    const host = new Host(optionsOf(name, { seed: this.random.next(), timings, coordinates, ...change }));
    const former = this.hosts.findIndex((one) => one.name === name && !one.isUp);
    if (former >= 0) this.hosts[former] = host;
    else this.hosts.push(host);
    this.byAddress.set(host.address, host);
    this.step(host, { type: "start" });
    return host;
  }

  host(name: string): Host {
    return this.hosts.find((host) => host.name === name)!;
  }

  step(host: Host, input: GossipInput): void {
    this.onStep(host, input);
    for (const effect of host.gossip.step(this.now, input)) this.#perform(host, effect);
    const { deadline } = host.gossip;
    if (deadline === null || deadline === host.wakeAt) return;
    host.wakeAt = deadline;
    this.#heap.push(Math.max(deadline, this.now), { type: "wake", host, deadline });
  }

  at(time: number, what: () => void): void {
    this.#heap.push(time, { type: "do", what });
  }

  kill(host: Host): void {
    host.isUp = false;
  }

  block(host: Host): void {
    host.isBlocked = true;
  }

  freeze(host: Host): void {
    host.isFrozen = true;
  }

  /** A blocked or frozen member goes on: with its late timer first, then with what has come in. */
  resume(host: Host): void {
    const wasFrozen = host.isFrozen;
    host.isBlocked = false;
    host.isFrozen = false;
    if (wasFrozen) this.#wake(host);
    for (const happening of host.held.splice(0)) this.#happen(happening);
  }

  /** No message between these two, either way. */
  cut(a: string, b: string): void {
    this.cuts.add(`${a}>${b}`).add(`${b}>${a}`);
  }

  /** Lets so much time pass. */
  run(ms: number): void {
    this.runUntil(this.now + ms);
  }

  runUntil(time: number, isDone: () => boolean = () => false): boolean {
    while ((this.#heap.peek()?.at ?? Infinity) <= time) {
      const { at, value } = this.#heap.pop()!;
      this.now = Math.max(this.now, at);
      this.#happen(value);
      if (isDone()) return true;
    }
    this.now = time;
    return isDone();
  }

  #wake(host: Host): void {
    host.wakeAt = null;
    if (host.isUp) this.step(host, { type: "timeout" });
  }

  #happen(happening: Happening): void {
    switch (happening.type) {
      case "do":
        return happening.what();
      case "wake":
        if (happening.host.wakeAt !== happening.deadline || happening.host.isFrozen) return;
        return this.#wake(happening.host);
      case "request":
        return this.#deliver(happening);
      case "answer":
      case "failed": {
        const { to, id } = happening;
        // The caller's timer of a call runs while its network is blocked; nothing runs when it is frozen.
        if (to.isFrozen || (to.isBlocked && happening.type === "answer")) return void to.held.push(happening);
        if (!to.isUp || !to.calls.delete(id)) return;
        if (happening.type === "answer") return this.step(to, { type: "reply", id, message: happening.message });
        return this.step(to, { type: "failed", id, reason: happening.reason });
      }
    }
  }

  #deliver(happening: Happening & { type: "request" }): void {
    const { from, id, to, message } = happening;
    // Given up while it waited to go out: an aborted request is not sent.
    if (!from.calls.has(id)) return;
    if (from.isBlocked || from.isFrozen) return void from.held.push(happening);
    const host = this.byAddress.get(to);
    if (host === undefined || !host.isUp) {
      if (host === undefined || (this.options.refuses ?? false)) {
        this.#heap.push(this.now + this.#latency(), { type: "failed", to: from, id, reason: "refused" });
      }
      return;
    }
    if (this.cuts.has(`${from.name}>${host.name}`)) return;
    if (host.isBlocked || host.isFrozen) return void host.held.push(happening);
    this.#requests.push({ from, call: id });
    this.step(host, { type: "request", id: this.#requests.length - 1, from: from.address, message });
  }

  #latency(): number {
    const { latencyMs = 1 } = this.options;
    return latencyMs * (1 + this.random.float());
  }

  #send(message: Request | Answer): boolean {
    this.messages += 1;
    this.bytes += messageSize(message);
    const { loss = 0 } = this.options;
    return loss === 0 || this.random.float() >= loss;
  }

  #perform(host: Host, effect: GossipEffect): void {
    this.onEffect(host, effect);
    switch (effect.type) {
      case "call": {
        const { id, to, message, timeoutMs } = effect;
        host.calls.add(id);
        this.#heap.push(this.now + timeoutMs, { type: "failed", to: host, id, reason: "timeout" });
        if (this.#send(message))
          this.#heap.push(this.now + this.#latency(), { type: "request", from: host, id, to, message });
        return;
      }
      case "respond": {
        const { from, call } = this.#requests[effect.id]!;
        if (!this.#send(effect.message) || this.cuts.has(`${host.name}>${from.name}`)) return;
        this.#heap.push(this.now + this.#latency(), {
          type: "answer",
          from: host,
          to: from,
          id: call,
          message: effect.message,
        });
        return;
      }
      default:
        host.effects.push(effect);
    }
  }
}

/** A pool of `count` members m0, m1 …, of which all but the first join through it, a little after one another, until they have. */
export function startPool(count: number, options: NetworkOptions): Network {
  const network = new Network(options);
  for (let at = 0; at < count; at += 1) {
    const host = network.add(`m${at}`);
    if (at === 0) continue;
    const join = (): void => {
      if (host.effects.some((effect) => effect.type === "joined" && effect.contacted > 0)) return;
      network.step(host, { type: "join", ref: 1, addresses: ["m0:8301"], ignoreOld: true });
      network.at(network.now + 11_000, join);
    };
    network.at(10 * at, join);
  }
  return network;
}

/** True when every member that is up knows exactly `alive` members to be alive. */
export function isConverged(network: Network, alive: number): boolean {
  return network.hosts.every((host) => !host.isUp || host.gossip.counts.alive === alive);
}
