// Gossip by real sockets: the listener of a pool, the client that keeps few connections, and pools that find each other.
import assert from "node:assert/strict";
import { createServer, type Server, type Socket } from "node:net";
import { test } from "node:test";
import { GossipPeers } from "../../runtimes/node/gossip-peers.ts";
import { listenGossip } from "../../runtimes/node/gossip.ts";
import type { PeerHandle, PeerListener } from "../../runtimes/node/peers.ts";
import { NodePlatform } from "../../runtimes/node/platform.ts";
import { Logs } from "../../src/agent/logs.ts";
import { Counter, Sample } from "../../src/util/instrument.ts";
import { Pool } from "../../src/agent/pool.ts";
import { poolSettings } from "../../src/agent/pool-settings.ts";
import { MemoryBlobs, MemoryLogStore } from "../../src/host/memory-store.ts";
import { Timers } from "../../src/host/timers.ts";
import { OperationalError } from "../../src/types/error.ts";
import { testConfig } from "../support/agent.ts";

const TIMEOUT_MS = 5000;
const PATH = "/gossip/1/lan";

const failsWith =
  (code: string, more: (error: OperationalError) => boolean = () => true) =>
  (error: unknown): boolean =>
    error instanceof OperationalError && error.code === code && more(error);

async function withListener(handle: PeerHandle, body: (address: string) => Promise<void>): Promise<void> {
  const listener = await listenGossip(handle, { address: "127.0.0.1", port: 0, path: PATH });
  try {
    await body(`127.0.0.1:${listener.port}`);
  } finally {
    await listener.close();
  }
}

async function until(condition: () => boolean, what: string, ms = 15_000): Promise<void> {
  const end = performance.now() + ms;
  while (!condition()) {
    assert.ok(performance.now() < end, what);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

test("gossip calls: bytes arrive with where they come from, and the answer comes back, whatever its size", async () => {
  await withListener(
    async (path, body, from) => {
      assert.equal(path, PATH);
      assert.match(from, /127\.0\.0\.1$/);
      const answer = new Uint8Array(Math.min(2, body.length) + body.length);
      answer.set(body.subarray(0, 2));
      return answer;
    },
    async (address) => {
      const peers = new GossipPeers();
      for (const size of [0, 1, 1000, 2_000_000]) {
        let sent = 0;
        const answer = await peers.call(address, PATH, new Uint8Array(size).fill(7), TIMEOUT_MS, () => (sent += 1));
        assert.equal(answer.length, Math.min(2, size) + size);
        assert.deepEqual([...answer.subarray(0, Math.min(1, size))], size === 0 ? [] : [7]);
        assert.equal(sent, 1);
      }
      assert.equal(peers.idle, 1, "one connection for the small calls, none is kept of the large one");
    },
  );
});

test("gossip calls: a pool's port answers its own path only", async () => {
  await withListener(
    async () => new Uint8Array(0),
    async (address) => {
      const peers = new GossipPeers();
      for (const path of ["/gossip/1/wan", "/raft/1/message", "/rpc/1/call"]) {
        await assert.rejects(
          peers.call(address, path, Uint8Array.of(1), TIMEOUT_MS),
          failsWith("unsupported", ({ message }) => message.includes("right port")),
        );
      }
      const { status } = await fetch(`http://${address}${PATH}`);
      assert.equal(status, 405);
    },
  );
});

test("gossip calls: where nobody listens the call is refused, and an address that is none goes nowhere", async () => {
  let taken = "";
  await withListener(
    async () => new Uint8Array(0),
    async (address) => {
      taken = address;
    },
  );
  const peers = new GossipPeers();
  await assert.rejects(
    peers.call(taken, PATH, Uint8Array.of(1), TIMEOUT_MS),
    failsWith("unreachable", ({ isRefused, message }) => isRefused && message.endsWith("connection refused")),
  );
  for (const address of ["a b:1", "x\r\nHost: y:1", "", "n1"])
    await assert.rejects(peers.call(address, PATH, Uint8Array.of(1), TIMEOUT_MS), failsWith("unreachable"));
});

test("gossip calls: no answer in time is a timeout", async () => {
  const answers: (() => void)[] = [];
  await withListener(
    () => new Promise((resolve) => answers.push(() => resolve(new Uint8Array(0)))),
    async (address) => {
      const peers = new GossipPeers();
      await assert.rejects(peers.call(address, PATH, Uint8Array.of(1), 100), failsWith("timeout"));
      assert.equal(peers.idle, 0);
      for (const answer of answers) answer();
    },
  );
});

/** A server that plays with its clients. */
async function withServer(serve: (socket: Socket) => void, body: (address: string) => Promise<void>): Promise<void> {
  const open = new Set<Socket>();
  const server: Server = createServer((socket) => {
    open.add(socket);
    socket.on("error", () => {});
    serve(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  try {
    await body(`127.0.0.1:${(server.address() as { port: number }).port}`);
  } finally {
    for (const socket of open) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  }
}

test("gossip calls: a kept connection that was closed meanwhile costs nothing", async () => {
  let connections = 0;
  await withServer(
    (socket) => {
      connections += 1;
      let answered = 0;
      socket.on("data", () => {
        // The second call on a connection finds it dead.
        if (answered > 0) socket.destroy();
        else socket.write("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx");
        answered += 1;
      });
    },
    async (address) => {
      const peers = new GossipPeers();
      for (let at = 0; at < 4; at += 1)
        assert.equal((await peers.call(address, PATH, Uint8Array.of(1), TIMEOUT_MS)).length, 1);
      assert.equal(connections, 4);
    },
  );
});

test("gossip calls: answers that are none", async () => {
  const rows: [string, string, string][] = [
    ["nothing", "", "outcome-unknown"],
    ["no HTTP", "hello\r\n\r\n", "outcome-unknown"],
    ["an error", "HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n", "outcome-unknown"],
    ["no length", "HTTP/1.1 200 OK\r\n\r\nabc", "outcome-unknown"],
    ["more than it says", "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nabc", "outcome-unknown"],
    ["less than it says", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc", "outcome-unknown"],
    ["too much", "HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\nabc", "outcome-unknown"],
    ["an endless head", "x".repeat(40_000), "outcome-unknown"],
  ];
  for (const [what, bytes, code] of rows) {
    await withServer(
      (socket) => socket.once("data", () => socket.end(bytes)),
      async (address) => {
        const call = new GossipPeers().call(address, PATH, Uint8Array.of(1), TIMEOUT_MS);
        await assert.rejects(call, failsWith(code), what);
      },
    );
  }
});

test("gossip calls: only so many idle connections are kept", async () => {
  const handle: PeerHandle = async () => new Uint8Array(1);
  const listeners: PeerListener[] = [];
  for (let at = 0; at < 40; at += 1)
    listeners.push(await listenGossip(handle, { address: "127.0.0.1", port: 0, path: PATH }));
  const peers = new GossipPeers();
  for (const { port } of listeners) await peers.call(`127.0.0.1:${port}`, PATH, Uint8Array.of(1), TIMEOUT_MS);
  assert.equal(peers.idle, 32);
  for (const listener of listeners) await listener.close();
  await until(() => peers.idle === 0, "closed by the other side, none is left");
});

/** One agent's pool on the platform of this runtime, with a listener of its own. */
async function startPool(name: string, at: number): Promise<{ pool: Pool; address: string; stop(): Promise<void> }> {
  let handle: PeerHandle = async () => new Uint8Array(0);
  const listener = await listenGossip((path, bytes, from) => handle(path, bytes, from), {
    address: "127.0.0.1",
    port: 0,
    path: PATH,
  });
  const { port } = listener;
  const platform = new NodePlatform({
    log: new MemoryLogStore(),
    blobs: new MemoryBlobs(),
    report: () => {},
    wake: () => timers.wake(),
  });
  const timers = new Timers(platform);
  const base = testConfig({ flags: ["-dev"] });
  const pool = new Pool({
    ...poolSettings(
      {
        ...base,
        nodeName: name,
        nodeId: `${String(at).padStart(8, "0")}-1111-1111-1111-111111111111`,
        gossipLan: { ...base.gossipLan, advertiseAddress: "127.0.0.1", port },
      },
      "lan",
    ),
    platform,
    peers: platform.peers,
    timers,
    logs: new Logs(platform),
    meter: { counter: () => new Counter(), sample: () => new Sample() },
    module: "agent.server.serf",
    listener: {
      member: () => {},
      userEvent: () => {},
      nameLost: () => {},
      joinExhausted: () => {},
      failed: (error) => assert.fail(String(error)),
    },
  });
  handle = (_path, bytes, from) => pool.handle(from, bytes);
  await pool.start();
  return {
    pool,
    address: `127.0.0.1:${port}`,
    stop: async () => {
      await pool.stop();
      await listener.close();
      platform.wakeAt(null);
    },
  };
}

test("gossip: three pools by real sockets join, see one fail, and one leave", async () => {
  const [a, b, c] = [await startPool("a", 1), await startPool("b", 2), await startPool("c", 3)];
  for (const { pool } of [b, c]) assert.equal((await pool.join([a.address, "127.0.0.1:1"], true)).contacted, 1);
  const counts = (pool: Pool, alive: number): boolean => pool.counts.alive === alive;
  await until(() => [a, b, c].every(({ pool }) => counts(pool, 3)), "all know all");
  await c.stop();
  await until(() => a.pool.counts.failed === 1 && b.pool.counts.failed === 1, "the stopped one has failed");
  assert.equal(a.pool.member("c")?.status, "failed");
  await b.pool.leave();
  await until(() => a.pool.member("b")?.status === "left", "the other one has left");
  await b.stop();
  await a.stop();
});
