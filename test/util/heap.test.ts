import assert from "node:assert/strict";
import { test } from "node:test";
import { Heap, type HeapEntry } from "../../src/util/heap.ts";
import { Random } from "../../src/util/random.ts";

test("Heap: comes out in order, equal times in the order they went in", () => {
  const heap = new Heap<string>();
  for (const [at, value] of [
    [3, "c"],
    [1, "a1"],
    [2, "b"],
    [1, "a2"],
    [1, "a3"],
  ] as const)
    heap.push(at, value);
  const out: string[] = [];
  for (let entry = heap.pop(); entry !== undefined; entry = heap.pop()) out.push(entry.value);
  assert.deepEqual(out, ["a1", "a2", "a3", "b", "c"]);
  assert.equal(heap.size, 0);
  assert.equal(heap.peek(), undefined);
});

test("Heap: an entry is cancelled once, and not after it came out", () => {
  const heap = new Heap<string>();
  const a = heap.push(1, "a");
  const b = heap.push(2, "b");
  assert.equal(heap.cancel(a), true);
  assert.equal(heap.cancel(a), false);
  assert.equal(heap.pop(), b);
  assert.equal(heap.cancel(b), false);
  assert.equal(new Heap<string>().cancel(heap.push(3, "c")), false);
  assert.equal(heap.size, 1);
});

test("Heap: agrees with a sorted list under random pushes, pops and cancels", () => {
  const random = new Random(5);
  const heap = new Heap<number>();
  let model: { at: number; id: number; handle: HeapEntry<number> }[] = [];
  for (let id = 0; id < 5000; id += 1) {
    const action = random.below(4);
    if (action < 2) {
      const at = random.below(50);
      model.push({ at, id, handle: heap.push(at, id) });
    } else if (model.length > 0) {
      model.sort((x, y) => x.at - y.at || x.id - y.id);
      const gone = action === 2 ? model[0]! : model[random.below(model.length)]!;
      if (action === 2) assert.equal(heap.pop()?.value, gone.id);
      else assert.ok(heap.cancel(gone.handle));
      model = model.filter((entry) => entry !== gone);
    }
    assert.equal(heap.size, model.length);
  }
});
