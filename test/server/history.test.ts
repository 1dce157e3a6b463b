import assert from "node:assert/strict";
import { test } from "node:test";
import { Random } from "../../src/util/random.ts";
import type { TestReply } from "../support/agent.ts";
import { type Call, isLinearizable, type Operation } from "../sim/linearizability.ts";
import { Cluster, type Node } from "./cluster.ts";

const CLIENTS = 4;
const KEYS = ["a", "b"];
const OPERATIONS = 12;
const TRUE = "true";

/** A client that works on random keys at random servers, and notes what it was told. */
class Client {
  readonly #cluster: Cluster;
  readonly #random: Random;
  readonly #name: string;
  readonly history: Map<string, Call[]>;

  constructor(cluster: Cluster, seed: number, name: string, history: Map<string, Call[]>) {
    this.#cluster = cluster;
    this.#random = new Random(seed);
    this.#name = name;
    this.history = history;
  }

  async work(): Promise<void> {
    /** Values and indexes read last, by key: what a swap builds on. */
    const known = new Map<string, { value: string | null; index: string }>();
    for (let i = 0; i < OPERATIONS; i += 1) {
      await this.#pause();
      const key = KEYS[this.#random.below(KEYS.length)] as string;
      const node = this.#cluster.nodes[this.#random.below(this.#cluster.nodes.length)] as Node;
      const value = `${this.#name}${i}`;
      const seen = known.get(key);
      const choice = this.#random.below(5);
      if (choice === 0)
        await this.#write(node, key, `/v1/kv/${key}`, value, (ok) => (ok ? { kind: "put", value } : null));
      else if (choice === 1 && seen !== undefined) {
        // The index stands for the value: no two writes of this test write the same one.
        const { value: expected, index } = seen;
        await this.#write(node, key, `/v1/kv/${key}?cas=${index}`, value, (ok) => ({
          kind: "cas",
          expected,
          value,
          ok: ok ?? false,
        }));
      } else await this.#read(node, key, known);
    }
  }

  async #read(node: Node, key: string, known: Map<string, { value: string | null; index: string }>): Promise<void> {
    const call = this.#begin(key, { kind: "get", result: null });
    const consistency = this.#random.below(3) === 0 ? "?consistent" : "";
    const reply = await this.#fetch(node, "GET", `/v1/kv/${key}${consistency}`);
    if (reply === null || (reply.status !== 200 && reply.status !== 404)) return;
    const row = reply.status === 200 ? reply.json()[0] : null;
    const value = row === null ? null : atob(row.Value);
    known.set(key, { value, index: row === null ? "0" : String(row.ModifyIndex) });
    call.operation = { kind: "get", result: value };
    call.returnedMs = this.#cluster.nowMs;
  }

  async #write(
    node: Node,
    key: string,
    path: string,
    value: string,
    operation: (ok: boolean | null) => Operation | null,
  ): Promise<void> {
    const call = this.#begin(key, operation(true) as Operation);
    const reply = await this.#fetch(node, "PUT", path, value);
    if (reply === null || reply.status !== 200) return;
    call.operation = operation(reply.text === TRUE) as Operation;
    call.returnedMs = this.#cluster.nowMs;
  }

  #begin(key: string, operation: Operation): Call {
    const call: Call = { operation, calledMs: this.#cluster.nowMs, returnedMs: null };
    this.history.get(key)?.push(call);
    return call;
  }

  /** Null when the server is down, goes down, or takes too long. */
  async #fetch(node: Node, method: string, path: string, body?: string): Promise<TestReply | null> {
    const late = new Promise<null>((resolve) => this.#cluster.at(this.#cluster.nowMs + 10_000, () => resolve(null)));
    return Promise.race([node.fetch(method, path, body).catch(() => null), late]);
  }

  #pause(): Promise<void> {
    return new Promise((resolve) => this.#cluster.at(this.#cluster.nowMs + this.#random.float() * 400, resolve));
  }
}

/** Kills, cuts and mends at random while the clients work. */
async function trouble(cluster: Cluster, random: Random): Promise<void> {
  for (let i = 0; i < 6; i += 1) {
    await new Promise<void>((resolve) => cluster.at(cluster.nowMs + 300 + random.float() * 900, resolve));
    const victim =
      (random.below(2) === 0 ? cluster.leader : null) ?? (cluster.nodes[random.below(cluster.nodes.length)] as Node);
    switch (random.below(4)) {
      case 0:
        cluster.cut([victim]);
        break;
      case 1:
        cluster.heal();
        break;
      case 2:
        cluster.loss = random.float() * 0.2;
        break;
      default:
        if (victim.running === null) break;
        await victim.crash();
        cluster.at(cluster.nowMs + 200 + random.float() * 800, () => void victim.restart());
    }
  }
  cluster.heal();
}

const seeds =
  process.env["CLUSTER_SEED"] === undefined ? [1, 2, 3, 4, 5, 6, 7, 8] : [Number(process.env["CLUSTER_SEED"])];

for (const seed of seeds) {
  test(`history: puts, swaps and reads at all servers are linearizable through kills and cuts, seed ${seed}`, async () => {
    const cluster = await Cluster.start(3, {
      seed,
      raft: { snapshotThreshold: 20, snapshotIntervalMs: 500, trailingLogs: 5 },
    });
    try {
      await cluster.untilLeader();
      const history = new Map<string, Call[]>(KEYS.map((key) => [key, []]));
      const clients = Array.from(
        { length: CLIENTS },
        (_, i) => new Client(cluster, seed * 100 + i, String.fromCharCode(65 + i), history),
      );
      const random = new Random(seed * 1000);
      await cluster.run(Promise.all([...clients.map((client) => client.work()), trouble(cluster, random)]), 600_000);
      await cluster.advance(3000);
      await cluster.untilLeader();
      await cluster.untilEqual();
      let returned = 0;
      for (const [key, calls] of history) {
        returned += calls.filter(({ returnedMs }) => returnedMs !== null).length;
        assert.ok(isLinearizable(calls), `key ${key}: ${JSON.stringify(calls)}`);
      }
      assert.ok(returned > (CLIENTS * OPERATIONS) / 3, `only ${returned} operations were answered`);
    } finally {
      await cluster.stop();
    }
  });
}
