import assert from "node:assert/strict";
import { test } from "node:test";
import { isRequestId, type RequestId, RequestIds, RequestOutcomes } from "../../src/rpc/request-ids.ts";
import { OperationalError } from "../../src/types/error.ts";

let seed = 0;
const source = (): RequestIds => {
  seed += 1;
  return new RequestIds((length) => new Uint8Array(length).fill(seed));
};

test("ids: differ between processes and within one, and are told from other values", () => {
  const [a, b] = [source(), source()];
  const ids = [a.next(), a.next(), b.next(), b.next()];
  assert.equal(new Set(ids.map(String)).size, 4);
  for (const id of ids) assert.ok(isRequestId(id));
  for (const other of [undefined, null, "", [], ["", 1], [ids[0]![0], 1.5], [ids[0]![0], 1, 2]])
    assert.equal(isRequestId(other), false, JSON.stringify(other));
});

test("a command that comes again: is not carried out again and gets the same answer, even while it is under way", async () => {
  const outcomes = new RequestOutcomes(() => 0);
  const id = source().next();
  let done = 0;
  let finish = (_value: string): void => {};
  const act = (): Promise<string> => {
    done += 1;
    return new Promise((resolve) => (finish = resolve));
  };
  const first = outcomes.once(id, act);
  const second = outcomes.once(id, act);
  finish("answer");
  assert.deepEqual(await Promise.all([first, second, outcomes.once(id, act)]), ["answer", "answer", "answer"]);
  assert.deepEqual([done, outcomes.repeated], [1, 2]);
});

test("a command that was refused: is refused again, and not tried", async () => {
  const outcomes = new RequestOutcomes(() => 0);
  const id = source().next();
  let done = 0;
  const act = (): never => {
    done += 1;
    throw new OperationalError("not-leader", "node is not the leader");
  };
  await assert.rejects(outcomes.once(id, act), { code: "not-leader" });
  await assert.rejects(outcomes.once(id, act), { code: "not-leader" });
  assert.equal(done, 1);
});

test("outcomes: are forgotten after a minute; who asks later is told that it is unknown, others are served", async () => {
  let nowMs = 0;
  const outcomes = new RequestOutcomes(() => nowMs);
  const ids = source();
  const [first, late] = [ids.next(), ids.next()];
  await outcomes.once(first, () => 1);
  await Promise.resolve();
  nowMs = 59_999;
  assert.equal(await outcomes.once(first, () => 2), 1);
  nowMs = 60_001;
  await outcomes.once(late, () => 2);
  await assert.rejects(
    outcomes.once(first, () => 3),
    { code: "outcome-unknown" },
  );
  assert.equal(await outcomes.once(ids.next(), () => 4), 4);
  assert.equal(await outcomes.once(source().next(), () => 5), 5);
});

test("outcomes: their number is bounded, and what is under way is not waited for to make room", async () => {
  const outcomes = new RequestOutcomes(() => 0);
  const ids = source();
  const stuck = ids.next();
  void outcomes.once(stuck, () => new Promise(() => {}));
  let last: RequestId = stuck;
  for (let i = 0; i < 40_000; i += 1) {
    last = ids.next();
    await outcomes.once(last, () => i);
  }
  assert.ok(outcomes.size <= 32_768, `${outcomes.size}`);
  assert.equal(await outcomes.once(last, () => -1), 39_999);
  await assert.rejects(
    outcomes.once(stuck, () => 1),
    { code: "outcome-unknown" },
  );
});
