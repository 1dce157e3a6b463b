// Several gossip pools' members in one process on one virtual clock, each a `Pool` on a platform of its own, with a network
// between them that delays and cuts. The same seed gives the same run. Time passes only in `advance`, `until` and `run`.
import assert from "node:assert/strict";
import { setImmediate } from "node:timers/promises";
import { Logs } from "../../src/agent/logs.ts";
import { Counter, Sample } from "../../src/util/instrument.ts";
import { Pool, type PoolEvent } from "../../src/agent/pool.ts";
import { type PoolKind, poolSettings } from "../../src/agent/pool-settings.ts";
import type { AgentConfig } from "../../src/config/agent-config.ts";
import type { GossipPool } from "../../src/config/config-types.ts";
import type { MemberEventKind, MemberStatus, MemberView } from "../../src/gossip/types.ts";
import { MemoryBlobs } from "../../src/host/memory-store.ts";
import { Timers } from "../../src/host/timers.ts";
import { formatText } from "../../src/agent/logs.ts";
import { OperationalError } from "../../src/types/error.ts";
import { Heap } from "../../src/util/heap.ts";
import { Random } from "../../src/util/random.ts";
import { testConfig } from "../support/agent.ts";

const LATENCY_MS: readonly [number, number] = [1, 3];

export class PoolNetwork {
  readonly members: TestMember[] = [];
  readonly random: Random;
  nowMs = 0;
  readonly #events = new Heap<() => void>();
  /** Addresses that nothing comes from or goes to; calls to them get no answer. */
  readonly cut: Set<string> = new Set<string>();
  /** What names resolve to. */
  readonly names: Map<string, readonly string[]> = new Map<string, readonly string[]>();

  constructor(seed = 1) {
    this.random = new Random(seed);
  }

  /** A member that has not started. */
  member(name: string, change: Partial<AgentConfig> = {}, kind: PoolKind = "lan"): TestMember {
    const member = new TestMember(this, name, this.members.length + 1, change, kind);
    this.members.push(member);
    return member;
  }

  /** So many members, all in one pool. */
  static async joined(size: number, seed = 1): Promise<PoolNetwork> {
    const network = new PoolNetwork(seed);
    for (let at = 1; at <= size; at += 1) {
      const member = network.member(`n${at}`);
      await member.start();
      if (at > 1) await network.run(member.pool.join([network.members[0]!.address], true));
    }
    await network.until(() => network.members.every(({ pool }) => pool.counts.alive === size), "all know all");
    return network;
  }

  at(ms: number, event: () => void): void {
    this.#events.push(Math.max(ms, this.nowMs), event);
  }

  async advance(ms: number): Promise<void> {
    await this.#pass(this.nowMs + ms, () => false);
  }

  /** Lets time pass until it holds; gives how long that took. @throws after `maxMs` of virtual time. */
  async until(condition: () => boolean, what: string, maxMs = 60_000): Promise<number> {
    const startMs = this.nowMs;
    await this.#pass(this.nowMs + maxMs, condition);
    assert.ok(condition(), `${what}: not within ${maxMs} ms`);
    return this.nowMs - startMs;
  }

  /** Lets time pass until the promise is settled. */
  async run<T>(promise: Promise<T>, maxMs = 60_000): Promise<T> {
    let isSettled = false;
    const settled = (): void => {
      isSettled = true;
    };
    promise.then(settled, settled);
    await this.until(() => isSettled, "the promise is settled", maxMs);
    return promise;
  }

  latencyMs(): number {
    const [least, most] = LATENCY_MS;
    return least + this.random.float() * (most - least);
  }

  /** Carries a call and its answer. */
  carry(from: TestMember, to: string, path: string, bytes: Uint8Array, timeoutMs: number): Promise<Uint8Array> {
    return new Promise((resolve, reject) => {
      const { life } = from;
      const alive = (then: () => void) => (): void => {
        if (from.life === life) then();
      };
      const isCut = (): boolean => this.cut.has(from.address) || this.cut.has(to);
      this.at(
        this.nowMs + timeoutMs,
        alive(() => reject(new OperationalError("timeout", `dial tcp ${to}: i/o timeout`))),
      );
      this.at(this.nowMs + this.latencyMs(), () => {
        const target = this.members.find(({ address, isUp }) => address === to && isUp);
        if (isCut()) return;
        if (target === undefined || target.pool.path !== path) {
          const error =
            target === undefined
              ? new OperationalError("unreachable", `dial tcp ${to}: connect: connection refused`, { isRefused: true })
              : new OperationalError("unsupported", `${to}: no calls to ${path} are answered there`);
          this.at(
            this.nowMs + this.latencyMs(),
            alive(() => reject(error)),
          );
          return;
        }
        void target.pool.handle(`::ffff:${from.host}`, bytes.slice()).then((answer) => {
          if (isCut() || !target.isUp) return;
          this.at(
            this.nowMs + this.latencyMs(),
            alive(() => resolve(answer.slice())),
          );
        });
      });
    });
  }

  async #pass(untilMs: number, condition: () => boolean): Promise<void> {
    await setImmediate();
    for (;;) {
      if (condition()) return;
      const next = this.#events.peek();
      if (next === undefined || next.at > untilMs) break;
      this.#events.pop();
      this.nowMs = next.at;
      next.value();
      await setImmediate();
    }
    this.nowMs = untilMs;
  }
}

/** One agent's part in a pool: what survives a restart, and its present life. */
export class TestMember {
  readonly network: PoolNetwork;
  readonly name: string;
  readonly host: string;
  readonly config: AgentConfig;
  readonly kind: PoolKind;
  readonly blobs: MemoryBlobs = new MemoryBlobs();
  readonly events: PoolEvent[] = [];
  readonly memberEvents: [MemberEventKind, string][] = [];
  readonly lines: string[] = [];
  nameLost = 0;
  exhausted = 0;
  life = 0;
  isUp = false;
  pool!: Pool;
  #wakeAt: number | null = null;

  constructor(network: PoolNetwork, name: string, at: number, change: Partial<AgentConfig>, kind: PoolKind) {
    this.network = network;
    this.name = name;
    this.host = `10.0.0.${at}`;
    this.kind = kind;
    const base = testConfig({ flags: ["-dev"] });
    const timings = {
      gossipNodes: 3,
      gossipIntervalMs: 200,
      probeIntervalMs: 1000,
      probeTimeoutMs: 500,
      suspicionMult: 4,
      retransmitMult: 4,
    };
    const pool: GossipPool = { ...base.gossipLan, ...timings, advertiseAddress: this.host, port: 8301 };
    this.config = {
      ...base,
      dev: false,
      nodeName: name,
      nodeId: `${String(at).padStart(8, "0")}-1111-1111-1111-111111111111`,
      gossipLan: pool,
      gossipWan: { ...pool, port: 8302 },
      ...change,
    };
    this.make();
  }

  get address(): string {
    return `${this.host}:${this.kind === "lan" ? 8301 : 8302}`;
  }

  /** A new life. */
  make(): void {
    this.life += 1;
    const { life, network } = this;
    const random = new Random(this.host.length * 1000 + life + network.random.next());
    const platform = {
      now: () => network.nowMs,
      wall: () => network.nowMs,
      random: (length: number) => Uint8Array.from({ length }, () => random.next() & 0xff),
      blobs: this.blobs,
      peers: {
        call: (to: string, path: string, body: Uint8Array, timeoutMs: number) =>
          network.carry(this, to, path, body, timeoutMs),
      },
      resolve: async (name: string) => {
        const found = network.names.get(name);
        if (found === undefined) throw new OperationalError("unreachable", `lookup ${name}: no such host`);
        return found;
      },
      wakeAt: (at: number | null) => {
        this.#wakeAt = at;
        if (at === null) return;
        network.at(at, () => {
          if (this.#wakeAt !== at || this.life !== life) return;
          this.#wakeAt = null;
          timers.wake();
        });
      },
      report: () => {},
    };
    const timers = new Timers(platform);
    const logs = new Logs(platform);
    logs.follow("trace", (event) => this.lines.push(formatText(event, 0).slice("1970-01-01T00:00:00.000Z ".length)));
    this.pool = new Pool({
      ...poolSettings(this.config, this.kind),
      platform,
      peers: platform.peers,
      timers,
      logs,
      meter: { counter: () => new Counter(), sample: () => new Sample() },
      module: this.config.server ? "agent.server.serf" : "agent.client.serf",
      listener: {
        member: (event, { name }) => this.memberEvents.push([event, name]),
        userEvent: (event) => this.events.push(event),
        nameLost: () => (this.nameLost += 1),
        joinExhausted: () => (this.exhausted += 1),
        failed: (error) => assert.fail(`${this.name}: ${String(error)}`),
      },
    });
  }

  async start(): Promise<void> {
    this.isUp = true;
    await this.pool.start();
  }

  /** The process ends at once: what is on disk stays. */
  kill(): void {
    this.isUp = false;
    this.life += 1;
  }

  /** The same agent in a new process. */
  async restart(): Promise<void> {
    this.make();
    await this.start();
  }

  statusOf(other: TestMember): MemberStatus | undefined {
    return this.view(other)?.status;
  }

  view(other: TestMember): MemberView | undefined {
    return this.pool.members.find(({ name }) => name === other.pool.self.name);
  }
}
