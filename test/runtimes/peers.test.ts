import assert from "node:assert/strict";
import { createServer as createHttpServer } from "node:http";
import { connect, createServer } from "node:net";
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

for (const isGone of [false, true])
  test(`peers: a call is sent once, though its connection breaks${isGone ? " and nobody listens any more" : ""}`, async () => {
    const seen: string[] = [];
    const server = createServer((socket) => {
      let text = "";
      socket.on("error", () => {});
      socket.on("data", (chunk) => {
        text += chunk.toString();
        const [, body] = /\r\n\r\n(call \d)/.exec(text) ?? [];
        if (body === undefined) return;
        text = "";
        seen.push(body);
        if (body === "call 1") socket.write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
        else {
          if (isGone) server.close();
          socket.destroy();
        }
      });
    });
    await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", () => resolve()));
    const { port } = server.address() as { port: number };
    const peers = httpPeers();
    const call = (text: string): Promise<Uint8Array> =>
      peers.call(`127.0.0.1:${port}`, "/once", new TextEncoder().encode(text), TIMEOUT_MS);
    assert.equal((await call("call 1")).length, 2);
    await assert.rejects(call("call 2"), rejectsWith("outcome-unknown"));
    assert.deepEqual(seen, ["call 1", "call 2"]);
    if (!isGone) server.close();
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

const nothing = new Uint8Array(0);
type TestPeers = ReturnType<typeof httpPeers>;

/** Calls until the stream is open on which the next call will go. */
async function untilOpen(peers: TestPeers, address: string, path = "/rpc/1/call", count = 1): Promise<void> {
  const until = performance.now() + TIMEOUT_MS;
  while (peers.open < count) {
    assert.ok(performance.now() < until, "no stream was opened");
    await peers.call(address, path, nothing, TIMEOUT_MS);
  }
}

test("peers: on a stream path, bytes, caller and answer arrive too, whatever their size", async () => {
  const heard: string[] = [];
  await withListener(
    async (path, body, from) => {
      heard.push(`${path} ${from}`);
      return Uint8Array.from([...body.subarray(0, 3), ...new Uint8Array(body.length)]);
    },
    async (address) => {
      const peers = httpPeers();
      await untilOpen(peers, address);
      for (const size of [0, 1, 70_000, 300_000, 1_000_000, 3_000_000]) {
        const answer = await peers.call(address, "/rpc/1/other", new Uint8Array(size).fill(7), TIMEOUT_MS);
        assert.equal(answer.length, Math.min(3, size) + size);
        assert.deepEqual([...answer.subarray(0, 3)], size === 0 ? [] : size === 1 ? [7, 0] : [7, 7, 7]);
      }
      assert.equal(heard.at(-1), "/rpc/1/other 127.0.0.1");
      const many = await Promise.all(
        Array.from({ length: 500 }, (_, i) => peers.call(address, "/rpc/1/call", Uint8Array.of(i, i >> 8), TIMEOUT_MS)),
      );
      assert.deepEqual(
        many.map((answer) => (answer[0] as number) | ((answer[1] as number) << 8)),
        Array.from({ length: 500 }, (_, i) => i),
      );
      assert.equal(peers.open, 1);
    },
  );
});

test("peers: on a stream a call that takes long holds up no other, and Raft has a stream of its own", async () => {
  let release: () => void = () => {};
  const slow = new Promise<void>((resolve) => {
    release = resolve;
  });
  await withListener(
    async (_path, body) => {
      if (body[0] === 1) await slow;
      return body.slice();
    },
    async (address) => {
      const peers = httpPeers();
      await untilOpen(peers, address);
      await untilOpen(peers, address, "/raft/1/message", 2);
      const first = peers.call(address, "/rpc/1/call", Uint8Array.of(1), TIMEOUT_MS);
      const second = await peers.call(address, "/rpc/1/call", Uint8Array.of(2), TIMEOUT_MS);
      assert.deepEqual([...second], [2]);
      release();
      assert.deepEqual([...(await first)], [1]);
      assert.equal(peers.open, 2);
    },
  );
});

test("peers: what goes to many agents opens no stream", async () => {
  await withListener(
    async () => nothing,
    async (address) => {
      const peers = httpPeers();
      for (let i = 0; i < 20; i += 1) await peers.call(address, "/gossip/1/lan", nothing, TIMEOUT_MS).catch(() => {});
      assert.equal(peers.open, 0);
    },
  );
});

test("peers: on a stream no answer in time is a timeout, and the late answer is nobody's", async () => {
  const answers: (() => void)[] = [];
  await withListener(
    (_path, body) =>
      body[0] === 1
        ? new Promise((resolve) => answers.push(() => resolve(Uint8Array.of(1))))
        : Promise.resolve(Uint8Array.of(2)),
    async (address) => {
      const peers = httpPeers();
      await untilOpen(peers, address);
      await assert.rejects(peers.call(address, "/rpc/1/call", Uint8Array.of(1), 100), rejectsWith("timeout"));
      for (const answer of answers) answer();
      assert.deepEqual([...(await peers.call(address, "/rpc/1/call", Uint8Array.of(3), TIMEOUT_MS))], [2]);
    },
  );
});

test("peers: when a stream ends, what was under way has an unknown outcome, and a new listener gets a new stream", async () => {
  const asked: Promise<void>[] = [];
  let port = 0;
  const peers = httpPeers();
  const listener = await listenPeers(
    (_path, body) => (body[0] === 1 ? new Promise(() => asked.push(Promise.resolve())) : Promise.resolve(nothing)),
    { address: "127.0.0.1", port: 0 },
  );
  ({ port } = listener);
  const address = `127.0.0.1:${port}`;
  await untilOpen(peers, address);
  const lost = [peers.call(address, "/rpc/1/call", Uint8Array.of(1), TIMEOUT_MS)];
  const lostCalls = Promise.allSettled(lost);
  const until = performance.now() + TIMEOUT_MS;
  while (asked.length === 0) {
    assert.ok(performance.now() < until, "the call did not arrive");
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  await listener.close();
  for (const outcome of await lostCalls) {
    assert.equal(outcome.status, "rejected");
    assert.equal((outcome as PromiseRejectedResult).reason.code, "outcome-unknown");
  }
  await assert.rejects(peers.call(address, "/rpc/1/call", Uint8Array.of(2), TIMEOUT_MS), rejectsWith("unreachable"));
  const again = await listenPeers(async () => nothing, { address: "127.0.0.1", port });
  try {
    await untilOpen(peers, address);
  } finally {
    await again.close();
  }
});

test("peers: where no stream is served calls are requests", async () => {
  const server = createHttpServer((message, response) => {
    message.resume();
    if (message.url === "/rpc/1/stream") {
      response.writeHead(404, { "Content-Length": 0 }).end();
      return;
    }
    message.on("end", () => response.writeHead(200, { "Content-Length": 1 }).end("x"));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as { port: number };
  const peers = httpPeers();
  for (let i = 0; i < 20; i += 1)
    assert.equal((await peers.call(`127.0.0.1:${port}`, "/rpc/1/call", Uint8Array.of(i), TIMEOUT_MS)).length, 1);
  assert.equal(peers.open, 0);
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

const HEAD = "POST /rpc/1/stream HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";
const BROKEN: readonly (readonly [what: string, bytes: string])[] = [
  ["a frame without a length", "9\r\n\0\0\0\0\0\0\0\0\0\r\n"],
  ["a frame larger than any", "9\r\n\x7f\0\0\0\x01\0\0\0\x01\r\n"],
  ["a frame of no kind", "9\r\n\0\0\0\x05\x09\0\0\0\x01\r\n"],
  ["an answer where calls come", "9\r\n\0\0\0\x05\x02\0\0\0\x01\r\n"],
  ["a path longer than its call", "a\r\n\0\0\0\x06\x01\0\0\0\x01\x7f\r\n"],
  ["a chunk that is none", "zz\r\nabc\r\n"],
  ["the last chunk", "0\r\n\r\n"],
];

for (const [what, bytes] of BROKEN) {
  test(`peers: a stream ends at ${what}, and the listener goes on`, async () => {
    await withListener(
      async () => Uint8Array.of(1),
      async (address) => {
        const socket = connect(Number(address.slice(address.indexOf(":") + 1)), "127.0.0.1");
        socket.on("error", () => {});
        let isSent = false;
        const ended = new Promise<void>((resolve) => {
          socket.on("close", () => resolve());
          socket.on("end", () => resolve());
          socket.on("data", (data: Uint8Array) => {
            // The head of the answer has come; its last chunk ends the answer as well as the connection's end does.
            if (isSent && /(?:^|\n)0\r\n\r\n$/.test(new TextDecoder("latin1").decode(data))) resolve();
            if (!isSent) socket.write(bytes, "latin1");
            isSent = true;
          });
        });
        socket.write(HEAD, "latin1");
        await ended;
        socket.destroy();
        assert.equal((await httpPeers().call(address, "/rpc/1/call", nothing, TIMEOUT_MS)).length, 1);
      },
    );
  });
}

test("peers: a stream is cut into frames and chunks anywhere", async () => {
  await withListener(
    async (path) => new TextEncoder().encode(path),
    async (address) => {
      const socket = connect(Number(address.slice(address.indexOf(":") + 1)), "127.0.0.1");
      let came = "";
      const answered = new Promise<void>((resolve) => {
        socket.on("data", (data: Uint8Array) => {
          came += new TextDecoder("latin1").decode(data);
          if (came.includes("/rpc/1/a")) resolve();
        });
      });
      const call = `${HEAD}4\r\n\0\0\0\x0e\r\n3;x=y\r\n\x01\0\0\r\nb\r\n\0\x05\x08/rpc/1/a\r\n`;
      for (const byte of call) {
        socket.write(byte, "latin1");
        await new Promise((resolve) => setImmediate(resolve));
      }
      await answered;
      assert.match(came, /^HTTP\/1\.1 200 /);
      socket.destroy();
    },
  );
});
