// The simulated network between agents, and between clients and agents. A call is a message there and one back; each takes
// a while and may be met by the rules in force. What the rules do not promise to lose arrives once and whole, as over TCP;
// what arrives where no process listens is refused, and a process that dies breaks the calls it had.
import { OperationalError } from "../../src/types/error.ts";
import type { Random } from "../../src/util/random.ts";
import { allocate } from "../../src/util/slab.ts";
import type { EventQueue } from "./event-queue.ts";
import type { SimAgent } from "./sim-agent.ts";
import { between, chance } from "./streams.ts";
import type { Trace } from "./trace.ts";
import type { SimReply } from "./types.ts";

/** The pseudo host that all clients are on. */
export const CLIENT_HOST = "client";

/** Says whether a message from one host to another is within. */
export type Scope = (from: string, to: string) => boolean;

/** What one fault does to messages. Rules add up. Absent members do nothing. */
export interface NetworkRule {
  /** The kind of fault that it is counted for. */
  readonly kind: string;
  /** Where it is in force; absent: everywhere. */
  scope?: Scope;
  /** Which messages it is about. */
  applies(from: string, to: string, isReply: boolean, path: string): boolean;
  /** The probability that a message is lost: 1 is a cut. */
  loss?: number;
  /** Further milliseconds on the way. */
  delayMs?: (random: Random) => number;
  /** The probability that a message that may come twice does; and that any call does, up to so much later. */
  duplicate?: number;
  double?: { readonly share: number; readonly laterMs: number };
  /** The probability that what arrives is not what was sent. */
  garble?: number;
  /** The probability that a bit of a part of a snapshot flips. */
  flip?: number;
  /** Messages are kept here until the rule ends, and then come all at once. */
  held?: (() => void)[];
}

/** What the network is made with. */
export interface NetworkOptions {
  readonly events: EventQueue;
  readonly random: Random;
  readonly trace: Trace;
  /** How long a message takes: from and to. */
  readonly latencyMs: readonly [number, number];
  /** How much longer between two datacenters: of the first and second, the first and third, the second and third. */
  readonly linkMs: readonly number[];
  agentAt(host: string): SimAgent | undefined;
  fired(kind: string): void;
}

/** Calls to these may be taken twice without harm, and a transport may repeat them. */
const REPEATABLE = /^\/(raft|gossip)\//;
const SNAPSHOT_PATH = "/raft/1/snapshot";
const GARBAGE = 0x7f;

/** A call under way at an agent: if that dies, it breaks. */
export interface OpenCall {
  broken(): void;
}

/** The number of a host's datacenter, from 0; -1 for clients. */
export const siteOf = (host: string): number => (host === CLIENT_HOST ? -1 : host.charCodeAt(SITE_AT) - ZERO);
/** Hosts are 10.<datacenter>.x.y. */
const SITE_AT = 3;
const ZERO = 48;

const hosts = new Map<string, string>();

/** There are few addresses, and each is called all the time. */
function hostOf(address: string): string {
  let host = hosts.get(address);
  if (host === undefined) hosts.set(address, (host = address.slice(0, address.lastIndexOf(":"))));
  return host;
}

export class Network {
  readonly rules: NetworkRule[] = [];
  /** Shown every call, and every answer, as its sender hands it over. */
  onSaid: ((from: SimAgent, toHost: string, path: string, bytes: Uint8Array, isReply: boolean) => void) | null = null;
  /** Rules that are added now are in force only there. */
  scope: Scope | null = null;
  /** Messages sent so far. */
  messages = 0;
  readonly #options: NetworkOptions;

  constructor(options: NetworkOptions) {
    this.#options = options;
  }

  /** Puts a rule in force until the returned function is called. */
  add(rule: NetworkRule): () => void {
    if (this.scope !== null) rule.scope = this.scope;
    this.rules.push(rule);
    return () => {
      const at = this.rules.indexOf(rule);
      if (at >= 0) this.rules.splice(at, 1);
      for (const deliver of rule.held?.splice(0) ?? []) this.#options.events.after(this.#latency(), deliver);
    };
  }

  /** A call of one agent to another: `Peers.call` of its platform. */
  call(from: SimAgent, address: string, path: string, body: Uint8Array, timeoutMs: number): Promise<Uint8Array> {
    const { events, trace } = this.#options;
    const { life } = from;
    const host = hostOf(address);
    const sent = copyOf(body);
    this.onSaid?.(from, host, path, sent, false);
    return new Promise((resolve, reject) => {
      let isSettled = false;
      const settle = (then: () => void): void => {
        if (isSettled) return;
        isSettled = true;
        events.cancel(timer);
        from.run(life, then);
      };
      const timer = events.after(timeoutMs, () =>
        settle(() => reject(lost("timeout", `${address}: no answer in time`))),
      );
      const answer = (reply: Uint8Array): void =>
        this.#send(host, from.host, true, path, reply, (bytes) => settle(() => resolve(bytes)));
      const refuse = (code: "unreachable" | "outcome-unknown", text: string): void =>
        this.#send(host, from.host, true, path, null, () => settle(() => reject(lost(code, `${address}: ${text}`))));
      this.#send(from.host, host, false, path, sent, (bytes) => {
        const target = this.#options.agentAt(host);
        if (target === undefined || !target.listens(address)) {
          refuse("unreachable", "connection refused");
          return;
        }
        trace.time(events.now);
        trace.word(path);
        trace.bytes(bytes);
        if (trace.lines !== null) trace.line(events.now, `${from.name} > ${target.name} ${path} ${bytes.length} bytes`);
        const answered = (reply: Uint8Array): void => {
          this.onSaid?.(target, from.host, path, reply, true);
          answer(reply);
        };
        target.serve({ broken: () => refuse("outcome-unknown", "connection reset") }, path, bytes, from.host, answered);
      });
    });
  }

  /** A client's HTTP request. */
  request(to: SimAgent, method: string, target: string, body: string | undefined): Promise<SimReply> {
    return new Promise((resolve, reject) => {
      const fail = (code: "unreachable" | "outcome-unknown", text: string): void =>
        this.#send(to.host, CLIENT_HOST, true, target, null, () => reject(lost(code, `${to.name}: ${text}`)));
      this.#send(CLIENT_HOST, to.host, false, target, null, () => {
        if (!to.up) {
          fail("unreachable", "connection refused");
          return;
        }
        to.serveRequest({ broken: () => fail("outcome-unknown", "connection reset") }, method, target, body, (reply) =>
          this.#send(to.host, CLIENT_HOST, true, target, null, () => resolve(reply)),
        );
      });
    });
  }

  /** Sends a message one way, as the rules in force would have it. */
  #send(
    from: string,
    to: string,
    isReply: boolean,
    path: string,
    bytes: Uint8Array | null,
    deliver: (bytes: Uint8Array) => void,
  ): void {
    const { events, random, fired } = this.#options;
    this.messages += 1;
    let ms = this.#latency() + this.#linkMs(from, to);
    let arriving = bytes ?? NOTHING;
    let times = 1;
    for (const rule of this.rules) {
      if (rule.scope?.(from, to) === false || !rule.applies(from, to, isReply, path)) continue;
      if (rule.loss !== undefined && (rule.loss >= 1 || chance(random, rule.loss))) {
        fired(rule.kind);
        return;
      }
      if (rule.held !== undefined) {
        fired(rule.kind);
        rule.held.push(() => deliver(arriving));
        return;
      }
      if (rule.delayMs !== undefined) {
        const more = rule.delayMs(random);
        if (more > 0) fired(rule.kind);
        ms += more;
      }
      if (bytes === null) continue;
      if (rule.double !== undefined && !isReply && chance(random, rule.double.share)) {
        fired(rule.kind);
        events.after(ms + between(random, 0, rule.double.laterMs), () => deliver(arriving.slice()));
      }
      if (rule.duplicate !== undefined && !isReply && REPEATABLE.test(path) && chance(random, rule.duplicate)) {
        fired(rule.kind);
        times += 1;
      }
      if (rule.garble !== undefined && chance(random, rule.garble)) {
        fired(rule.kind);
        arriving = garbled(bytes, random);
      }
      if (rule.flip !== undefined && !isReply && path === SNAPSHOT_PATH && chance(random, rule.flip)) {
        fired(rule.kind);
        arriving = flipped(bytes, random);
      }
    }
    events.after(ms, () => deliver(arriving));
    for (; times > 1; times -= 1) events.after(ms + between(random, 0, 50), () => deliver(arriving.slice()));
  }

  #linkMs(from: string, to: string): number {
    const { linkMs } = this.#options;
    if (linkMs.length === 0) return 0;
    const [a, b] = [siteOf(from), siteOf(to)];
    // Of the pairs 0 1, 0 2, 1 2, and so on: that of the greater one's row.
    return a === b || a < 0 || b < 0 ? 0 : (linkMs[a + b - 1] ?? 0);
  }

  #latency(): number {
    const [least, most] = this.#options.latencyMs;
    return least + this.#options.random.float() * (most - least);
  }
}

const NOTHING = new Uint8Array(0);

/** Whoever gave the bytes may write to them again. */
export function copyOf(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  const copy = allocate(bytes.length);
  copy.set(bytes);
  return copy;
}

/** There are many, and where in the simulator they were made says nothing. */
function lost(code: "timeout" | "unreachable" | "outcome-unknown", text: string): OperationalError {
  const limit = Error.stackTraceLimit;
  Error.stackTraceLimit = 0;
  const error = new OperationalError(code, text);
  Error.stackTraceLimit = limit;
  return error;
}

/** What a transport whose checksums fail might hand over at worst: nothing of it is what was sent. */
function garbled(bytes: Uint8Array, random: Random): Uint8Array {
  const length = chance(random, 0.5) ? bytes.length : random.below(bytes.length + 1);
  return Uint8Array.from({ length }, (_, at) => (at === 0 ? GARBAGE : random.below(256)));
}

/** One bit of the data, which is at the end of a part. */
function flipped(bytes: Uint8Array, random: Random): Uint8Array {
  const copy = bytes.slice();
  const at = copy.length - 1 - random.below(Math.max(1, copy.length >> 2));
  copy[at] = (copy[at] as number) ^ (1 << random.below(8));
  return copy;
}
