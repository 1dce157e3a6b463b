// DNS packets that are none, to a live agent over UDP and TCP.
import assert from "node:assert/strict";
import { createSocket } from "node:dgram";
import { connect } from "node:net";
import { test } from "node:test";
import { decode, encode } from "dns-packet";
import { Random } from "../../src/util/random.ts";
import type { AgentProcess } from "../support/process.ts";

const QUESTION = encode({
  type: "query",
  id: 77,
  flags: 0x100,
  questions: [{ type: "A", name: "consul.service.consul", class: "IN" }],
});
const ID = [0x12, 0x34];
const header = (flags: number, questions: number, more: readonly number[] = [0, 0, 0, 0, 0, 0]): number[] => [
  ...ID,
  flags >> 8,
  flags & 255,
  questions >> 8,
  questions & 255,
  ...more,
];
const A_IN = [0, 1, 0, 1];
const label = (text: string): number[] => [text.length, ...Buffer.from(text)];

const PACKETS: readonly (readonly [what: string, bytes: readonly number[]])[] = [
  ["nothing", []],
  ["one byte", [0]],
  ["eleven bytes", [...ID, 1, 0, 0, 1, 0, 0, 0, 0, 0]],
  ["a header that promises a question", header(0x100, 1)],
  ["a header that promises 65,535 questions", header(0x100, 65_535)],
  ["no question", header(0x100, 0)],
  ["two questions", [...header(0x100, 2), ...label("a"), 0, ...A_IN, ...label("b"), 0, ...A_IN]],
  ["a name that points at itself", [...header(0x100, 1), 0xc0, 12, ...A_IN]],
  ["two names that point at each other", [...header(0x100, 1), 0xc0, 14, 0xc0, 12, ...A_IN]],
  ["a label, then a pointer back to it", [...header(0x100, 1), 1, 97, 0xc0, 12, ...A_IN]],
  ["a pointer past the end", [...header(0x100, 1), 0xff, 0xff, ...A_IN]],
  ["a pointer into the header", [...header(0x100, 1), 0xc0, 0, ...A_IN]],
  ["half a pointer", [...header(0x100, 1), 0xc0]],
  ["a label of a type that nobody has", [...header(0x100, 1), 0x40, 97, 0, ...A_IN]],
  ["a label past the end", [...header(0x100, 1), 63, 97, 98]],
  [
    "a name of 300 bytes",
    [...header(0x100, 1), ...Array.from({ length: 5 }, () => label("x".repeat(60))).flat(), 0, ...A_IN],
  ],
  ["a name of 128 labels", [...header(0x100, 1), ...Array.from({ length: 128 }, () => [1, 97]).flat(), 0, ...A_IN]],
  ["a name without its type", [...header(0x100, 1), ...label("a"), 0]],
  [
    "NULs and blanks in a name",
    [...header(0x100, 1), 3, 0, 32, 46, ...label("service"), ...label("consul"), 0, ...A_IN],
  ],
  ["a response", [...header(0x8180, 1), ...label("a"), 0, ...A_IN]],
  ["an update", [...header(0x2900, 1), ...label("consul"), 0, 0, 6, 0, 1]],
  ["a notification", [...header(0x2100, 1), ...label("consul"), 0, 0, 6, 0, 1]],
  ["a zone transfer", [...header(0x100, 1), ...label("consul"), 0, 0, 252, 0, 1]],
  ["another class", [...header(0x100, 1), ...label("consul"), 0, 0, 1, 0, 3]],
  ["answers that are not there", [...header(0x100, 1, [255, 255, 255, 255, 255, 255]), ...label("a"), 0, ...A_IN]],
  [
    "two OPT records",
    [
      ...header(0x100, 1, [0, 0, 0, 0, 0, 2]),
      ...label("a"),
      0,
      ...A_IN,
      0,
      0,
      41,
      16,
      0,
      0,
      0,
      0,
      0,
      0,
      0,
      0,
      0,
      41,
      16,
      0,
      0,
      0,
      0,
      0,
      0,
      0,
    ],
  ],
  [
    "an OPT record that promises data",
    [...header(0x100, 1, [0, 0, 0, 0, 0, 1]), ...label("a"), 0, ...A_IN, 0, 0, 41, 16, 0, 0, 0, 0, 0, 255, 255],
  ],
];

/** Declares the tests; `agent` is asked for when they run. */
export function dnsTests(agent: () => AgentProcess): void {
  test("dns: broken packets over UDP are dropped or told what is wrong, and a good one after them is answered", async () => {
    const socket = createSocket("udp4");
    const answers = new Map<number, Buffer>();
    socket.on("message", (packet) => answers.set(packet.length < 2 ? -1 : packet.readUInt16BE(0), packet));
    await new Promise<void>((resolve) => socket.bind(0, "127.0.0.1", resolve));
    try {
      for (const [at, [, bytes]] of PACKETS.entries()) {
        socket.send(withId(bytes, at), agent().ports.dns, "127.0.0.1");
        // What is dropped has no answer; the good question behind it has.
        await eventuallyAnswered(() => {
          socket.send(QUESTION, agent().ports.dns, "127.0.0.1");
          return answers.delete(77);
        });
      }
      assert.equal(answers.has(-1), false);
      for (const [at, [what, bytes]] of PACKETS.entries()) {
        const answer = answers.get(FIRST_ID + at);
        if (what === "a response")
          assert.equal(answer, undefined, "a response is never answered: two servers would go on for ever");
        if (answer !== undefined) assertAnswer(answer, withId(bytes, at), what);
      }
      // Some of them are questions, if odd ones.
      assert.ok(answers.size > 5, `${answers.size} answers`);
    } finally {
      socket.close();
    }
  });

  test("dns: a thousand packets of chance over UDP", async () => {
    const socket = createSocket("udp4");
    let good = false;
    socket.on("message", (packet) => {
      if (packet.length >= 12 && packet.readUInt16BE(0) === 77) good = decode(packet).answers.length === 1 || good;
    });
    await new Promise<void>((resolve) => socket.bind(0, "127.0.0.1", resolve));
    try {
      const random = new Random(11);
      for (let i = 0; i < 1000; i++) {
        const packet =
          random.below(2) === 0
            ? Uint8Array.from({ length: random.below(200) }, () => random.below(256))
            : mutated(random);
        socket.send(packet, agent().ports.dns, "127.0.0.1");
        if (i % 50 === 0) await new Promise((resolve) => setImmediate(resolve));
      }
      await eventuallyAnswered(() => {
        socket.send(QUESTION, agent().ports.dns, "127.0.0.1");
        return good;
      });
    } finally {
      socket.close();
    }
  });

  test("dns: broken messages over TCP end their connection at most, and others are answered", async () => {
    const framed = (bytes: readonly number[] | Uint8Array): Buffer =>
      Buffer.from([bytes.length >> 8, bytes.length & 255, ...bytes]);
    for (const [what, bytes] of PACKETS) {
      // The good question on the same connection is answered, or the connection is closed.
      const got = await tcp(agent().ports.dns, Buffer.concat([framed(bytes), framed(QUESTION)]));
      assert.ok(got.closed || got.messages.some((message) => message.readUInt16BE(0) === 77), what);
      for (const message of got.messages) if (message.readUInt16BE(0) !== 77) assertAnswer(message, bytes, what);
    }
    for (const [what, bytes] of [
      ["a length of nothing", Buffer.from([0, 0])],
      ["half a length", Buffer.from([0])],
      ["more promised than sent", Buffer.from([255, 255, 1, 2, 3])],
      ["HTTP", Buffer.from("GET / HTTP/1.1\r\nHost: h\r\n\r\n")],
    ] as const) {
      await tcp(agent().ports.dns, bytes, 100);
      const after = await tcp(agent().ports.dns, framed(QUESTION));
      assert.equal(after.messages.length, 1, what);
    }
  });

  test("dns: a question that comes a byte at a time over TCP is answered, and two in one packet both are", async () => {
    const message = Buffer.from([0, QUESTION.length, ...QUESTION]);
    const socket = connect(agent().ports.dns, "127.0.0.1");
    socket.setNoDelay(true);
    const answered = new Promise<void>((resolve, reject) =>
      socket
        .once("data", () => resolve())
        .once("error", reject)
        .once("close", () => reject(new Error("closed"))),
    );
    for (const byte of message) {
      socket.write(Uint8Array.of(byte));
      await new Promise((resolve) => setImmediate(resolve));
    }
    await answered;
    socket.destroy();
    assert.equal((await tcp(agent().ports.dns, Buffer.concat([message, message]), 5000, 2)).messages.length, 2);
  });
}

/** IDs of the packets, which tell their answers apart; another one is the good question's. */
const FIRST_ID = 1000;
function withId(bytes: readonly number[], at: number): Uint8Array {
  const packet = Uint8Array.from(bytes);
  const id = FIRST_ID + at;
  if (packet.length > 0) packet[0] = id >> 8;
  if (packet.length > 1) packet[1] = id & 255;
  return packet;
}

function mutated(random: Random): Uint8Array {
  const packet = Uint8Array.from(QUESTION);
  for (let n = 1 + random.below(4); n > 0; n--) packet[random.below(packet.length)] = random.below(256);
  // The answer to the good question is told from others by its ID.
  packet[0] = 1;
  return packet.subarray(0, random.below(8) === 0 ? random.below(packet.length) : packet.length);
}

/** An answer to what was sent: marked as one, with its ID, and whole. */
function assertAnswer(answer: Buffer, sent: ArrayLike<number>, what: string): void {
  assert.ok(answer.length >= 12, what);
  assert.deepEqual([answer[0], answer[1]], [sent[0], sent[1]], what);
  assert.ok((answer[2] as number) & 0x80, `${what}: is a response`);
  assert.ok(decode(answer), what);
}

async function eventuallyAnswered(holds: () => boolean): Promise<void> {
  const deadline = performance.now() + 10_000;
  while (!holds()) {
    if (performance.now() > deadline) throw new Error("the good question was not answered within 10 s");
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** Sends bytes and gathers messages until `count` have come, the other side closes, or nothing comes for `ms`. */
function tcp(port: number, bytes: Uint8Array, ms = 5000, count = 1): Promise<{ messages: Buffer[]; closed: boolean }> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    let unread = Buffer.alloc(0);
    const messages: Buffer[] = [];
    let closed = false;
    const done = (): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve({ messages, closed });
    };
    const timer = setTimeout(done, ms);
    socket.on("data", (chunk: Buffer) => {
      unread = Buffer.concat([unread, chunk]);
      while (unread.length >= 2 && unread.length >= 2 + unread.readUInt16BE(0)) {
        messages.push(unread.subarray(2, 2 + unread.readUInt16BE(0)));
        unread = unread.subarray(2 + unread.readUInt16BE(0));
      }
      if (messages.some((message) => message.readUInt16BE(0) === 77) && messages.length >= count) done();
    });
    socket.on("error", () => {});
    socket.on("close", () => {
      closed = true;
      done();
    });
    socket.write(bytes);
  });
}
