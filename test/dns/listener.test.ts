// The listener of the runtime that runs the tests, by sockets: what dig does not do.

import assert from "node:assert/strict";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { connect, createServer, type AddressInfo, type Socket } from "node:net";
import { test, type TestContext } from "node:test";
import type { DnsHandle, DnsListener, DnsListenOptions } from "../../runtimes/node/dns.ts";
import { OperationalError } from "../../src/types/error.ts";
import { decode, queryPacket, serviceFor } from "./ask.ts";
import { MemorySource } from "./memory-source.ts";

const runtime = "Bun" in globalThis ? "bun" : "Deno" in globalThis ? "deno" : "node";
const { listenDns, recurse } = (await import(
  `../../runtimes/${runtime}/dns.ts`
)) as typeof import("../../runtimes/node/dns.ts");

const HOST = "127.0.0.1";
const source = new MemorySource();
for (let i = 0; i < 1500; i += 1) {
  source.register({ Node: `n${i}`, Address: `10.0.${i >> 8}.${i & 255}`, Service: { Service: "web" } });
}
const service = serviceFor(source);
const answerNow: DnsHandle = (packet, transport, from) => service.handle(packet, transport, from);

async function listening(
  t: TestContext,
  handle: DnsHandle = answerNow,
  options: Partial<DnsListenOptions> = {},
): Promise<DnsListener> {
  const listener = await listenDns(handle, { address: HOST, port: 0, ...options });
  t.after(() => listener.close());
  return listener;
}

/** Sends packets by UDP and gives the first answer. */
async function askUdp(port: number, ...sent: Uint8Array[]): Promise<Uint8Array> {
  const socket = createSocket("udp4");
  const answered = once(socket, "message");
  for (const packet of sent) socket.send(packet, port, HOST);
  // A datagram may be lost, even here: the last one is sent again until it is answered.
  const again = setInterval(() => socket.send(sent.at(-1)!, port, HOST), 500);
  const [answer] = (await answered) as [Uint8Array];
  clearInterval(again);
  socket.close();
  return answer;
}

function framed(packet: Uint8Array): Uint8Array {
  return Uint8Array.from([packet.length >> 8, packet.length & 255, ...packet]);
}

async function connected(t: TestContext, port: number): Promise<Socket> {
  const socket = connect(port, HOST);
  // The server may reset what it drops.
  socket.on("error", () => {});
  t.after(() => socket.destroy());
  await once(socket, "connect");
  return socket;
}

/** Waits until a connection is closed, whatever it was closed by. */
function closed(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    if (socket.closed) resolve();
    else socket.once("close", () => resolve());
  });
}

/** Calls again and again until the test ends. */
function every(t: TestContext, ms: number, call: () => void): void {
  const timer = setInterval(call, ms);
  t.after(() => clearInterval(timer));
}

/** The messages that come on a connection, until there are `count` or it is closed. */
async function messages(socket: Socket, count: number): Promise<Uint8Array[]> {
  const found: Uint8Array[] = [];
  let bytes = Buffer.alloc(0);
  for await (const chunk of socket as AsyncIterable<Uint8Array>) {
    bytes = Buffer.concat([bytes, chunk]);
    while (bytes.length >= 2 && bytes.length >= 2 + bytes.readUInt16BE(0)) {
      const end = 2 + bytes.readUInt16BE(0);
      found.push(bytes.subarray(2, end));
      bytes = bytes.subarray(end);
    }
    if (found.length >= count) break;
  }
  return found;
}

test("broken packets by UDP are told so or dropped, and the next question is answered", async (t) => {
  const { port } = await listening(t);
  const question = queryPacket("A", "web.service.consul", { id: 9 });
  const told = await askUdp(port, new Uint8Array(3), question.subarray(0, 15));
  assert.equal(told[3]! & 15, 1);
  assert.equal(decode(await askUdp(port, new Uint8Array(0), question)).id, 9);
});

test("questions in pieces and in heaps on one TCP connection are all answered", async (t) => {
  const { port } = await listening(t);
  const socket = await connected(t, port);
  const ids = Array.from({ length: 300 }, (_, id) => id);
  const all = Buffer.concat(ids.map((id) => framed(queryPacket("A", `x${id}.service.consul`, { id }))));
  const answers = messages(socket, ids.length);
  let sent = 0;
  for (const length of [1, 1, 3, 40, 5, 700, all.length]) {
    socket.write(all.subarray(sent, sent + length));
    sent += length;
    await new Promise((resolve) => setImmediate(resolve));
  }
  const got = (await answers).map((bytes) => decode(bytes).id).sort((a, b) => a - b);
  assert.deepEqual(got, ids);
});

test("answers that come later are sent as they come, and a half-closed connection waits for them", async (t) => {
  const release: (() => void)[] = [];
  const { port } = await listening(t, (packet, transport) => {
    const answer = service.handle(Uint8Array.from(packet), transport) as Uint8Array;
    return new Promise((resolve) => release.push(() => resolve(answer)));
  });
  const socket = await connected(t, port);
  const answers = messages(socket, 3);
  socket.end(Buffer.concat([1, 2].map((id) => framed(queryPacket("A", "web.service.consul", { id })))));
  while (release.length < 2) await new Promise((resolve) => setTimeout(resolve, 5));
  release[1]!();
  release[0]!();
  assert.deepEqual(
    (await answers).map((bytes) => decode(bytes).id),
    [2, 1],
  );
});

test("a connection that waits for too many answers is not read until it has some", async (t) => {
  const release: (() => void)[] = [];
  const { port } = await listening(t, (packet, transport) => {
    const answer = service.handle(Uint8Array.from(packet), transport) as Uint8Array;
    return new Promise((resolve) => release.push(() => resolve(answer)));
  });
  const socket = await connected(t, port);
  const answers = messages(socket, 200);
  for (let id = 0; id < 200; id += 1) socket.write(framed(queryPacket("A", "none.service.consul", { id })));
  while (release.length < 64) await new Promise((resolve) => setTimeout(resolve, 5));
  await new Promise((resolve) => setTimeout(resolve, 50));
  assert.equal(release.length, 64);
  every(t, 5, () => release.splice(0).forEach((answer) => answer()));
  assert.equal((await answers).length, 200);
});

test("clients that say nothing, too little, or do not read are dropped; those that ask on are not", async (t) => {
  const { port } = await listening(t, answerNow, { idleMs: 400 });
  const silent = await connected(t, port);
  const slow = await connected(t, port);
  const deaf = await connected(t, port);
  const busy = await connected(t, port);
  const dropped = [silent, slow, deaf].map((socket) => closed(socket));
  silent.resume();
  slow.resume();
  // A byte now and then, never a message.
  every(t, 100, () => slow.write(Uint8Array.of(0)));
  slow.write(framed(queryPacket("A", "web.service.consul")).subarray(0, 10));
  // Megabytes of answers that it does not take.
  deaf.pause();
  const question = framed(queryPacket("A", "web.service.consul"));
  const heap = Buffer.concat(Array.from({ length: 2000 }, () => question));
  deaf.write(heap);
  every(t, 50, () => deaf.write(question));
  let answered = 0;
  busy.on("data", () => {
    answered += 1;
  });
  every(t, 100, () => busy.write(framed(queryPacket("A", "n1.node.consul"))));
  await Promise.all(dropped);
  assert.ok(answered > 1);
  assert.equal(busy.destroyed, false);
});

test("one address has no more than its share of connections", async (t) => {
  const { port } = await listening(t);
  const sockets = await Promise.all(Array.from({ length: 128 }, () => connected(t, port)));
  const extra = await connected(t, port);
  extra.resume();
  await closed(extra);
  // A place that is left is given away again.
  sockets[0]!.end();
  sockets[0]!.resume();
  await closed(sockets[0]!);
  for (;;) {
    const next = await connected(t, port);
    next.write(framed(queryPacket("A", "n1.node.consul", { id: 3 })));
    const [answer] = await messages(next, 1);
    if (answer === undefined) continue;
    assert.equal(decode(answer).id, 3);
    break;
  }
});

test("what the handler throws is reported and costs nothing but the answer", async (t) => {
  const errors: unknown[] = [];
  let calls = 0;
  const handle: DnsHandle = (packet, transport) => {
    calls += 1;
    if (calls === 1) throw new TypeError("a bug");
    if (calls === 2) return Promise.reject(new TypeError("a later bug"));
    return service.handle(packet, transport);
  };
  const { port } = await listening(t, handle, { onError: (error) => errors.push(error) });
  const question = queryPacket("A", "n1.node.consul", { id: 5 });
  assert.equal(decode(await askUdp(port, question, question, question)).id, 5);
  assert.deepEqual(errors.map((error) => (error as Error).message).sort(), ["a bug", "a later bug"]);
});

test("a port that is taken is told with its address", async (t) => {
  const { port } = await listening(t);
  await assert.rejects(listenDns(answerNow, { address: HOST, port }), (error) => {
    assert.ok(error instanceof OperationalError);
    assert.match(error.message, new RegExp(`127\\.0\\.0\\.1:${port}`));
    return true;
  });
});

test("a listener that is closed lets its port go and its connections end", async (t) => {
  const listener = await listenDns(answerNow, { address: HOST, port: 0 });
  const socket = await connected(t, listener.port);
  socket.resume();
  await listener.close();
  await closed(socket);
  await listening(t, answerNow, { port: listener.port });
});

/** A recursor that answers by UDP as told and by TCP with the packet made an answer. */
async function recursor(t: TestContext, react: (packet: Uint8Array) => Uint8Array[]): Promise<string> {
  const server = createServer((socket) => {
    socket.on("error", () => {});
    socket.on("data", (chunk: Uint8Array) => {
      const answer = Uint8Array.from(chunk);
      answer[4]! |= 0x80;
      socket.write(answer.subarray(0, 1));
      socket.end(answer.subarray(1));
    });
  });
  server.listen(0, HOST);
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const udp = createSocket("udp4");
  udp.on("message", (packet, { port: to, address }) => {
    for (const answer of react(packet)) udp.send(answer, to, address);
  });
  udp.bind(port, HOST);
  await once(udp, "listening");
  t.after(() => {
    udp.close();
    server.close();
  });
  return `${HOST}:${port}`;
}

const answerTo = (packet: Uint8Array): Uint8Array => {
  const answer = Uint8Array.from(packet);
  answer[2]! |= 0x80;
  return answer;
};

test("a recursor's answer by UDP is taken if it has the question's id", async (t) => {
  const question = queryPacket("A", "www.example.com", { id: 700 });
  const other = answerTo(queryPacket("A", "www.example.com", { id: 701 }));
  const place = await recursor(t, (packet) => [other, answerTo(packet)]);
  assert.deepEqual(Uint8Array.from(await recurse(question, "udp", place, 20_000)), answerTo(question));
  assert.deepEqual(Uint8Array.from(await recurse(question, "tcp", place, 20_000)), answerTo(question));
});

test("a silent recursor times out, one that is not there is unreachable", async (t) => {
  const question = queryPacket("A", "www.example.com");
  const place = await recursor(t, () => []);
  await assert.rejects(recurse(question, "udp", place, 50), { code: "timeout" });
  const gone = createServer();
  gone.listen(0, HOST);
  await once(gone, "listening");
  const { port } = gone.address() as AddressInfo;
  gone.close();
  await once(gone, "close");
  await assert.rejects(recurse(question, "tcp", `${HOST}:${port}`, 20_000), { code: "unreachable" });
});
