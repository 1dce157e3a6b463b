// A disk that fails or is full while the log is written to.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { FileSystem } from "../../../runtimes/node/file-system.ts";
import { type LogStoreOptions, openLogStore } from "../../../runtimes/node/log-store.ts";
import type { LogStore } from "../../../src/platform.ts";
import { type ErrorCode, OperationalError } from "../../../src/types/error.ts";
import { diskError, FaultDisk, type OperationKind } from "./fault-disk.ts";
import { DIR, filler, loadAndGoOn, openOn, SMALL } from "./log-fixture.ts";
import { append, type Call, callStore, entry, LogModel, printLog, RandomCalls } from "./log-model.ts";

/** A machine that is busy takes its time, and some runtimes give up early. */
const SLOW = { timeout: 60_000 };

async function failure(promise: void | Promise<void>): Promise<OperationalError | null> {
  try {
    await promise;
    return null;
  } catch (error) {
    assert.ok(error instanceof OperationalError, String(error));
    return error;
  }
}

async function assertFails(code: ErrorCode, promise: void | Promise<void>): Promise<void> {
  assert.equal((await failure(promise))?.code, code);
}

function put(store: LogStore, index: number, length = 100): Promise<OperationalError | null> {
  return failure(callStore(store, append(entry(index, 1, filler(length, index)))));
}

function vote(store: LogStore, term: number): Promise<OperationalError | null> {
  return failure(store.append({ entries: [], hardState: { term, vote: `server-${term}` } }));
}

test(
  `log faults: after a failed write or sync every call fails, and what was durable is still there`,
  SLOW,
  async () => {
    for (const kind of ["write", "sync"] as const) {
      for (const code of ["EIO", "EROFS", "EDQUOT"]) {
        if (kind === "write" && code === "EDQUOT") continue;
        const disk = new FaultDisk();
        const { store } = await openOn(disk);
        await store.append({ entries: [entry(1)], hardState: { term: 1, vote: "a" } });
        disk.before = (what) => {
          if (what === kind) throw diskError(code);
        };
        const [first, sameTurn] = [put(store, 2), put(store, 3)];
        assert.equal((await first)?.code, "storage-failed");
        assert.equal((await sameTurn)?.code, "storage-failed");
        disk.before = null;
        await assertFails("storage-failed", store.append({ entries: [entry(2)], hardState: null }));
        await assertFails("storage-failed", store.append({ entries: [entry(9)], hardState: null }));
        await assertFails("storage-failed", store.compact(1, 1));
        await assertFails("storage-failed", store.compact(0, 0));
        await assertFails("storage-failed", store.reset(5, 1));
        await store.close();
        assert.equal(disk.openFiles, 0);
        const { entries } = await loadAndGoOn(disk.powerCut([]));
        assert.deepEqual(entries, [entry(1)]);
      }
    }
  },
);

test(
  `log faults: an error at any one operation ends in a refusal or goes unharmed, and nothing acknowledged is lost`,
  SLOW,
  async () => {
    const calls = new RandomCalls(5, { dataBytesMax: 200, compactEvery: 9, resetEvery: 25 });
    const all = Array.from({ length: 60 }, () => calls.next());
    const kinds: OperationKind[] = ["write", "sync", "create", "open", "rename", "unlink", "sync-directory"];
    let refusals = 0;
    for (const kind of kinds) {
      for (let countdown = 0; countdown < 400; countdown += 1) {
        const disk = new FaultDisk();
        const { store } = await openOn(disk);
        let left = countdown;
        disk.before = (what) => {
          if (what === kind && left-- === 0) throw diskError("EIO");
        };
        const acknowledged = new LogModel();
        let firstError: OperationalError | null = null;
        const attempted = new LogModel();
        for (const call of all) {
          if (firstError === null) attempted.apply(call);
          const error = await failure(callStore(store, call));
          if (error !== null) assert.equal(error.code, "storage-failed");
          if (firstError !== null) assert.notEqual(error, null, "a call worked after a failure");
          firstError ??= error;
          if (error === null) acknowledged.apply(call);
        }
        await store.close();
        assert.equal(disk.openFiles, 0);
        disk.before = null;
        const loaded = printLog(await loadAndGoOn(disk.copy()));
        const possible = [printLog(acknowledged.state), printLog(attempted.state)];
        assert.ok(possible.includes(loaded), `${kind} ${countdown}`);
        const cut = printLog(await loadAndGoOn(disk.powerCut([])));
        assert.ok(possible.includes(cut), `${kind} ${countdown}, and power lost`);
        if (left >= 0) break;
        if (firstError !== null) refusals += 1;
      }
    }
    assert.ok(refusals > 100, `${refusals} refusals`);
  },
);

test("log faults: short writes are gone on with", SLOW, async () => {
  const calls = new RandomCalls(11, { dataBytesMax: 300, compactEvery: 12, resetEvery: 50 });
  const disk = new FaultDisk();
  let turn = 0;
  disk.before = (kind, _path, bytes) =>
    kind === "write" ? Math.max(1, Math.min(bytes, (turn++ * 13) % 97)) : undefined;
  const { store } = await openOn(disk);
  for (let i = 0; i < 60; i += 1) await callStore(store, calls.next());
  await store.close();
  assert.ok(printLog(await loadAndGoOn(disk.copy())) === printLog(calls.model.state));
});

test("log faults: a file that takes no bytes is a failure, not an endless loop", SLOW, async () => {
  const disk = new FaultDisk();
  const { store } = await openOn(disk);
  disk.before = (kind) => (kind === "write" ? 0 : undefined);
  await assertFails("storage-failed", store.append({ entries: [entry(1)], hardState: null }));
  await store.close();
});

test("log faults: a full disk refuses entries, and the store goes on with what it had", SLOW, async () => {
  const options: LogStoreOptions = { segmentBytes: 4096, allocateBytes: 1024, reserveBytes: 512 };
  const disk = new FaultDisk();
  const { store } = await openOn(disk, options);
  disk.capacity = 10_000;
  let index = 1;
  let refused: OperationalError | null = null;
  while (refused === null) {
    refused = await put(store, index);
    if (refused === null) index += 1;
    assert.ok(index < 1000);
  }
  assert.equal(refused.code, "disk-full");
  assert.match(refused.message, /No space is left .* \/raft/);
  // Still refused, and so is what builds on it; votes and compaction find room in the reserve.
  assert.equal((await put(store, index))?.code, "disk-full");
  assert.equal((await put(store, index + 1))?.code, "disk-full");
  assert.equal(await vote(store, 7), null);
  assert.equal(await failure(store.compact(index - 1, 1)), null);
  // The old segments are gone by the next turn or two, and with them the reason to refuse.
  let again: OperationalError | null = null;
  for (let tries = 0; tries < 100; tries += 1) {
    again = await put(store, index);
    if (again === null) break;
    await new Promise((resolve) => setImmediate(resolve));
  }
  assert.equal(again, null);
  await store.close();
  const loaded = await loadAndGoOn(disk.copy(), options);
  assert.deepEqual(loaded.base, { index: index - 1, term: 1 });
  assert.deepEqual(loaded.hardState, { term: 7, vote: "server-7" });
  assert.equal(loaded.entries.length, 1);
});

test(`log faults: the reserve ends too, and then votes are refused, with all before in place`, SLOW, async () => {
  const disk = new FaultDisk();
  const { store } = await openOn(disk);
  disk.capacity = 0;
  let term = 1;
  while ((await vote(store, term)) === null) {
    term += 1;
    assert.ok(term < 1000);
  }
  assert.ok(term > 3);
  await store.close();
  disk.capacity = Infinity;
  assert.deepEqual((await loadAndGoOn(disk.copy())).hardState, {
    term: term - 1,
    vote: `server-${term - 1}`,
  });
});

test(`log faults: at any capacity, nothing acknowledged is lost and nothing refused appears`, SLOW, async () => {
  for (let capacity = 1100; capacity < 6000; capacity += 61) {
    const calls = new RandomCalls(capacity, { dataBytesMax: 250, compactEvery: 10, resetEvery: 40 });
    const disk = new FaultDisk();
    const { store } = await openOn(disk);
    disk.capacity = capacity;
    const model = new LogModel();
    let refused = 0;
    for (let i = 0; i < 60; i += 1) {
      const call = fit(calls.next(), model);
      if (call === null) continue;
      const error = await failure(callStore(store, call));
      if (error === null) model.apply(call);
      else assert.equal(error.code, "disk-full");
      if (error !== null) refused += 1;
    }
    await store.close();
    assert.ok(refused > 0 || capacity > 3000);
    disk.capacity = Infinity;
    assert.ok(printLog(await loadAndGoOn(disk.copy())) === printLog(model.state), `capacity ${capacity}`);
    assert.ok(
      printLog(await loadAndGoOn(disk.powerCut([]))) === printLog(model.state),
      `capacity ${capacity}, power lost`,
    );
  }
});

test("log faults: a disk that is full for a write inside the file is undone", SLOW, async () => {
  // As on file systems that never write in place.
  for (const taken of [0, 1, 40, 100]) {
    const disk = new FaultDisk();
    const { store } = await openOn(disk);
    assert.equal(await put(store, 1), null);
    let isFull = true;
    disk.before = (kind, _path, bytes) => {
      if (kind !== "write" || !isFull) return undefined;
      if (bytes > 100 && taken > 0) return taken;
      isFull = false;
      throw diskError("ENOSPC");
    };
    assert.equal((await put(store, 2))?.code, "disk-full");
    disk.before = null;
    assert.equal(await put(store, 2, 50), null);
    await store.close();
    const { entries } = await loadAndGoOn(disk.copy());
    assert.deepEqual(entries, [entry(1, 1, filler(100, 1)), entry(2, 1, filler(50, 2))]);
  }
});

test("log faults: a full disk that cannot be undone ends the store", SLOW, async () => {
  const disk = new FaultDisk();
  const { store } = await openOn(disk);
  assert.equal(await put(store, 1), null);
  disk.before = (kind) => {
    if (kind === "write") throw diskError("ENOSPC");
  };
  assert.equal((await put(store, 2))?.code, "storage-failed");
  disk.before = null;
  assert.equal((await put(store, 2))?.code, "storage-failed");
  await store.close();
  assert.equal((await loadAndGoOn(disk.copy())).entries.length, 1);
});
/** The call as a server makes it whose earlier ones were refused; null when there is nothing left of it. */
function fit(call: Call, model: LogModel): Call | null {
  if (call.type === "reset") return call;
  const { base } = model.state;
  if (call.type === "compact") {
    const index = Math.min(call.index, model.last);
    const at = model.state.entries[index - base.index - 1];
    return at === undefined ? null : { type: "compact", index, term: at.term };
  }
  const first = model.last + 1;
  const entries = call.batch.entries.map((one, i) => ({ ...one, index: first + i }));
  return { type: "append", batch: { entries, hardState: call.batch.hardState } };
}

test(
  "log faults: segments that compaction or reset made worthless are deleted, also after the next start",
  SLOW,
  async () => {
    for (const how of ["compact", "reset"] as const) {
      const disk = new FaultDisk();
      const { store } = await openOn(disk);
      for (let index = 1; index <= 40; index += 1) assert.equal(await put(store, index), null);
      const before = disk.paths().length;
      assert.ok(before > 5);
      // Behind the last entry: a reset frees what compaction to there would not.
      const done = how === "compact" ? store.compact(38, 1) : store.reset(2, 5);
      await done;
      const crashed = disk.killed();
      await store.close();
      assert.ok(disk.paths().length <= 2, `${how}: ${disk.paths().join(" ")}`);
      const next = await openOn(crashed);
      await next.store.close();
      assert.ok(crashed.paths().length <= 2, `${how}, after a crash: ${crashed.paths().join(" ")}`);
    }
  },
);

test("log faults: close waits for a write under way, also when something else has failed meanwhile", SLOW, async () => {
  const disk = new FaultDisk();
  const plain = await openOn(disk);
  for (let index = 1; index <= 20; index += 1) assert.equal(await put(plain.store, index), null);
  await plain.store.close();

  let letGo: () => void = () => {};
  const gate = new Promise<void>((resolve) => (letGo = resolve));
  let begin: () => void = () => {};
  const begun = new Promise<void>((resolve) => (begin = resolve));
  let isHeld = false;
  const fileSystem: FileSystem = {
    makeDirectory: () => disk.makeDirectory(),
    list: (path) => disk.list(path),
    rename: (from, to) => disk.rename(from, to),
    syncDirectory: (path) => disk.syncDirectory(path),
    unlink: async () => {
      await begun;
      throw diskError("EIO");
    },
    open: async (path, mode) => {
      const file = await disk.open(path, mode);
      const write = file.write.bind(file);
      file.write = async (bytes, position) => {
        if (isHeld) begin();
        if (isHeld) await gate;
        return await write(bytes, position);
      };
      return file;
    },
  };
  const store = await openLogStore(DIR, { ...SMALL, fileSystem });
  await store.load();
  await store.compact(19, 1);
  isHeld = true;
  const writing = put(store, 21);
  // The deletion of the old segments fails while the write is under way.
  assert.equal((await writing)?.code, "storage-failed");
  let isClosed = false;
  const closing = store.close().then(() => (isClosed = true));
  for (let turn = 0; turn < 5; turn += 1) await new Promise((resolve) => setImmediate(resolve));
  assert.equal(isClosed, false);
  letGo();
  await closing;
  assert.equal(disk.openFiles, 0);
  assert.ok((await loadAndGoOn(disk.copy())).entries.length >= 1);
});

test("log faults: calls of one turn share one record and one sync", SLOW, async () => {
  const disk = new FaultDisk();
  const { store } = await openOn(disk, { segmentBytes: 1024 * 1024, allocateBytes: 512 * 1024 });
  const seen: OperationKind[] = [];
  disk.before = (kind) => void seen.push(kind);
  const turn = Array.from({ length: 100 }, (_, i) => put(store, i + 1));
  turn.push(vote(store, 3));
  await Promise.all(turn);
  assert.deepEqual(seen, ["write", "sync"]);
  await store.close();
});

test("log faults: a record is written only when the one before is durable, however the calls come", SLOW, async () => {
  const disk = new FaultDisk();
  const { store } = await openOn(disk, { segmentBytes: 1024 * 1024, allocateBytes: 512 * 1024 });
  const seen: OperationKind[] = [];
  disk.before = (kind) => void seen.push(kind);
  disk.isSlow = true;
  const all: Promise<OperationalError | null>[] = [];
  for (let index = 1; index <= 60; index += 1) {
    all.push(put(store, index));
    await new Promise((resolve) => setImmediate(resolve));
  }
  assert.ok((await Promise.all(all)).every((error) => error === null));
  assert.ok(seen.length >= 20 && seen.length < 120, `${seen.length} operations`);
  assert.ok(seen.every((kind, i) => kind === (i % 2 === 0 ? "write" : "sync")));
  await store.close();
  assert.equal((await loadAndGoOn(disk.powerCut([]))).entries.length, 60);
});

test("log faults: calls that arrive during a sync share the next one", SLOW, async () => {
  const disk = new FaultDisk();
  const { store } = await openOn(disk, { segmentBytes: 1024 * 1024, allocateBytes: 512 * 1024 });
  const seen: OperationKind[] = [];
  const late: Promise<OperationalError | null>[] = [];
  disk.before = (kind) => {
    seen.push(kind);
    if (kind === "sync" && late.length === 0) for (let i = 2; i < 20; i += 1) late.push(put(store, i));
  };
  assert.equal(await put(store, 1), null);
  assert.deepEqual(
    await Promise.all(late),
    late.map(() => null),
  );
  assert.deepEqual(seen, ["write", "sync", "write", "sync"]);
  await store.close();
  assert.equal((await loadAndGoOn(disk.powerCut([]))).entries.length, 19);
});

test("log faults: calls after close are refused, and calls before load are a bug", SLOW, async () => {
  const disk = new FaultDisk();
  const store = await openLogStore("/raft", { fileSystem: disk });
  assert.throws(() => store.append({ entries: [], hardState: { term: 1, vote: null } }), /loaded before/);
  await store.load();
  await assert.rejects(store.load(), /loaded once/);
  await store.close();
  await store.close();
  await assertFails("shutting-down", store.append({ entries: [entry(1)], hardState: null }));
  await assertFails("shutting-down", store.compact(0, 0));
});
