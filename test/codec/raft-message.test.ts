import assert from "node:assert/strict";
import { test } from "node:test";
import { decodeBatch, decodeMessage, encodeBatch, encodeMessage } from "../../src/codec/raft-message.ts";
import type { AppendEntries, Message } from "../../src/raft/types.ts";
import { Random } from "../../src/util/random.ts";

const big = Number.MAX_SAFE_INTEGER;
const data = (...bytes: number[]): Uint8Array => Uint8Array.from(bytes);

const append: AppendEntries = {
  type: "append-entries",
  term: 7,
  prevIndex: 41,
  prevTerm: 6,
  commit: 40,
  round: 2 ** 33,
  leaseMs: 350,
  entries: [
    { index: 42, term: 6, kind: "command", data: data(1, 2, 3) },
    { index: 43, term: 7, kind: "noop", data: data() },
    { index: 44, term: 7, kind: "config", data: data(0) },
  ],
};

const messages: readonly Message[] = [
  { type: "request-vote", term: 3, preVote: true, transfer: false, lastIndex: big, lastTerm: 2 },
  { type: "request-vote", term: 3, preVote: false, transfer: true, lastIndex: 0, lastTerm: 0 },
  { type: "vote-response", term: big, preVote: true, granted: false },
  { type: "vote-response", term: 1, preVote: false, granted: true },
  append,
  { ...append, entries: [] },
  { type: "append-response", term: 4, round: 9, success: true, index: 12, hintIndex: 0, hintTerm: 0, lastIndex: 0 },
  { type: "append-response", term: 4, round: 9, success: false, index: 12, hintIndex: 5, hintTerm: 2, lastIndex: 6 },
  { type: "timeout-now", term: 5 },
  { type: "read-index", term: 5, context: 2 ** 40 + 1 },
  { type: "read-index-response", term: 5, context: 1, index: 77 },
  { type: "read-index-response", term: 5, context: 1, index: null },
];

test("raft message: every type comes back as it was", () => {
  for (const message of messages) assert.deepEqual(decodeMessage(encodeMessage(message)), message);
});

test("raft message: a batch comes back in its order, and an empty one is empty", () => {
  assert.deepEqual(decodeBatch(encodeBatch(messages.map(encodeMessage))), messages);
  assert.deepEqual(decodeBatch(encodeBatch([])), []);
});

test("raft message: entries are encoded once for all peers", () => {
  assert.equal(encodeMessage(append), encodeMessage(append));
  assert.notEqual(encodeMessage({ ...append }), encodeMessage(append));
});

test("raft message: decoded data does not change with the bytes it came from", () => {
  const bytes = encodeMessage({ ...append }).slice();
  const decoded = decodeMessage(bytes) as AppendEntries;
  bytes.fill(0xff);
  assert.deepEqual(decoded, append);
});

test("raft message: a lease that is not whole is rounded up, never down", () => {
  const decoded = decodeMessage(encodeMessage({ ...append, leaseMs: 46.8 })) as AppendEntries;
  assert.equal(decoded.leaseMs, 47);
});

test("raft message: what is cut anywhere, or goes on too long, is none", () => {
  for (const message of messages) {
    const bytes = encodeMessage(message);
    for (let length = 0; length < bytes.length; length += 1)
      assert.equal(decodeMessage(bytes.subarray(0, length)), null);
    assert.equal(decodeMessage(Uint8Array.from([...bytes, 0])), null);
  }
  const batch = encodeBatch(messages.map(encodeMessage));
  const ends = new Set<number>([0]);
  for (const message of messages) ends.add([...ends].at(-1)! + 4 + encodeMessage(message).length);
  for (let length = 0; length < batch.length; length += 1)
    assert.equal(decodeBatch(batch.subarray(0, length)) === null, !ends.has(length), `cut at ${length}`);
});

test("raft message: hostile bytes are none, and claim no memory", () => {
  const random = new Random(1);
  const bytes = encodeMessage({ ...append }).slice();
  const countAt = 1 + 6 * 8;
  new DataView(bytes.buffer).setUint32(countAt, 0xffff_ffff);
  assert.equal(decodeMessage(bytes), null);
  const tooLarge = encodeMessage({ type: "timeout-now", term: 5 }).slice();
  tooLarge[1] = 0xff;
  assert.equal(decodeMessage(tooLarge), null, "a number past 2^53");
  for (let round = 0; round < 5000; round += 1) {
    const noise = Uint8Array.from({ length: random.below(80) }, () => random.below(256));
    if (noise.length > 0) noise[0] = random.below(9);
    const message = decodeMessage(noise);
    if (message !== null) assert.deepEqual(decodeMessage(encodeMessage(message)), message);
    decodeBatch(noise);
  }
});
