import assert from "node:assert/strict";
import { test } from "node:test";
import { decodeAnswer, decodeRequest, encodeAnswer, encodeRequest } from "../../src/codec/gossip-message.ts";
import type { Answer, MemberRecord, PoolState, Request, Update } from "../../src/gossip/types.ts";
import { concat } from "../../src/util/bytes.ts";
import { Random } from "../../src/util/random.ts";
import { toUserMap } from "../../src/util/user-map.ts";

const big = Number.MAX_SAFE_INTEGER;
const versions = {
  protocolMin: 1,
  protocolMax: 5,
  protocolCurrent: 2,
  delegateMin: 2,
  delegateMax: 5,
  delegateCurrent: 4,
};
const member = (name: string, change: Partial<MemberRecord> = {}): MemberRecord => ({
  name,
  address: `${name}:8301`,
  anchor: null,
  tags: toUserMap([
    ["role", "node"],
    ["dc", "dc1"],
    ["__proto__", "ü"],
  ]),
  versions,
  ...change,
});
const updates: readonly Update[] = [
  { type: "alive", incarnation: 3, member: member("n1") },
  {
    type: "alive",
    incarnation: big,
    member: member("leaf", { address: "", anchor: "n1", tags: toUserMap<string>([]) }),
  },
  { type: "suspect", name: "n1", incarnation: 127, from: "n2" },
  { type: "dead", name: "n1", incarnation: 128, from: "n1" },
  { type: "join-intent", name: "n1", time: 2 ** 32 },
  { type: "leave-intent", name: "n1", time: 0, prune: true },
  { type: "leave-intent", name: "n1", time: 1, prune: false },
  { type: "user-event", time: 9, name: "deploy", payload: Uint8Array.of(0, 255), coalesce: true },
  { type: "user-event", time: 9, name: "", payload: new Uint8Array(0), coalesce: false },
];
const state: PoolState = {
  time: 12,
  eventTime: 2 ** 40,
  members: (["alive", "suspect", "dead", "left"] as const).flatMap((each, at) => [
    { member: member(`m${at}`), incarnation: at, state: each, leaving: false, time: at },
    { member: member(`l${at}`), incarnation: at, state: each, leaving: true, time: big },
  ]),
  events: updates.filter((update) => update.type === "user-event"),
};
const coordinate = { Vec: [0.1, -0, 1e300], Error: 1.5, Adjustment: -1e-9, Height: 1e-5 };

const requests: readonly Request[] = [
  { type: "ping", from: "a", target: "b", updates, received: 7 },
  { type: "ping", from: "a", target: "a", updates: [], received: 0 },
  { type: "indirect-ping", from: "a", target: "b", timeoutMs: 400, updates },
  { type: "rumours", from: "a", updates },
  { type: "push-pull", from: "a", join: true, state },
  { type: "push-pull", from: "a", join: false, state: { members: [], time: 0, eventTime: 0, events: [] } },
  { type: "who-holds", from: "a", name: "b" },
];
const answers: readonly Answer[] = [
  { type: "ack", from: "b", updates, coordinate, sequence: big },
  { type: "ack", from: "b", updates: [], coordinate: null, sequence: 0 },
  { type: "nack", from: "b", updates },
  { type: "push-pull-answer", from: "b", state },
  { type: "holder", from: "b", address: "[::1]:8301" },
  { type: "holder", from: "b", address: null },
  { type: "refused", reason: "vetoed", text: "Member 'b' is not wanted" },
  { type: "refused", reason: "left", text: "" },
];

test("gossip message: every request and answer comes back as it was", () => {
  for (const request of requests) assert.deepEqual(decodeRequest(encodeRequest(request)), request);
  for (const answer of answers) assert.deepEqual(decodeAnswer(encodeAnswer(answer)), answer);
});

test("gossip message: a request is no answer, and the other way round", () => {
  for (const request of requests) assert.equal(decodeAnswer(encodeRequest(request)), null);
  for (const answer of answers) assert.equal(decodeRequest(encodeAnswer(answer)), null);
});

test("gossip message: what is cut short or too long is none", () => {
  for (const request of requests) {
    const bytes = encodeRequest(request);
    for (let length = 0; length < bytes.length; length += 1)
      assert.equal(decodeRequest(bytes.subarray(0, length)), null, `${request.type}, ${length} bytes`);
    assert.equal(decodeRequest(concat([bytes, Uint8Array.of(0)])), null);
  }
});

test("gossip message: a text is written once", () => {
  const many = (count: number): number =>
    encodeRequest({
      type: "push-pull",
      from: "a",
      join: false,
      state: {
        ...state,
        events: [],
        members: Array.from({ length: count }, (_, at) => ({ ...state.members[0]!, member: member(`node-${at}`) })),
      },
    }).length;
  // Name and address, each with its length, and thirty bytes of numbers.
  assert.ok((many(200) - many(100)) / 100 < 2 * 14 + 30);
});

test("gossip message: the bytes may be reused afterwards", () => {
  const bytes = encodeRequest({ type: "rumours", from: "a", updates });
  const message = decodeRequest(bytes);
  bytes.fill(0);
  assert.deepEqual(message, { type: "rumours", from: "a", updates });
});

test("gossip message: second spellings and numbers that are none", () => {
  const rows: [string, number[]][] = [
    ["nothing", []],
    ["unknown type", [9, 0, 1, 97]],
    ["a count with a last group of zeros", [4, 0, 0x81, 0, 97, 0, 1, 98]],
    ["a count past 2^53", [0, 0, 1, 97, 1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f, 0]],
    ["a text written twice", [4, 0, 1, 97, 0, 1, 97]],
    ["a text not there yet", [4, 0, 1, 97, 2]],
    ["no UTF-8", [4, 0, 1, 0xff, 1]],
    ["a text longer than what is left", [4, 0, 0xff, 0xff, 0x7f, 97, 1]],
    ["join of neither", [3, 0, 1, 97, 2, 0, 0, 0, 0]],
    ["more members than can follow", [3, 0, 1, 97, 1, 0, 0, 0xff, 0xff, 3, 0]],
    ["more updates than can follow", [2, 0, 1, 97, 0xff, 0x1f]],
  ];
  for (const [what, bytes] of rows) assert.equal(decodeRequest(Uint8Array.from(bytes)), null, what);
  assert.deepEqual(decodeRequest(Uint8Array.of(4, 0, 1, 97, 1)), { type: "who-holds", from: "a", name: "a" });
  const nan = encodeAnswer({
    type: "ack",
    from: "b",
    updates: [],
    sequence: 0,
    coordinate: { ...coordinate, Vec: [NaN] },
  });
  assert.equal(decodeAnswer(nan), null);
});

test("gossip message: a tag comes once", () => {
  const bytes = encodeRequest({ type: "rumours", from: "a", updates: [updates[0]!] });
  // "role" and "dc" become the same text: a reference in place of the second.
  const at = bytes.findIndex((_, index) => bytes[index] === 2 && bytes[index + 1] === 100 && bytes[index + 2] === 99);
  const twin = concat([bytes.subarray(0, at - 1), Uint8Array.of(4), bytes.subarray(at + 3)]);
  assert.equal(decodeRequest(twin), null);
});

test("gossip message: hostile bytes are none, or a message like any other", () => {
  const random = new Random(20261124);
  const samples = [...requests.map(encodeRequest), ...answers.map(encodeAnswer)].map((bytes) => bytes.slice());
  let read = 0;
  for (let round = 0; round < 20_000; round += 1) {
    let bytes: Uint8Array;
    if (round % 4 === 0) {
      bytes = Uint8Array.from({ length: random.below(60) }, () => random.below(256));
      if (bytes.length > 0) bytes[0] = random.below(2) === 0 ? random.below(5) : 0x40 + random.below(5);
    } else {
      bytes = samples[random.below(samples.length)]!.slice(0, 20 + random.below(400));
      for (let flips = random.below(4); flips >= 0; flips -= 1) bytes[random.below(bytes.length)] = random.below(256);
    }
    const request = decodeRequest(bytes);
    if (request !== null) assert.deepEqual(decodeRequest(encodeRequest(request)), request);
    const answer = decodeAnswer(bytes);
    if (answer !== null) assert.deepEqual(decodeAnswer(encodeAnswer(answer)), answer);
    if (request !== null || answer !== null) read += 1;
  }
  assert.ok(read > 100, `only ${read} were messages: the test does not reach far`);
});
