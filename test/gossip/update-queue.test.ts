import assert from "node:assert/strict";
import { test } from "node:test";
import { Outbox } from "../../src/gossip/outbox.ts";
import { updateSize } from "../../src/gossip/size.ts";
import type { Update } from "../../src/gossip/types.ts";
import type { QueuedUpdate } from "../../src/gossip/update-queue.ts";
import { UpdateQueue } from "../../src/gossip/update-queue.ts";
import { printUpdate } from "./print.ts";
import { recordOf } from "./transcript.ts";

const alive = (name: string, incarnation = 1): Update => ({ type: "alive", incarnation, member: recordOf(name) });
const suspect = (name: string, from: string): Update => ({ type: "suspect", name, incarnation: 1, from });
const event = (name: string, time: number, bytes = 0): Update => ({
  type: "user-event",
  name,
  time,
  payload: new Uint8Array(bytes),
  coalesce: false,
});
const printed = (items: readonly QueuedUpdate[]): string => items.map(({ update }) => printUpdate(update)).join(" ");

test("a later update of the same member takes the place of the earlier one, whoever speaks", () => {
  const queue = new UpdateQueue(100);
  queue.put(alive("a"));
  queue.put(suspect("a", "b"));
  queue.put({ type: "dead", name: "a", incarnation: 1, from: "c" });
  queue.put({ type: "join-intent", name: "a", time: 3 });
  queue.put({ type: "leave-intent", name: "a", time: 4, prune: false });
  queue.put(event("x", 1));
  queue.put(event("x", 2));
  queue.put(event("x", 2, 1));
  assert.equal(printed(queue.take(10_000, 4)), "dead:a@1:c leave:a@4 event:x@1 event:x@2 event:x@2");
  assert.deepEqual(queue.depths, { members: 1, intents: 1, events: 3 });
});

test("what was sent least goes first, in the order in which it came", () => {
  const queue = new UpdateQueue(100);
  queue.put(alive("a"));
  queue.put(alive("b"));
  queue.take(10_000, 4);
  queue.put(alive("c"));
  assert.equal(printed(queue.take(10_000, 4)), "alive:c@1 alive:a@1 alive:b@1");
});

test("a message holds what its budget allows, and one update at least", () => {
  const queue = new UpdateQueue(100);
  queue.put(event("large", 1, 400));
  for (let time = 2; time < 12; time += 1) queue.put(event("s", time));
  const small = updateSize(event("s", 2));
  assert.equal(printed(queue.take(100, 9)), "event:large@1", "too large for any message");
  assert.equal(queue.take(3 * small, 9).length, 3);
  const large = updateSize(event("large", 1, 400));
  const taken = queue.take(large - 1, 9);
  assert.equal(taken.length, 10, "one that does not fit leaves room to the others");
});

test("an update is done when so many have acknowledged it: what is under way does not count, but keeps it from being sent again", () => {
  const queue = new UpdateQueue(100);
  queue.put(alive("a"));
  const [first, second] = [queue.take(1000, 2), queue.take(1000, 2)];
  assert.equal(queue.take(1000, 2).length, 0, "two are under way");
  queue.fail(first);
  const third = queue.take(1000, 2);
  assert.equal(third.length, 1, "one was lost");
  queue.acknowledge(second, 2);
  assert.equal(queue.size, 1);
  queue.acknowledge(third, 2);
  assert.equal(queue.size, 0);
});

test("answers of an update that was replaced meanwhile change nothing", () => {
  const queue = new UpdateQueue(100);
  queue.put(alive("a", 1));
  const taken = [queue.take(1000, 2), queue.take(1000, 2)];
  queue.put(alive("a", 2));
  queue.acknowledge(taken[0]!, 2);
  queue.fail(taken[1]!);
  assert.equal(printed(queue.take(1000, 2)), "alive:a@2");
  assert.equal(queue.size, 1);
});

test("a pool that has shrunk: what enough have acknowledged is done", () => {
  const queue = new UpdateQueue(100);
  queue.put(alive("a"));
  for (let times = 0; times < 3; times += 1) queue.acknowledge(queue.take(1000, 8), 8);
  assert.equal(queue.take(1000, 2).length, 0);
  assert.equal(queue.size, 0);
});

test("an answer carries updates too, each time others, and counts for nothing", () => {
  const queue = new UpdateQueue(100);
  for (let time = 1; time < 5; time += 1) queue.put(event("s", time));
  const budget = 2 * updateSize(event("s", 1));
  assert.equal(printed(queue.peek(budget, 1)), "event:s@1 event:s@2");
  assert.equal(printed(queue.peek(budget, 1)), "event:s@3 event:s@4");
  assert.equal(printed(queue.peek(budget, 1)), "event:s@1 event:s@2");
  assert.equal(queue.take(10_000, 1).length, 4);
});

test("a full queue: what has been sent most gives way", () => {
  const queue = new UpdateQueue(3);
  queue.put(alive("a"));
  queue.put(alive("b"));
  queue.take(10, 4);
  queue.put(alive("c"));
  queue.put(alive("d"));
  assert.equal(printed(queue.take(10_000, 4)), "alive:b@1 alive:c@1 alive:d@1");
  assert.equal(queue.overflowed, 1);
  queue.put(alive("b", 2));
  assert.equal(queue.overflowed, 1, "one that takes the place of another needs no room");
});

test("an outbox gives everything again until the leaf says that it has it", () => {
  const outbox = new Outbox(10);
  const queue = new UpdateQueue(10);
  outbox.put(queue.put(alive("a")));
  const first = outbox.take(0, 1000);
  assert.equal(first.updates.length, 1);
  outbox.put(queue.put(alive("b")));
  const second = outbox.take(0, 1000);
  assert.equal(second.updates.length, 2, "the first answer got lost");
  outbox.put(queue.put(alive("a", 2)));
  const third = outbox.take(second.sequence, 1000);
  assert.deepEqual(third.updates.map(printUpdate), ["alive:a@2"], "what came meanwhile is not taken for told");
  assert.deepEqual(outbox.take(third.sequence, 1000).updates, []);
});

test("an outbox has bounds: of messages, and of what waits", () => {
  const outbox = new Outbox(3);
  const queue = new UpdateQueue(10);
  for (const name of ["a", "b", "c", "d"]) outbox.put(queue.put(alive(name)));
  const first = outbox.take(0, 1);
  assert.deepEqual(first.updates.map(printUpdate), ["alive:b@1"]);
  assert.equal(outbox.take(first.sequence, 1000).updates.length, 2);
});
