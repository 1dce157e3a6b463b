// Whole agents with listeners of this runtime, in one process: those with the same key form a group, others are refused.
import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { NodePlatform } from "../../runtimes/node/platform.ts";
import { listenGossip } from "../../runtimes/node/gossip.ts";
import type { PeerListener } from "../../runtimes/node/peers.ts";
import { MemoryBlobs, MemoryLogStore } from "../../src/host/memory-store.ts";
import { createAgent, type RunningAgent } from "../../src/index.ts";
import type { LogEvent } from "../../src/platform.ts";
import { readReply, testConfig, type TestReply, TestRequest } from "../support/agent.ts";

declare const Bun: unknown;
declare const Deno: unknown;
const runtime = typeof Bun !== "undefined" ? "bun" : typeof Deno !== "undefined" ? "deno" : "node";
const { httpPeers, listenPeers } = (await import(
  `../../runtimes/${runtime}/peers.ts`
)) as typeof import("../../runtimes/node/peers.ts");

const KEY = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
const OTHER_KEY = "ICEiIyQlJicoKSorLC0uLw==";
const PATIENCE_MS = 30_000;

interface Ports {
  readonly server: number;
  readonly serf: number;
}

class Real {
  readonly logs: LogEvent[] = [];
  readonly name: string;
  #running: RunningAgent | null = null;
  #listeners: PeerListener[] = [];

  constructor(name: string) {
    this.name = name;
  }

  /** Listens for servers and for gossip, before there is anybody to answer. */
  async listen(): Promise<Ports> {
    const answer = (path: string, bytes: Uint8Array, from: string): Promise<Uint8Array> =>
      this.#running?.peer(path, bytes, from) ?? Promise.reject(new Error("not started"));
    const at = { address: "127.0.0.1", port: 0 };
    this.#listeners = [await listenPeers(answer, at), await listenGossip(answer, { ...at, path: "/gossip/1/lan" })];
    const [server, serf] = this.#listeners.map(({ port }) => port) as [number, number];
    return { server, serf };
  }

  async start(at: number, ports: Ports, others: readonly Ports[], words: readonly string[]): Promise<void> {
    const flags = ["-server", "-bootstrap-expect=2", "-data-dir=/d", "-bind=127.0.0.1", `-node=${this.name}`, ...words];
    for (const { serf } of others) flags.push(`-retry-join=127.0.0.1:${serf}`);
    const base = testConfig({ flags: [...flags, `-server-port=${ports.server}`, `-serf-lan-port=${ports.serf}`] });
    const platform = new NodePlatform({
      log: new MemoryLogStore(),
      blobs: new MemoryBlobs(),
      report: (event) => void (event.type === "log" && this.logs.push(event)),
      wake: () => this.#running?.wake(),
      peers: httpPeers(),
    });
    const nodeId = `${String(at).padStart(8, "0")}-2222-2222-2222-222222222222`;
    const config = { ...base, nodeId, retryJoin: { ...base.retryJoin, intervalMs: 200 } };
    const running = await createAgent({ config, platform, stopped: () => {} });
    this.#running = running;
    running.wake();
  }

  get agent(): RunningAgent["agent"] {
    return (this.#running as RunningAgent).agent;
  }

  fetch(method: string, path: string, body?: string): Promise<TestReply> {
    return readReply(this.#running as RunningAgent, new TestRequest(method, path, body, {}));
  }

  says(pattern: RegExp): boolean {
    return this.logs.some(({ message, fields }) => pattern.test(`${message} ${shown(fields)}`));
  }

  async stop(): Promise<void> {
    const [running, listeners] = [this.#running, this.#listeners];
    this.#running = null;
    this.#listeners = [];
    await running?.stop();
    for (const listener of listeners) await listener.close();
  }
}

const shown = (value: unknown): string =>
  JSON.stringify(value, (_key, inner: unknown) => (inner instanceof Error ? inner.message : inner));

async function until(condition: () => boolean, what: string, agents: readonly Real[]): Promise<void> {
  const end = Date.now() + PATIENCE_MS;
  while (!condition()) {
    if (Date.now() > end) {
      const lines = agents.flatMap(({ name, logs }) => logs.map((line) => `${name} ${shown(line)}`));
      assert.fail(`${what}: not in time\n${lines.join("\n")}`);
    }
    await sleep(10);
  }
}

test("encrypted agents: the same key makes a group; another key, or none, is refused in words that say what to do", async () => {
  const [a, b, other, none] = ["a", "b", "other", "none"].map((name) => new Real(name)) as [Real, Real, Real, Real];
  const agents = [a, b, other, none];
  const ports = await Promise.all(agents.map((agent) => agent.listen()));
  const pair = ports.slice(0, 2);
  try {
    await a.start(1, ports[0] as Ports, pair, [`-encrypt=${KEY}`]);
    await b.start(2, ports[1] as Ports, pair, [`-encrypt=${KEY}`]);
    await until(() => agents.slice(0, 2).some((each) => each.agent.server.leading), "a leader", agents);
    const follower = a.agent.server.leading ? b : a;
    const large = "x".repeat(400_000);
    for (const [key, value] of [
      ["small", "1"],
      ["large", large],
    ] as const) {
      assert.equal((await follower.fetch("PUT", `/v1/kv/${key}`, value)).text, "true");
      assert.equal((await follower.fetch("GET", `/v1/kv/${key}?raw&consistent`)).text, value);
    }
    assert.deepEqual([a.agent.encryption.refused, b.agent.encryption.refused], [0, 0]);

    await other.start(3, ports[2] as Ports, pair, [`-encrypt=${OTHER_KEY}`]);
    await until(() => a.says(/No installed keys could decrypt the message/), "the group refuses another key", agents);
    await until(() => other.says(/give both agents the same `encrypt` key/), "who has it is told", agents);
    assert.ok(a.says(/"address":"127\.0\.0\.1"/));
    await other.stop();

    await none.start(4, ports[3] as Ports, pair, []);
    await until(() => a.says(/a call in the clear/), "the group refuses who has none", agents);
    await until(() => none.says(/takes encrypted calls only/), "who has none is told", agents);
    const servers = (await a.fetch("GET", "/v1/operator/raft/configuration")).json().Servers as unknown[];
    assert.equal(servers.length, 2);
  } finally {
    for (const agent of agents) await agent.stop();
  }
});
