// What every `LogStore` has to do, as tests: call `logStoreSuite` with a way to open one. The contract is in `src/platform.ts`.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { LoadedLog, LogStore } from "../../../src/platform.ts";
import { AssertionError } from "../../../src/util/assert.ts";
import { append, callStore, entry, LogModel, printLog, RandomCalls, seeded } from "./log-model.ts";

/** One place where a log can be. */
export interface LogPlace {
  /** The store on what was left by the one before, which was closed. */
  open(): Promise<LogStore>;
  remove(): Promise<void>;
}

/** Adds the tests, each with a place of its own. */
export function logStoreSuite(name: string, makePlace: () => Promise<LogPlace>): void {
  const suiteTest = (title: string, run: (session: Session) => Promise<void>): void => {
    test(`${name}: ${title}`, { timeout: 60_000 }, async () => {
      const place = await makePlace();
      const session = new Session(place);
      try {
        await run(session);
      } finally {
        await session.close();
        await place.remove();
      }
    });
  };

  suiteTest("a new log is empty", async (session) => {
    assert.deepEqual(await session.reopen(), { hardState: null, base: { index: 0, term: 0 }, entries: [] });
    assert.deepEqual(await session.reopen(), { hardState: null, base: { index: 0, term: 0 }, entries: [] });
  });

  suiteTest("entries of every kind and size come back as they were", async (session) => {
    const { store } = await session.opened();
    const all = [
      entry(1, 1, "", "noop"),
      entry(2, 1, '{"servers":[]}', "config"),
      entry(3, 2, new Uint8Array(300).fill(0)),
      entry(
        4,
        7,
        Uint8Array.from({ length: 256 }, (_, i) => i),
      ),
      entry(5, 7, new Uint8Array(3_000_000).fill(9)),
      entry(6, 2 ** 52, "after"),
    ];
    await store.append({ entries: all.slice(0, 4), hardState: null });
    await store.append({ entries: all.slice(4), hardState: null });
    const loaded = await session.reopen();
    assert.ok(printLog(loaded) === printLog({ ...loaded, entries: all }));
    assert.equal(loaded.hardState, null);
  });

  suiteTest("the hard state is kept until the next one, with a vote or without", async (session) => {
    const { store } = await session.opened();
    await store.append({ entries: [], hardState: { term: 3, vote: "b9a5-ü" } });
    await store.append({ entries: [entry(1, 3)], hardState: null });
    assert.deepEqual((await session.reopen()).hardState, { term: 3, vote: "b9a5-ü" });
    await session.store.append({ entries: [entry(2, 4)], hardState: { term: 4, vote: null } });
    const loaded = await session.reopen();
    assert.deepEqual(loaded.hardState, { term: 4, vote: null });
    assert.equal(loaded.entries.length, 2);
    await session.store.append({ entries: [], hardState: { term: 5, vote: "" } });
    assert.deepEqual((await session.reopen()).hardState, { term: 5, vote: "" });
  });

  suiteTest("entries at a stored index replace the tail from there on", async (session) => {
    const { store } = await session.opened();
    await store.append({ entries: [entry(1), entry(2), entry(3), entry(4)], hardState: null });
    await store.append({ entries: [entry(3, 2, "new 3")], hardState: { term: 2, vote: null } });
    await session.expect(append(entry(1), entry(2), entry(3, 2, "new 3")), { hardState: { term: 2, vote: null } });
    await session.store.append({ entries: [entry(1, 3, "new 1"), entry(2, 3, "new 2")], hardState: null });
    await session.store.append({ entries: [entry(3, 3, "newer 3")], hardState: null });
    await session.expect(append(entry(1, 3, "new 1"), entry(2, 3, "new 2"), entry(3, 3, "newer 3")), {
      hardState: { term: 2, vote: null },
    });
  });

  suiteTest("compaction forgets entries up to the index and keeps the rest", async (session) => {
    const { store } = await session.opened();
    await store.append({ entries: [entry(1), entry(2), entry(3), entry(4)], hardState: { term: 1, vote: "a" } });
    await store.compact(2, 1);
    await store.compact(2, 1);
    await store.compact(1, 1);
    await session.expect(append(entry(3), entry(4)), {
      base: { index: 2, term: 1 },
      hardState: { term: 1, vote: "a" },
    });
    await session.store.append({ entries: [entry(4, 2, "new 4"), entry(5, 2)], hardState: null });
    await session.store.compact(5, 2);
    await session.expect(append(), { base: { index: 5, term: 2 }, hardState: { term: 1, vote: "a" } });
    await session.store.append({ entries: [entry(6, 2)], hardState: null });
    await session.expect(append(entry(6, 2)), { base: { index: 5, term: 2 }, hardState: { term: 1, vote: "a" } });
  });

  suiteTest("reset forgets every entry and starts after the index, before or behind the last one", async (session) => {
    const { store } = await session.opened();
    await store.append({ entries: [entry(1), entry(2), entry(3)], hardState: { term: 1, vote: "a" } });
    await store.reset(1000, 7);
    await session.expect(append(), { base: { index: 1000, term: 7 }, hardState: { term: 1, vote: "a" } });
    await session.store.append({ entries: [entry(1001, 7), entry(1002, 7)], hardState: null });
    await session.store.reset(1001, 8);
    await session.store.append({ entries: [entry(1002, 8, "other")], hardState: null });
    await session.expect(append(entry(1002, 8, "other")), {
      base: { index: 1001, term: 8 },
      hardState: { term: 1, vote: "a" },
    });
  });

  suiteTest("indexes and terms up to 2^53 are exact", async (session) => {
    const high = 2 ** 53 - 10;
    const { store } = await session.opened();
    await store.reset(high, high - 1);
    await store.append({ entries: [entry(high + 1, high)], hardState: { term: high, vote: null } });
    await session.expect(append(entry(high + 1, high)), {
      base: { index: high, term: high - 1 },
      hardState: { term: high, vote: null },
    });
  });

  suiteTest("calls of one turn take effect in their order, and none is forgotten", async (session) => {
    const { store } = await session.opened();
    const model = new LogModel();
    const done: number[] = [];
    const promises: (void | Promise<void>)[] = [];
    const calls = [
      append(entry(1), entry(2)),
      append(entry(2, 2, "two")),
      append(entry(3, 2)),
      { type: "compact", index: 1, term: 1 } as const,
      append(entry(4, 2)),
      append(entry(3, 3, "three")),
    ];
    for (const [i, call] of calls.entries()) {
      model.apply(call);
      const promise = callStore(store, call);
      promises.push(promise);
      if (promise === undefined) done.push(i);
      else void promise.then(() => done.push(i));
    }
    await Promise.all(promises);
    assert.deepEqual(done, [0, 1, 2, 3, 4, 5]);
    assert.equal(printLog(await session.reopen()), printLog(model.state));
  });

  suiteTest("close waits for calls that were not waited for", async (session) => {
    const { store } = await session.opened();
    for (let index = 1; index <= 50; index += 1) void store.append({ entries: [entry(index)], hardState: null });
    assert.equal((await session.reopen()).entries.length, 50);
  });

  suiteTest("a gap or a compacted index is a bug of the caller, and nothing is stored", async (session) => {
    const { store } = await session.opened();
    await store.append({ entries: [entry(1), entry(2), entry(3)], hardState: null });
    await store.compact(2, 1);
    const attempts = [
      () => store.append({ entries: [entry(5)], hardState: null }),
      () => store.append({ entries: [entry(2)], hardState: null }),
      () => store.append({ entries: [entry(4), entry(6)], hardState: null }),
      () => store.compact(4, 1),
    ];
    for (const attempt of attempts) await assert.rejects(async () => await attempt(), AssertionError);
    await session.expect(append(entry(3)), { base: { index: 2, term: 1 } });
  });

  suiteTest("random calls with reopening in between hold what the model holds", async (session) => {
    for (const seed of [1, 2, 3]) {
      const random = seeded(seed * 7919);
      const calls = new RandomCalls(seed, { dataBytesMax: 900, compactEvery: 12, resetEvery: 60 });
      let { store, loaded } = await session.opened();
      if (seed > 1) await store.reset(0, 0);
      if (seed > 1) await store.append({ entries: [], hardState: { term: 0, vote: null } });
      if (seed > 1) calls.model.state.hardState = { term: 0, vote: null };
      for (let step = 0; step < 150; step += 1) {
        const promises: (void | Promise<void>)[] = [];
        for (let i = random(5); i >= 0; i -= 1) promises.push(callStore(store, calls.next()));
        if (random(3) > 0) await Promise.all(promises);
        if (random(15) !== 0) continue;
        loaded = await session.reopen();
        store = session.store;
        assert.equal(printLog(loaded), printLog(calls.model.state), `seed ${seed}, step ${step}`);
      }
      assert.equal(printLog(await session.reopen()), printLog(calls.model.state), `seed ${seed}`);
    }
  });
}

/** A store that is closed and opened again. */
class Session {
  readonly #place: LogPlace;
  #store: LogStore | null = null;

  constructor(place: LogPlace) {
    this.#place = place;
  }

  get store(): LogStore {
    assert.ok(this.#store !== null);
    return this.#store;
  }

  async opened(): Promise<{ store: LogStore; loaded: LoadedLog }> {
    const loaded = await this.reopen();
    return { store: this.store, loaded };
  }

  async reopen(): Promise<LoadedLog> {
    await this.close();
    this.#store = await this.#place.open();
    return await this.#store.load();
  }

  async close(): Promise<void> {
    await this.#store?.close();
    this.#store = null;
  }

  async expect(call: { type: string } & ReturnType<typeof append>, rest: Partial<LoadedLog>): Promise<void> {
    assert.ok(call.type === "append");
    const expected = { hardState: null, base: { index: 0, term: 0 }, ...rest, entries: [...call.batch.entries] };
    assert.equal(printLog(await this.reopen()), printLog(expected));
  }
}
