import assert from "node:assert/strict";
import { createServer } from "node:net";
import { test } from "node:test";
import { OperationalError } from "../../src/types/error.ts";

declare const Bun: unknown;
declare const Deno: unknown;
const runtime = typeof Bun !== "undefined" ? "bun" : typeof Deno !== "undefined" ? "deno" : "node";
const { httpPeers, listenPeers } = (await import(
  `../../runtimes/${runtime}/peers.ts`
)) as typeof import("../../runtimes/node/peers.ts");

const TIMEOUT_MS = 5000;
const rejectsWith =
  (code: string) =>
  (error: unknown): boolean =>
    error instanceof OperationalError && error.code === code;

async function withListener(
  handle: Parameters<typeof listenPeers>[0],
  body: (address: string) => Promise<void>,
): Promise<void> {
  const listener = await listenPeers(handle, { address: "127.0.0.1", port: 0 });
  try {
    await body(`127.0.0.1:${listener.port}`);
  } finally {
    await listener.close();
  }
}

test("peers: the listener says where a call comes from", async () => {
  await withListener(
    async (_path, _body, from) => new TextEncoder().encode(from),
    async (address) => {
      const answer = await httpPeers().call(address, "/rpc/1/from", new Uint8Array(1), TIMEOUT_MS);
      assert.equal(new TextDecoder().decode(answer), "127.0.0.1");
    },
  );
});

test("peers: path and bytes arrive, and the answer comes back, whatever its size", async () => {
  await withListener(
    async (path, body) => Uint8Array.from([path.length, ...body.subarray(0, 4), ...new Uint8Array(body.length)]),
    async (address) => {
      const peers = httpPeers();
      for (const size of [0, 1, 1000, 3_000_000]) {
        const answer = await peers.call(address, "/rpc/1/call", new Uint8Array(size).fill(7), TIMEOUT_MS);
        assert.deepEqual([...answer.subarray(0, 2)], size === 0 ? [11] : [11, 7]);
        assert.equal(answer.length, 1 + Math.min(4, size) + size);
      }
      const many = await Promise.all(
        Array.from({ length: 200 }, (_, i) => peers.call(address, "/raft/1/message", Uint8Array.of(i), TIMEOUT_MS)),
      );
      assert.deepEqual(
        many.map((answer) => answer[1]),
        Array.from({ length: 200 }, (_, i) => i),
      );
    },
  );
});

test("peers: where nobody listens nothing arrived", async () => {
  let taken = "";
  await withListener(
    async () => new Uint8Array(0),
    async (address) => {
      taken = address;
    },
  );
  await assert.rejects(httpPeers().call(taken, "/rpc/1/x", Uint8Array.of(1), TIMEOUT_MS), rejectsWith("unreachable"));
});

test("peers: no answer in time is a timeout", async () => {
  const answers: (() => void)[] = [];
  await withListener(
    () => new Promise((resolve) => answers.push(() => resolve(new Uint8Array(0)))),
    async (address) => {
      await assert.rejects(httpPeers().call(address, "/rpc/1/x", Uint8Array.of(1), 100), rejectsWith("timeout"));
      for (const answer of answers) answer();
    },
  );
});

test("peers: a connection that ends before the answer leaves the outcome unknown", async () => {
  const server = createServer((socket) => {
    socket.on("error", () => {});
    socket.once("data", () => socket.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as { port: number };
  await assert.rejects(
    httpPeers().call(`127.0.0.1:${port}`, "/rpc/1/x", Uint8Array.of(1), TIMEOUT_MS),
    rejectsWith("outcome-unknown"),
  );
  await new Promise((resolve) => server.close(resolve));
});

test("peers: what is none of its paths is not found there", async () => {
  await withListener(
    async () => new Uint8Array(0),
    async (address) => {
      for (const path of ["/gossip/1/lan", "/v1/kv/a", "/"]) {
        const answer = await fetch(`http://${address}${path}`, { method: "POST", body: "x" });
        await answer.arrayBuffer();
        assert.equal(answer.status, 404, path);
      }
    },
  );
});
