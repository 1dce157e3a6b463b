// Measures the stores of the Raft log on the runtime that executes it, and prints one line of JSON. Run by `main.ts`.
import fs from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { type FileSystem, nodeFileSystem, type OpenFile } from "../../runtimes/node/file-system.ts";
import { openLogStore } from "../../runtimes/node/log-store.ts";
import type { LogStore } from "../../src/platform.ts";
import type { Entry } from "../../src/raft/types.ts";
import { SqliteLogStore } from "./sqlite-log-store.ts";

export interface Measured {
  store: string;
  /** Entries a second, and for one at a time the median and the 99th percentile of a call in ms. */
  single: number;
  singleP50Ms: number;
  singleP99Ms: number;
  batch10: number;
  batch100: number;
  /** 64 callers, each with its next entry when the last is durable, and 20 µs of other work for each. */
  callers64: number;
  /** Milliseconds to open and load 100,000 entries; null where nothing can be loaded. */
  load100kMs: number | null;
}

const DATA = new Uint8Array(300).map((_, i) => (i * 37) & 255);

type Open = (dir: string) => Promise<LogStore>;

/** The real file system, with every write and sync done before the call returns: nothing else runs meanwhile. */
const onLoop: FileSystem = {
  ...nodeFileSystem,
  open: async (path, mode) => {
    const fd = fs.openSync(path, mode === "read" ? "r" : mode === "write" ? "r+" : "w+");
    return {
      ...fileOf(fd),
      write: async (bytes, position) => fs.writeSync(fd, bytes, 0, bytes.length, position),
      datasync: async () => fs.fdatasyncSync(fd),
    };
  },
};

/** The real file system, with small writes too done by another thread. */
const offLoop: FileSystem = {
  ...nodeFileSystem,
  open: async (path, mode) => fileOf(fs.openSync(path, mode === "read" ? "r" : mode === "write" ? "r+" : "w+")),
};

function fileOf(fd: number): OpenFile {
  return {
    size: async () => fs.fstatSync(fd).size,
    read: async (into, position) => fs.readSync(fd, into, 0, into.length, position),
    write: (bytes, position) =>
      new Promise((resolve, reject) =>
        fs.write(fd, bytes, 0, bytes.length, position, (error, count) => (error ? reject(error) : resolve(count))),
      ),
    datasync: () => new Promise((resolve, reject) => fs.fdatasync(fd, (error) => (error ? reject(error) : resolve()))),
    close: async () => fs.closeSync(fd),
  };
}

/** The simplest thing that could be measured: an append, which makes the file longer, and a sync. */
class RawFile implements LogStore {
  readonly #fd: number;
  #position = 0;

  constructor(path: string) {
    this.#fd = fs.openSync(path, "w");
  }

  async load(): ReturnType<LogStore["load"]> {
    return { hardState: null, base: { index: 0, term: 0 }, entries: [] };
  }

  append({ entries }: Parameters<LogStore["append"]>[0]): void {
    const bytes = new Uint8Array(entries.length * 320);
    let at = 0;
    for (const { data } of entries) {
      bytes.set(data, at);
      at += 320;
    }
    fs.writeSync(this.#fd, bytes, 0, bytes.length, this.#position);
    this.#position += bytes.length;
    fs.fdatasyncSync(this.#fd);
  }

  compact(): void {}
  reset(): void {}

  async close(): Promise<void> {
    fs.closeSync(this.#fd);
  }
}

const STORES: Record<string, Open> = {
  files: (dir) => openLogStore(dir),
  "files, sync on the loop": (dir) => openLogStore(dir, { fileSystem: onLoop }),
  "files, write off the loop": (dir) => openLogStore(dir, { fileSystem: offLoop }),
  "node:sqlite, WAL, FULL": async (dir) => {
    fs.mkdirSync(dir, { recursive: true });
    return new SqliteLogStore(join(dir, "log.db"));
  },
  "bare file, a sync a call": async (dir) => {
    fs.mkdirSync(dir, { recursive: true });
    return new RawFile(join(dir, "log"));
  },
};

function entries(first: number, count: number): Entry[] {
  return Array.from({ length: count }, (_, i) => ({ index: first + i, term: 1, kind: "command", data: DATA }));
}

class Bench {
  readonly #store: LogStore;
  #next = 1;

  constructor(store: LogStore) {
    this.#store = store;
  }

  async append(count: number): Promise<void> {
    const batch = { entries: entries(this.#next, count), hardState: null };
    this.#next += count;
    await this.#store.append(batch);
  }

  /** Entries a second with batches of `count`, one after the other. */
  async batches(count: number, ms: number): Promise<{ rate: number; tookMs: number[] }> {
    const tookMs: number[] = [];
    const started = performance.now();
    let now = started;
    while (now - started < ms) {
      await this.append(count);
      const then = performance.now();
      tookMs.push(then - now);
      now = then;
    }
    return { rate: (tookMs.length * count * 1000) / (now - started), tookMs: tookMs.sort((a, b) => a - b) };
  }

  async callers(count: number, workMs: number, ms: number): Promise<number> {
    const started = performance.now();
    let done = 0;
    const caller = async (): Promise<void> => {
      while (performance.now() - started < ms) {
        // As a request comes in: by the event loop, and with work of its own.
        await new Promise((resolve) => setImmediate(resolve));
        for (const end = performance.now() + workMs; performance.now() < end;);
        await this.append(1);
        done += 1;
      }
    };
    await Promise.all(Array.from({ length: count }, caller));
    return (done * 1000) / (performance.now() - started);
  }
}

async function measure(name: string, open: Open, parent: string, ms: number): Promise<Measured> {
  const dir = join(parent, name.replaceAll(/[^a-z]/g, "-"));
  const run = async <T>(part: string, use: (bench: Bench) => Promise<T>): Promise<T> => {
    const store = await open(join(dir, part));
    await store.load();
    const bench = new Bench(store);
    await bench.batches(1, ms / 10);
    const result = await use(bench);
    await store.close();
    return result;
  };
  const single = await run("single", (bench) => bench.batches(1, ms));
  const batch10 = await run("ten", (bench) => bench.batches(10, ms));
  const batch100 = await run("hundred", (bench) => bench.batches(100, ms));
  const callers64 = await run("callers", (bench) => bench.callers(64, 0.02, ms));
  const filling = await open(join(dir, "load"));
  await filling.load();
  for (let first = 1; first <= 100_000; first += 100) {
    await filling.append({ entries: entries(first, 100), hardState: null });
  }
  await filling.close();
  const started = performance.now();
  const filled = await open(join(dir, "load"));
  const loaded = await filled.load();
  const load100kMs = performance.now() - started;
  await filled.close();
  fs.rmSync(dir, { recursive: true, force: true });
  return {
    store: name,
    single: single.rate,
    singleP50Ms: single.tookMs[Math.floor(single.tookMs.length / 2)] ?? 0,
    singleP99Ms: single.tookMs[Math.floor(single.tookMs.length * 0.99)] ?? 0,
    batch10: batch10.rate,
    batch100: batch100.rate,
    callers64,
    load100kMs: loaded.entries.length === 100_000 ? load100kMs : null,
  };
}

const [parent = "", name = "", ms = "1000"] = process.argv.slice(2);
const open = STORES[name];
if (open === undefined) console.log(JSON.stringify(Object.keys(STORES)));
else console.log(JSON.stringify(await measure(name, open, parent, Number(ms))));
