// Power is cut after every operation on the disk, with every suffix of what was not synced lost, with any part of it lost,
// and with its last write torn: what comes back is what was acknowledged, and of the calls under way a whole number.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { LogStoreOptions } from "../../../runtimes/node/log-store.ts";
import { FaultDisk, type Pending } from "./fault-disk.ts";
import { loadAndGoOn, openOn } from "./log-fixture.ts";
import { callStore, entry, printLog, RandomCalls, seeded } from "./log-model.ts";

/** A machine that is busy takes its time, and some runtimes give up early. */
const SLOW = { timeout: 60_000 };

/** A disk after a power cut, and how many calls had been acknowledged and made by then. */
interface Cut {
  disk: FaultDisk;
  acknowledged: number;
  made: number;
  what: string;
}

interface Run {
  seed: number;
  calls: number;
  options: LogStoreOptions;
}

/** Calls `see` with all cuts of a run, and returns the state after each number of calls. */
async function cutsOf(
  { seed, calls: count, options }: Run,
  see: (cut: Cut) => void,
  seeDisk: (disk: FaultDisk) => void = () => {},
): Promise<string[]> {
  const random = seeded(seed);
  const calls = new RandomCalls(seed, { dataBytesMax: 300, compactEvery: 10, resetEvery: 40 });
  const states = [printLog(calls.model.state)];
  const disk = new FaultDisk();
  let acknowledged = 0;
  let made = 0;
  let operation = 0;
  disk.after = (kind, path) => {
    operation += 1;
    seeDisk(disk);
    const what = `seed ${seed}, operation ${operation} (${kind} ${path})`;
    for (const [how, survived] of survivors(disk.pending, random)) {
      see({ disk: disk.powerCut(survived), acknowledged, made, what: `${what}, ${how}` });
    }
  };
  const { store } = await openOn(disk, options);
  const waiting: Promise<void>[] = [];
  while (made < count) {
    for (let i = random(4); i >= 0; i -= 1) {
      const call = calls.next();
      states.push(printLog(calls.model.state));
      made += 1;
      const mine = made;
      waiting.push(
        Promise.resolve(callStore(store, call)).then(() => void (acknowledged = Math.max(acknowledged, mine))),
      );
    }
    if (random(3) > 0) await Promise.all(waiting);
    else await new Promise((resolve) => setImmediate(resolve));
  }
  await Promise.all(waiting);
  await store.close();
  return states;
}

/** What of the un-synced changes is on the disk afterwards. */
function* survivors(pending: readonly Pending[], random: (below: number) => number): Generator<[string, Pending[]]> {
  for (let kept = 0; kept <= pending.length; kept += 1) yield [`the first ${kept} kept`, pending.slice(0, kept)];
  if (pending.length === 0) return;
  yield ["any of them kept", pending.filter(() => random(2) === 0)];
  const torn = pending.at(-1) as Pending;
  if (torn.kind !== "write") return;
  const before = pending.slice(0, -1);
  const length = random(torn.bytes.length + 1);
  yield [`the last torn after ${length} bytes`, [...before, { ...torn, bytes: torn.bytes.slice(0, length) }]];
  yield ["the last with some sectors", [...before, ...sectorsOf(torn).filter(() => random(2) === 0)]];
  yield [
    "any sectors of any",
    pending.flatMap((one) => (one.kind === "write" ? sectorsOf(one).filter(() => random(2) === 0) : [one])),
  ];
}

/** The write in pieces that a disk writes or does not. */
function sectorsOf(write: Pending & { kind: "write" }): Pending[] {
  const pieces: Pending[] = [];
  const end = write.position + write.bytes.length;
  for (let at = write.position; at < end;) {
    const next = Math.min(end, (Math.floor(at / 512) + 1) * 512);
    pieces.push({ ...write, position: at, bytes: write.bytes.slice(at - write.position, next - write.position) });
    at = next;
  }
  return pieces;
}

const SMALL = { segmentBytes: 1024, allocateBytes: 512, reserveBytes: 128 };
const RUNS: Run[] = [
  { seed: 1, calls: 70, options: SMALL },
  { seed: 2, calls: 70, options: SMALL },
  { seed: 3, calls: 60, options: { segmentBytes: 4096, allocateBytes: 1536, reserveBytes: 512 } },
];

for (const run of RUNS) {
  test(
    `power cut: after every operation of run ${run.seed}, what was acknowledged is there and nothing is half there`,
    SLOW,
    async () => {
      const cuts: Cut[] = [];
      const states = await cutsOf(run, (cut) => cuts.push(cut));
      assert.ok(cuts.length > 400, `${cuts.length} cuts`);
      for (const { disk, acknowledged, made, what } of cuts) {
        const loaded = printLog(await loadAndGoOn(disk, run.options));
        assert.ok(
          states.slice(acknowledged, made + 1).includes(loaded),
          `${what}: of ${acknowledged} to ${made} calls`,
        );
      }
    },
  );
}

test("power cut: a second one during the repair loses nothing that the first left", SLOW, async () => {
  const run: Run = { seed: 4, calls: 60, options: SMALL };
  const random = seeded(44);
  const cuts: Cut[] = [];
  const states = await cutsOf(run, (cut) => {
    if (random(12) === 0) cuts.push(cut);
  });
  let seconds = 0;
  for (const { disk, acknowledged, made, what } of cuts) {
    const again: [string, FaultDisk][] = [];
    const possible = states.slice(acknowledged, made + 1);
    disk.after = (kind, path) => {
      for (const [how, survived] of survivors(disk.pending, random))
        again.push([`${kind} ${path}, ${how}`, disk.powerCut(survived)]);
    };
    const { store, loaded } = await openOn(disk, run.options);
    await store.close();
    assert.ok(possible.includes(printLog(loaded)), what);
    for (const [how, second] of again) {
      const loadedAgain = printLog(await loadAndGoOn(second, run.options));
      assert.ok(possible.includes(loadedAgain), `${what}; then ${how}`);
      seconds += 1;
    }
    // What `load` gave was acted upon, so it counts as acknowledged from then on.
    assert.ok(
      printLog(await loadAndGoOn(disk.powerCut([]), run.options)) === printLog(loaded),
      `${what}; then lost what was loaded`,
    );
  }
  assert.ok(seconds > 300, `${seconds} second cuts`);
});

test("power cut: what a killed process left and the next one loaded is durable from then on", SLOW, async () => {
  // The server acts upon what it loaded, so it counts as acknowledged, whether the killed process had synced it or not.
  for (const { seed, options } of RUNS) {
    const killed: FaultDisk[] = [];
    const states = await cutsOf(
      { seed, calls: 40, options },
      () => {},
      (disk) => killed.push(disk.killed()),
    );
    assert.ok(killed.length > 50, `${killed.length} disks`);
    for (const [i, disk] of killed.entries()) {
      const { store, loaded } = await openOn(disk, options);
      await store.close();
      const expected = printLog(loaded);
      assert.ok(states.includes(expected));
      for (const [how, survived] of survivors(disk.pending, seeded(i))) {
        assert.ok(
          printLog(await loadAndGoOn(disk.powerCut(survived), options)) === expected,
          `seed ${seed}, disk ${i}, ${how}`,
        );
      }
      // And so is what was written after it, which a seal that was never synced would make worthless.
      const again = await openOn(disk, options);
      const next = again.loaded.base.index + again.loaded.entries.length + 1;
      await again.store.append({ entries: [entry(next, 99)], hardState: null });
      await again.store.close();
      const { entries } = await loadAndGoOn(disk.powerCut([]), options);
      assert.equal(entries.at(-1)?.index, next);
    }
  }
});
