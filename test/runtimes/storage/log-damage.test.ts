// Every way in which files of the log can be wrong: what a crash explains is cut and the log goes on, everything else stops
// with `LogDamaged`, and in no case does a log come back that is not the one that was written.
import assert from "node:assert/strict";
import { test } from "node:test";
import { LogDamaged } from "../../../runtimes/node/log-damaged.ts";
import { encodeHeader, encodeRecord, recordKey } from "../../../runtimes/node/log-record.ts";
import { OperationalError } from "../../../src/types/error.ts";
import { crc32c } from "../../../src/util/crc32c.ts";
import { FaultDisk } from "./fault-disk.ts";
import { DIR, filler, loadAndGoOn, makeCalls, openOn } from "./log-fixture.ts";
import { append, type Call, entry, LogModel, printLog } from "./log-model.ts";

/** A machine that is busy takes its time, and some runtimes give up early. */
const SLOW = { timeout: 60_000 };

const SEGMENT = (sequence: number): string => `${DIR}/${String(sequence).padStart(10, "0")}.log`;

/** Entries of 150 bytes, four to a segment; the last call is one record of two entries and a hard state. */
const CALLS: Call[] = [
  { type: "append", batch: { entries: [], hardState: { term: 1, vote: "server-1" } } },
  ...Array.from({ length: 18 }, (_, i) => append(entry(i + 1, 1, filler(150, i)))),
  {
    type: "append",
    batch: {
      entries: [entry(19, 2, filler(150, 17)), entry(20, 2, filler(90, 18))],
      hardState: { term: 2, vote: "server-2" },
    },
  },
];

const states = [new LogModel()];
for (const call of CALLS) {
  const model = (states.at(-1) as LogModel).copy();
  model.apply(call);
  states.push(model);
}
const WHOLE = printLog((states.at(-1) as LogModel).state);
const WITHOUT_LAST = printLog((states.at(-2) as LogModel).state);

const pristine = new FaultDisk();
await makeCalls(pristine, CALLS);
const FILES = pristine.paths();
const LAST = FILES.at(-1) as string;

function bytesOf(path: string): Uint8Array<ArrayBuffer> {
  const bytes = pristine.file(path);
  assert.ok(bytes !== undefined);
  return bytes.slice();
}

function diskWith(...changes: [path: string, bytes: Uint8Array | null][]): FaultDisk {
  const disk = pristine.copy();
  for (const [path, bytes] of changes) disk.setFile(path, bytes);
  return disk;
}

/** Where records begin in a file, by their own offsets and lengths. */
function recordsOf(path: string): { start: number; end: number }[] {
  return recordsIn(bytesOf(path));
}

function recordsIn(bytes: Uint8Array<ArrayBuffer>): { start: number; end: number }[] {
  const view = new DataView(bytes.buffer);
  const records = [];
  for (let start = 0; start + 16 <= bytes.length && view.getUint32(start + 4, true) > 0;) {
    const end = start + Math.ceil((16 + view.getUint32(start + 4, true) + 4) / 8) * 8;
    records.push({ start, end });
    start = end;
  }
  return records;
}

async function assertDamaged(disk: FaultDisk, what: string, file?: string): Promise<LogDamaged> {
  const before = disk.paths().map((path) => Buffer.from(disk.file(path) as Uint8Array).toString("hex"));
  const error = await openOn(disk).then(
    () => null,
    (caught: unknown) => caught,
  );
  assert.ok(error instanceof LogDamaged, `${what}: ${error === null ? "was not noticed" : String(error)}`);
  assert.equal(error.code, "storage-failed");
  assert.equal(disk.openFiles, 0, `${what}: files were left open`);
  if (file !== undefined) assert.equal(error.file, file, what);
  const after = disk.paths().map((path) => Buffer.from(disk.file(path) as Uint8Array).toString("hex"));
  assert.deepEqual(after, before, `${what}: the damaged log was changed`);
  return error;
}

/** The log as loaded, or "damaged". */
async function outcome(disk: FaultDisk): Promise<string> {
  try {
    return printLog(await loadAndGoOn(disk));
  } catch (error) {
    if (error instanceof LogDamaged) return "damaged";
    throw error;
  }
}

test("log damage: the fixture has several segments and loads", SLOW, async () => {
  assert.ok(FILES.length >= 4, FILES.join(" "));
  assert.ok(recordsOf(LAST).length >= 4, "the last segment has records before its last one");
  assert.ok((await outcome(pristine.copy())) === WHOLE);
});

test("log damage: a last record torn at any byte, the rest never written, is cut", SLOW, async () => {
  const { start, end } = recordsOf(LAST).at(-1) as { start: number; end: number };
  const payloadEnd = start + 16 + new DataView(bytesOf(LAST).buffer).getUint32(start + 4, true);
  for (let at = start; at < end; at += 1) {
    const bytes = bytesOf(LAST);
    bytes.fill(0, at, end);
    // What follows the payload only marks the end of the record.
    const expected = at < payloadEnd ? WITHOUT_LAST : WHOLE;
    const notices: string[] = [];
    const { store, loaded } = await openOn(diskWith([LAST, bytes]), { notice: (text) => notices.push(text) });
    await store.close();
    assert.ok(printLog(loaded) === expected, `torn at ${at - start} of ${end - start}`);
    assert.equal(notices.length, at === start || at >= payloadEnd ? 0 : 1);
    assert.ok((await outcome(diskWith([LAST, bytes]))) === expected);
  }
});

test("log damage: a last record of which any sectors were not written is cut", SLOW, async () => {
  const calls: Call[] = [append(entry(1, 1, "one")), append(entry(2, 1, filler(2500, 2)))];
  const source = new FaultDisk();
  await makeCalls(source, calls, { segmentBytes: 8192, allocateBytes: 4096 });
  const { start, end } = recordsIn(source.file(SEGMENT(1)) as Uint8Array<ArrayBuffer>).at(-1) as {
    start: number;
    end: number;
  };
  const sectors = [];
  for (let at = start; at < end; at = (Math.floor(at / 512) + 1) * 512) sectors.push(at);
  assert.ok(sectors.length >= 5);
  for (let lost = 1; lost < 2 ** sectors.length; lost += 1) {
    const disk = source.copy();
    const bytes = disk.file(SEGMENT(1)) as Uint8Array<ArrayBuffer>;
    sectors.forEach((at, i) => {
      if ((lost >> i) % 2 === 1) bytes.fill(0, at, Math.min(end, (Math.floor(at / 512) + 1) * 512));
    });
    const { loaded, store } = await openOn(disk, { segmentBytes: 8192 });
    await store.close();
    assert.equal(loaded.entries.length, 1, `sectors lost: ${lost.toString(2)}`);
  }
});

test("log damage: of a torn write that was cut nothing is left to confuse the next start", SLOW, async () => {
  // Where the sector of the record's beginning was not written but those with its end were, the next record covers the gap.
  for (let length = 0; length < 520; length += 8) {
    const disk = new FaultDisk();
    const options = { segmentBytes: 8192, allocateBytes: 4096 };
    await makeCalls(disk, [append(entry(1, 1, filler(length, 1))), append(entry(2, 1, filler(1500, 2)))], options);
    const bytes = disk.file(SEGMENT(1)) as Uint8Array<ArrayBuffer>;
    const { start } = recordsIn(bytes).at(-1) as { start: number };
    bytes.fill(0, start, (Math.floor(start / 512) + 1) * 512);
    assert.equal((await loadAndGoOn(disk, options)).entries.length, 1, `an entry of ${length} bytes before it`);
  }
});

test("log damage: a record of another history of the same log is noticed", SLOW, async () => {
  // Two servers' worth of history from one copy of the disk: same salt, same places, other content.
  const options = { segmentBytes: 8192, allocateBytes: 4096 };
  const one = new FaultDisk();
  await makeCalls(one, [append(entry(1))], options);
  const two = one.copy();
  await makeCalls(one, [append(entry(2, 1, "one 2")), append(entry(3, 1, "one 3"))], options);
  await makeCalls(two, [append(entry(2, 1, "two 2")), append(entry(3, 1, "two 3"))], options);
  const records = recordsIn(one.file(SEGMENT(1)) as Uint8Array<ArrayBuffer>);
  const { start, end } = records.at(-2) as { start: number; end: number };
  const mixed = (one.file(SEGMENT(1)) as Uint8Array).slice();
  mixed.set((two.file(SEGMENT(1)) as Uint8Array).subarray(start, end), start);
  one.setFile(SEGMENT(1), mixed);
  const error = await assertDamaged(one, "a record of another history", SEGMENT(1));
  assert.match(error.message, /does not continue the one before it/);
  assert.equal(error.offset, end);
});

test("log damage: a flipped bit anywhere is noticed or without effect", SLOW, async () => {
  for (const path of FILES) {
    const length = bytesOf(path).length;
    const used = (recordsOf(path).at(-1) as { end: number }).end;
    for (let at = 0; at < length; at += at < used ? 1 : 37) {
      const bytes = bytesOf(path);
      bytes[at] = (bytes[at] as number) ^ (1 << (at % 8));
      const found = await outcome(diskWith([path, bytes]));
      assert.ok(found === "damaged" || found === WHOLE, `bit ${at % 8} of byte ${at} of ${path} went unnoticed`);
      const isContent = recordsOf(path).some(({ start, end }) => at >= start && at < end - 4);
      if (isContent) assert.equal(found, "damaged", `byte ${at} of ${path}`);
    }
  }
});

test("log damage: a record made zero or garbage, with good ones after it, is no torn tail", SLOW, async () => {
  for (const path of FILES) {
    const records = recordsOf(path);
    for (const [i, { start, end }] of records.entries()) {
      if (path === LAST && i === records.length - 1) continue;
      for (const value of [0, 0xa5]) {
        const bytes = bytesOf(path);
        bytes.fill(value, start, end);
        const error = await assertDamaged(diskWith([path, bytes]), `record ${i} of ${path} is ${value}`, path);
        assert.equal(error.offset, i === 0 ? 0 : start);
        assert.match(
          error.message,
          new RegExp(`${path}, offset ${error.offset}: .*Nothing was changed.*restore a snapshot`),
        );
      }
    }
  }
});

test("log damage: a missing segment is named", SLOW, async () => {
  for (const [i, path] of FILES.entries()) {
    const error = await assertDamaged(diskWith([path, null]), `without ${path}`);
    // Without the first ones the next is named, which says what it wants before it.
    if (i > 0) assert.equal(error.file, path);
    assert.match(error.message, i === 0 ? /entries 1 to \d+, are missing/ : /the file is missing/);
  }
});

test("log damage: segments that changed places are noticed", SLOW, async () => {
  for (let a = 0; a < FILES.length; a += 1) {
    for (let b = a + 1; b < FILES.length; b += 1) {
      const [one, two] = [FILES[a] as string, FILES[b] as string];
      const error = await assertDamaged(diskWith([one, bytesOf(two)], [two, bytesOf(one)]), `${one} and ${two}`, one);
      assert.match(error.message, /holds what belongs in/);
    }
  }
});

test("log damage: an older copy of a segment that others follow is noticed", SLOW, async () => {
  // What each file was like after each call.
  const disk = new FaultDisk();
  const copies = new Map<string, Uint8Array[]>();
  for (const call of CALLS) {
    await makeCalls(disk, [call]);
    for (const path of disk.paths())
      copies.set(path, [...(copies.get(path) ?? []), (disk.file(path) as Uint8Array).slice()]);
  }
  const final = disk.copy();
  let tried = 0;
  for (const path of disk.paths().slice(0, -1)) {
    for (const copy of copies.get(path) ?? []) {
      if (Buffer.compare(copy, final.file(path) as Uint8Array) === 0) continue;
      const aged = final.copy();
      aged.setFile(path, copy);
      await assertDamaged(aged, `an old copy of ${path}`, path);
      tried += 1;
    }
  }
  assert.ok(tried > 10);
});

test(
  "log damage: a segment of another log is noticed, and so is one with a header of another log's",
  SLOW,
  async () => {
    const other = new FaultDisk();
    await makeCalls(other, CALLS);
    for (const path of FILES) {
      const foreign = (other.file(path) as Uint8Array).slice();
      await assertDamaged(diskWith([path, foreign]), `${path} of another log`);
      const mixed = bytesOf(path);
      mixed.set(foreign.subarray(0, (recordsOf(path)[0] as { end: number }).end));
      await assertDamaged(diskWith([path, mixed]), `${path} with the header of another log`);
    }
  },
);

test("log damage: a file cut short is noticed, unless nothing but spare zeros went", SLOW, async () => {
  for (const path of FILES) {
    const length = bytesOf(path).length;
    for (let to = 0; to < length; to += 1) {
      const { end } = recordsOf(path).at(-1) as { end: number };
      const found = await outcome(diskWith([path, bytesOf(path).subarray(0, to)]));
      assert.ok(found === "damaged" || found === WHOLE, `${path} cut to ${to}`);
      if (to < end) assert.equal(found, "damaged", `${path} cut to ${to}`);
    }
  }
});

test(
  "log damage: what a user wrote cannot pass for a record, so it does not turn a torn write into damage",
  SLOW,
  async () => {
    // A value that holds records for the very offsets where it lies, by someone who knows everything but the log's salt.
    const { end } = recordsOf(LAST).at(-1) as { end: number };
    const key = recordKey(new Uint8Array(8), FILES.length);
    const value = new Uint8Array(3000).fill(7);
    const valueAt = end + 16 + 13 + 13;
    for (let offset = Math.ceil(valueAt / 8) * 8; offset + 64 <= valueAt + value.length; offset += 64) {
      encodeRecord(value.subarray(offset - valueAt), [{ type: "reset", index: 1, term: 1 }], {
        offset,
        previous: 0,
        key,
      });
    }
    const disk = pristine.copy();
    await makeCalls(disk, [append(entry(21, 2, value))], { segmentBytes: 1024 * 1024 });
    const torn = disk.file(LAST) as Uint8Array;
    assert.ok(torn[valueAt + 2500] !== 0, "the value is where it was thought to be");
    torn.fill(0, valueAt + 2500);
    assert.ok((await outcome(disk)) === WHOLE);
  },
);

test("log damage: a newer format is refused with another error than damage", SLOW, async () => {
  const salt = new Uint8Array(8).fill(3);
  const state = { hardState: null, base: { index: 0, term: 0 }, last: 0 };
  const { bytes } = encodeHeader({ salt, sequence: 1, previousBytes: 0, state }, 0);
  bytes[23] = 2;
  const crc = crc32c(bytes, recordKey(salt, 1).seed, 4, bytes.length - 4);
  new DataView(bytes.buffer).setUint32(0, crc, true);
  const disk = new FaultDisk();
  const file = new Uint8Array(1024);
  file.set(bytes);
  disk.setFile(SEGMENT(1), file);
  await assert.rejects(
    openOn(disk),
    (error) => error instanceof OperationalError && error.code === "unsupported" && /newer version/.test(error.message),
  );
});

test("log damage: a file that cannot be read stops with its name", SLOW, async () => {
  for (const path of FILES) {
    const disk = pristine.copy();
    disk.before = (kind, at) => {
      if (kind === "read" && at === path) throw Object.assign(new Error("EIO: i/o error, read"), { code: "EIO" });
    };
    await assert.rejects(
      openOn(disk),
      (error) => error instanceof OperationalError && error.code === "storage-failed" && error.message.includes(path),
    );
    assert.equal(disk.openFiles, 0);
  }
});
