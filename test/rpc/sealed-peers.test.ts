import assert from "node:assert/strict";
import { test } from "node:test";
import { decodeReply } from "../../src/rpc/envelope.ts";
import { noKeyHere } from "../../src/rpc/sealed-peers.ts";
import { OperationalError } from "../../src/types/error.ts";
import { equal } from "../../src/util/bytes.ts";
import { Random } from "../../src/util/random.ts";
import { clock, KEY, Network, OTHER_KEY, SealedAgent, START_MS } from "./seal-fixture.ts";

const PATH = "/rpc/1/call";
const TIMEOUT_MS = 5000;
const BODY = Uint8Array.of(1, 2, 3, 4, 5);

const refusedWith =
  (code: string, says: RegExp) =>
  (error: unknown): boolean => {
    assert.ok(error instanceof OperationalError, String(error));
    assert.equal(error.code, code, error.message);
    assert.match(error.message, says);
    return true;
  };

function pair(): { network: Network; a: SealedAgent; b: SealedAgent } {
  clock.nowMs = 0;
  const network = new Network();
  return { network, a: new SealedAgent(network, "a"), b: new SealedAgent(network, "b") };
}

/** A call that came through, with the bytes that were on the wire. */
async function acquainted(): Promise<{ network: Network; a: SealedAgent; b: SealedAgent; sent: Uint8Array }> {
  const { network, a, b } = pair();
  await a.peers.call("b", PATH, BODY, TIMEOUT_MS);
  b.handled.length = 0;
  return { network, a, b, sent: network.requests.at(-1) as Uint8Array };
}

test("sealed: a call arrives as it was sent, and its answer comes back", async () => {
  const { network, a, b } = pair();
  const answer = await a.peers.call("b", PATH, BODY, TIMEOUT_MS);
  assert.deepEqual([...answer], [5, 1, 2, 3, 4, 9]);
  const handled = b.handled.map(({ path, body, from }) => [path, [...body], from]);
  assert.deepEqual(handled, [[PATH, [...BODY], "192.0.2.1"]]);
  assert.equal(network.requests.length, 2, "one to learn who is there, one for the call");
  await a.peers.call("b", PATH, BODY, TIMEOUT_MS);
  assert.equal(network.requests.length, 3, "then one each");
  assert.deepEqual([a.refusals.count, b.refusals.count], [0, 0]);
});

test("sealed: nothing of a body is on the wire, and equal bodies differ there", async () => {
  const { network, a } = pair();
  const secret = new TextEncoder().encode("a secret of sixteen or more bytes");
  for (let i = 0; i < 2; i += 1) await a.peers.call("b", PATH, secret, TIMEOUT_MS);
  const wire = network.requests.map((bytes) => new TextDecoder("latin1").decode(bytes));
  for (const bytes of wire) assert.ok(!bytes.includes("secret"));
  assert.notEqual(wire[1]?.slice(-40), wire[2]?.slice(-40));
});

for (const bytes of [0, 1, 2048, 2049, 65_536, 65_537, 3_000_000])
  test(`sealed: a body of ${bytes} bytes comes whole`, async () => {
    const { a, b } = pair();
    const random = new Random(bytes);
    const body = Uint8Array.from({ length: bytes }, () => random.next());
    await a.peers.call("b", PATH, body, TIMEOUT_MS);
    assert.ok(equal(body, b.handled[0]?.body as Uint8Array));
  });

test("sealed: a call of which any byte was changed is refused", async () => {
  const { b, sent } = await acquainted();
  for (let at = 0; at < sent.length; at += 1) {
    const changed = sent.slice();
    changed[at] = (changed[at] as number) ^ (1 << (at % 8));
    await b.door(PATH, changed, "192.0.2.1");
  }
  for (let length = 0; length < sent.length; length += 1) await b.door(PATH, sent.subarray(0, length), "192.0.2.1");
  await b.door(PATH, Uint8Array.of(...sent, 0), "192.0.2.1");
  assert.equal(b.handled.length, 0);
  assert.equal(b.refusals.count, sent.length * 2 + 1);
});

test("sealed: an answer of which any byte was changed is not taken", async () => {
  const { network, a } = await acquainted();
  const length = (network.replies.at(-1) as Uint8Array).length;
  for (let at = 0; at < length; at += 1) {
    network.onReply = (bytes) => {
      bytes[at] = (bytes[at] as number) ^ (1 << (at % 8));
      return bytes;
    };
    await assert.rejects(a.peers.call("b", PATH, BODY, TIMEOUT_MS), refusedWith("refused", /./), `byte ${at}`);
  }
  network.onReply = (bytes) => bytes;
  await a.peers.call("b", PATH, BODY, TIMEOUT_MS);
});

test("sealed: the answer to another call is not taken", async () => {
  const { network, a } = await acquainted();
  const older = network.replies.at(-1) as Uint8Array;
  network.onReply = () => older;
  await assert.rejects(
    a.peers.call("b", PATH, BODY, TIMEOUT_MS),
    refusedWith("refused", /no answer to what was asked/),
  );
  network.onReply = () => network.requests.at(-1) as Uint8Array;
  await assert.rejects(
    a.peers.call("b", PATH, BODY, TIMEOUT_MS),
    refusedWith("refused", /no answer to what was asked/),
  );
});

test("sealed: a call that comes again is refused, and nothing is done twice", async () => {
  const { b, sent } = await acquainted();
  for (let i = 0; i < 3; i += 1) await b.door(PATH, sent, "203.0.113.9");
  assert.equal(b.handled.length, 0);
  assert.equal(b.refusals.count, 3);
  assert.match(String(b.logs[0]?.fields.reason), /^from a: .*a replay/);
  assert.equal(b.logs[0]?.fields.address, "203.0.113.9");
});

test("sealed: whose call was overtaken by its own replay learns that it may have been done", async () => {
  const { network, a, b } = await acquainted();
  network.onRequest = (bytes) => {
    void b.door(PATH, bytes, "203.0.113.9");
    return bytes;
  };
  await assert.rejects(
    a.peers.call("b", PATH, BODY, TIMEOUT_MS),
    refusedWith("outcome-unknown", /^b \(b\): .*a replay/),
  );
  assert.equal(b.handled.length, 1);
});

test("sealed: a call for one agent is nothing to another, nor to the same one after a restart", async () => {
  const { network, b, sent } = await acquainted();
  const c = new SealedAgent(network, "c");
  const again = new SealedAgent(network, "b", { seed: 2 });
  for (const other of [c, again]) {
    await other.door(PATH, sent, "203.0.113.9");
    assert.equal(other.handled.length, 0);
    assert.equal(other.refusals.count, 1);
  }
  assert.equal(b.handled.length, 0);
});

test("sealed: after a restart of the other agent calls go on", async () => {
  const { network, a } = await acquainted();
  const again = new SealedAgent(network, "b", { seed: 2 });
  await a.peers.call("b", PATH, BODY, TIMEOUT_MS);
  assert.equal(again.handled.length, 1);
  assert.equal(a.refusals.count, 0);
});

test("sealed: an agent's own call, sent back to it, is refused", async () => {
  const { a, sent } = await acquainted();
  await a.door(PATH, sent, "203.0.113.9");
  assert.equal(a.handled.length, 0);
});

test("sealed: a call to another path is refused", async () => {
  const { b, sent } = await acquainted();
  const { b: fresh, network, a } = pair();
  await a.peers.call("b", PATH, BODY, TIMEOUT_MS);
  const kept = fresh.handled.length;
  network.doors.set("b", (_path, bytes, from) => fresh.door("/rpc/1/restore", bytes, from));
  await assert.rejects(a.peers.call("b", PATH, BODY, TIMEOUT_MS), refusedWith("refused", /no key installed there/));
  assert.equal(fresh.handled.length, kept);
  await b.door("/rpc/1/restore", sent, "192.0.2.1");
  assert.equal(b.handled.length, 0);
});

for (const [name, offMs, passes] of [
  ["a minute behind", -60_000, true],
  ["a minute ahead", 60_000, true],
  ["more than a minute behind", -61_000, false],
  ["more than a minute ahead", 61_000, false],
] as const)
  test(`sealed: a call from a clock ${name} ${passes ? "passes" : "is refused, with both clocks"}`, async () => {
    const { a, b } = pair();
    a.offMs = offMs;
    const call = a.peers.call("b", PATH, BODY, TIMEOUT_MS);
    if (passes) await call;
    else {
      const [theirs, ours] = [START_MS + offMs, START_MS].map((ms) => new Date(ms).toISOString());
      await assert.rejects(call, refusedWith("refused", new RegExp(`clocks differ .*${theirs} .*${ours}`)));
      assert.equal(b.handled.length, 0);
      assert.match(String(b.logs[0]?.fields.reason), /^from a: the clocks differ/);
    }
  });

test("sealed: what was held up on its way is refused; a large call may be on its way for longer", async () => {
  for (const [bytes, heldUpMs, passes] of [
    [10, 60_001, false],
    [20_000_000, 75_000, true],
    [20_000_000, 90_000, false],
  ] as const) {
    const { network, a, b } = pair();
    await a.peers.call("b", PATH, BODY, TIMEOUT_MS);
    b.handled.length = 0;
    network.onRequest = (message) => {
      clock.nowMs += heldUpMs;
      return message;
    };
    await a.peers.call("b", PATH, new Uint8Array(bytes), 10 * TIMEOUT_MS).catch(() => {});
    assert.equal(b.handled.length, passes ? 1 : 0, `${bytes} bytes, ${heldUpMs} ms`);
  }
});

test("sealed: agents with different keys refuse each other, and both sides say what to do", async () => {
  const { network, b } = pair();
  const stranger = new SealedAgent(network, "x", { keys: [OTHER_KEY] });
  await assert.rejects(
    stranger.peers.call("b", PATH, BODY, TIMEOUT_MS),
    refusedWith("refused", /^b: no key installed there opens .* give both agents the same `encrypt` key$/),
  );
  assert.equal(b.handled.length, 0);
  assert.match(String(b.logs[0]?.fields.reason), /No installed keys could decrypt the message/);
  assert.equal(b.logs[0]?.fields.address, "192.0.2.1");
  assert.match(String(stranger.logs[0]?.fields.reason), /no key installed there/);
});

test("sealed: who guesses learns nothing from how it is refused", async () => {
  const { network, b, sent } = await acquainted();
  const wrongTag = sent.slice();
  wrongTag[wrongTag.length - 1] = (wrongTag.at(-1) as number) ^ 1;
  const wrongKey = sent.slice();
  wrongKey[6] = (wrongKey[6] as number) ^ 1;
  const answers = [await b.door(PATH, wrongTag, "x"), await b.door(PATH, wrongKey, "x")];
  assert.deepEqual(answers[0], answers[1]);
  assert.equal(answers[0]?.length, 7);
  assert.equal(network.requests.length, 2);
});

test("sealed: every key of the ring opens, the first one seals", async () => {
  clock.nowMs = 0;
  const network = new Network();
  const old = new SealedAgent(network, "old", { keys: [OTHER_KEY] });
  const both = new SealedAgent(network, "both", { keys: [KEY, OTHER_KEY] });
  const fresh = new SealedAgent(network, "fresh", { keys: [KEY] });
  await old.peers.call("both", PATH, BODY, TIMEOUT_MS);
  await both.peers.call("fresh", PATH, BODY, TIMEOUT_MS);
  await assert.rejects(both.peers.call("old", PATH, BODY, TIMEOUT_MS), refusedWith("refused", /no key installed/));
  assert.deepEqual([both.handled.length, fresh.handled.length, old.handled.length], [1, 1, 0]);
});

test("sealed: a call in the clear is refused by who has a key, in words that the caller understands", async () => {
  const { b } = pair();
  const reply = await b.door(PATH, Uint8Array.of(0x50, 1, 0), "198.51.100.7");
  assert.throws(
    () => decodeReply(reply),
    refusedWith("refused", /takes encrypted calls only: give .*same `encrypt` key/),
  );
  assert.equal(b.handled.length, 0);
  assert.deepEqual(b.logs[0]?.fields.address, "198.51.100.7");
});

test("sealed: who verifies nothing incoming answers in the clear what was asked in the clear", async () => {
  clock.nowMs = 0;
  const network = new Network();
  const lenient = new SealedAgent(network, "b", { takesClear: true });
  assert.deepEqual([...(await lenient.door(PATH, Uint8Array.of(7), "x"))], [1, 7, 9]);
  const a = new SealedAgent(network, "a");
  assert.deepEqual([...(await a.peers.call("b", PATH, BODY, TIMEOUT_MS))], [5, 1, 2, 3, 4, 9]);
});

test("sealed: an agent without a key says that it has none", async () => {
  const { network, a } = pair();
  network.doors.set("b", (_path, bytes) => noKeyHere(bytes) ?? Promise.resolve(Uint8Array.of(1)));
  await assert.rejects(
    a.peers.call("b", PATH, BODY, TIMEOUT_MS),
    refusedWith("refused", /has no `encrypt` key, and this/),
  );
  network.doors.set("b", () => Promise.resolve(Uint8Array.of(0x50, 1, 0, 1)));
  await assert.rejects(a.peers.call("b", PATH, BODY, TIMEOUT_MS), refusedWith("refused", /answered in the clear/));
  assert.equal(noKeyHere(Uint8Array.of(0x50, 1, 0)), null);
});

test("sealed: what fails before the call itself was sent certainly did not arrive", async () => {
  const { network, a } = pair();
  network.failure = new OperationalError("outcome-unknown", "b: cut");
  await assert.rejects(a.peers.call("b", PATH, BODY, TIMEOUT_MS), refusedWith("unreachable", /cut/));
  network.failure = null;
  await a.peers.call("b", PATH, BODY, TIMEOUT_MS);
  network.failure = new OperationalError("outcome-unknown", "b: cut");
  await assert.rejects(a.peers.call("b", PATH, BODY, TIMEOUT_MS), refusedWith("outcome-unknown", /cut/));
});

test("sealed: several agents behind one address do not keep a caller for ever", async () => {
  const { network, a } = pair();
  const doors = [1, 2].map((seed) => new SealedAgent(network, "b", { seed }));
  let turn = 0;
  network.doors.set("b", (path, bytes, from) => (doors[turn++ % 2] as SealedAgent).door(path, bytes, from));
  await assert.rejects(a.peers.call("b", PATH, BODY, TIMEOUT_MS), refusedWith("unreachable", /in turn/));
});

test("sealed: of many refusals a few are logged, and how many there were", async () => {
  const { b, sent } = await acquainted();
  const wrong = sent.slice();
  wrong[sent.length - 1] = (wrong.at(-1) as number) ^ 1;
  for (let i = 0; i < 1000; i += 1) await b.door(PATH, wrong, "203.0.113.9");
  assert.equal(b.logs.length, 1);
  for (let i = 0; i < 100; i += 1) await b.door(PATH, wrong, `203.0.113.${i}`);
  assert.equal(b.logs.length, 4, "of many addresses a few");
  clock.nowMs += 5000;
  await b.door(PATH, wrong, "203.0.113.9");
  assert.equal(b.logs.length, 5);
  const more = b.logs.reduce((sum, { fields }) => sum + Number(fields.more ?? 0), 0);
  assert.equal(b.logs.length + more, 1101);
  assert.equal(b.refusals.count, 1101);
});

test("sealed: who holds no key leaves nothing behind in memory, and lives are bounded", async () => {
  const { network, b, sent } = await acquainted();
  const before = b.seal.lives;
  for (let i = 0; i < 500; i += 1) {
    const stranger = sent.slice();
    stranger[14] = i & 255;
    stranger[15] = i >> 8;
    await b.door(PATH, stranger, "x");
  }
  assert.equal(b.seal.lives, before);
  for (let i = 0; i < 9000; i += 1) {
    const life = new SealedAgent(network, "z", { seed: i });
    const { bytes } = await life.seal.request(PATH, b.seal.life, BODY);
    if (i % 9 === 0) await b.door(PATH, bytes, "x");
    else await b.seal.openRequest(PATH, bytes);
  }
  assert.ok(b.seal.lives <= 8192, String(b.seal.lives));
});

test("sealed: random bytes behind a true beginning crash nothing", async () => {
  const { b, sent } = await acquainted();
  const random = new Random(11);
  for (let i = 0; i < 5000; i += 1) {
    const length = random.below(200);
    const rubbish = Uint8Array.from({ length }, () => random.next());
    rubbish.set(sent.subarray(0, Math.min(length, random.below(70))));
    await b.door(PATH, rubbish, "x");
  }
  assert.equal(b.handled.length, 0);
});
