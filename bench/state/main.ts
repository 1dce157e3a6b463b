// Measures the replicated store: the ordered map alone, then the store with keys of 200 bytes, a snapshot read beside
// writes, a restore, the catalog, and the watches. One process, one thread, no I/O.
//   node --expose-gc bench/state/main.ts [keys, 1000000 unless told]      (bun and deno run it too)

import process from "node:process";
import { createOrderedMap } from "../../src/state/ordered-map.ts";
import { StateStore } from "../../src/state/store.ts";
import { Watches } from "../../src/state/watch.ts";
import { allocate } from "../../src/util/slab.ts";
import type { Unindexed } from "../../src/state/command.ts";
import type { HealthCheck, Node, NodeService } from "../../src/types/records.ts";

const keyCount = Number(process.argv[2] ?? 1_000_000);
const VALUE_BYTES = 200;
const rows: [what: string, result: string, unit: string][] = [];

/**
 * Times `run`, which does `count` of something, and notes the rate, and the processor's time for one (the collector's
 * threads too): on a machine that is shared, the second says more.
 */
function rate(what: string, count: number, run: () => void): void {
  const start = performance.now();
  const cpuBefore = process.cpuUsage();
  run();
  const cpu = process.cpuUsage(cpuBefore);
  const ms = performance.now() - start;
  const each = ((cpu.user + cpu.system) / count).toFixed(2);
  rows.push([
    what,
    Math.round((count / ms) * 1000).toLocaleString("en"),
    `a second  ${each.padStart(10)} µs of processor`,
  ]);
}

function note(what: string, value: number, unit: string): void {
  rows.push([what, value.toLocaleString("en", { maximumFractionDigits: 1 }), unit]);
}

/** Bytes of heap and of array buffers in use, after a collection where the runtime lets us ask for one. */
function usedBytes(): number {
  const collect = (globalThis as { gc?: () => void }).gc;
  collect?.();
  collect?.();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}

/** Keys as they come off the wire: flat strings, in no order. */
function makeKeys(count: number): string[] {
  const keys: string[] = [];
  for (let i = 0; i < count; i++) {
    keys.push(`app/${(i * 7919) % 1000}/service/key-${((i * 2654435761) % 2 ** 32).toString(36)}`);
  }
  return JSON.parse(JSON.stringify(keys)) as string[];
}

function benchMap(keys: string[]): void {
  const map = createOrderedMap<{ weight: number }>(({ weight }) => weight);
  const values = keys.map((_, weight) => ({ weight }));
  const before = usedBytes();
  rate("map: load", keys.length, () => {
    for (let i = 0; i < keys.length; i++) map.set(keys[i]!, values[i]!);
  });
  note("map: overhead of a key", (usedBytes() - before) / keys.length, "bytes");
  rate("map: get", keys.length, () => {
    for (let i = 0; i < keys.length; i++) map.get(keys[(i * 31) % keys.length]!);
  });
  rate("map: update", keys.length, () => {
    for (let i = 0; i < keys.length; i++) map.set(keys[(i * 31) % keys.length]!, { weight: keys.length + i });
  });
  const few = Math.ceil(keys.length / 10);
  rate("map: update, with a snapshot before each", few, () => {
    for (let i = 0; i < few; i++) {
      map.snapshot();
      map.set(keys[(i * 31) % keys.length]!, { weight: keys.length * 2 + i });
    }
  });
}

function benchKeys(keys: string[]): void {
  const store = new StateStore();
  let index = 1;
  const before = usedBytes();
  const put = (i: number, fill: number): void => {
    // As the codec makes them: cut from slabs.
    const value = allocate(VALUE_BYTES).fill(fill);
    store.apply(++index, { type: "kv.set", key: keys[i]!, value, flags: 0 });
  };
  rate(`kv: load, values of ${VALUE_BYTES} bytes`, keys.length, () => {
    for (let i = 0; i < keys.length; i++) put(i, i & 255);
  });
  note("kv: memory of a key and its value", (usedBytes() - before) / keys.length, "bytes");
  rate("kv: get", keys.length, () => {
    for (let i = 0; i < keys.length; i++) store.kvGet(keys[(i * 31) % keys.length]!);
  });
  rate("kv: update", keys.length, () => {
    for (let i = 0; i < keys.length; i++) put((i * 31) % keys.length, (i + 1) & 255);
  });
  const lists = 2000;
  rate("kv: list of a folder", lists, () => {
    for (let i = 0; i < lists; i++) store.kvList(`app/${i % 1000}/`);
  });
  note("kv: entries in a listed folder", store.kvList("app/1/").value.length, "");
  rate("kv: keys by /, of a root with 1,000 folders", 100, () => {
    for (let i = 0; i < 100; i++) store.kvKeys("app/", "/");
  });
  rate("kv: index of a prefix", 200_000, () => {
    for (let i = 0; i < 200_000; i++) store.topicIndex(`kv-prefix:app/${i % 1000}/`);
  });
  benchSnapshot(store, keys.length, () => put(index % keys.length, index & 255));
  rate("kv: delete and set again", Math.ceil(keys.length / 10), () => {
    for (let i = 0; i < keys.length / 10; i++) {
      store.apply(++index, { type: "kv.delete", key: keys[i]! });
      put(i, 1);
    }
  });
}

/** Reads a snapshot in slices, with writes between them, and restores from it. */
function benchSnapshot(store: StateStore, count: number, write: () => void): void {
  const start = performance.now();
  const snapshot = store.snapshot();
  note("snapshot: to take", performance.now() - start, "ms");
  let writes = 0;
  let writeMs = 0;
  let seen = 0;
  const begin = performance.now();
  for (const record of snapshot.records()) {
    if (record.table === "kv") seen++;
    if (seen % 1000 !== 0) continue;
    const before = performance.now();
    for (let i = 0; i < 100; i++) write();
    writeMs += performance.now() - before;
    writes += 100;
  }
  const readMs = performance.now() - begin - writeMs;
  rows.push(["snapshot: records read", Math.round((seen / readMs) * 1000).toLocaleString("en"), "a second"]);
  rows.push(["snapshot: writes beside it", Math.round((writes / writeMs) * 1000).toLocaleString("en"), "a second"]);
  const records = [...store.snapshot().records()];
  rate("snapshot: records restored", count, () => {
    StateStore.restore(records);
  });
}

function node(name: string): Unindexed<Node> {
  return { ID: "", Node: name, Address: "10.0.0.1", Datacenter: "dc1", TaggedAddresses: null, Meta: null };
}
function service(name: string, port: number): Unindexed<NodeService> {
  return {
    Node: "",
    Kind: "",
    ID: name,
    Service: name,
    Tags: ["v1"],
    Address: "",
    TaggedAddresses: null,
    Meta: null,
    Port: port,
    Ports: null,
    SocketPath: "",
    Weights: { Passing: 1, Warning: 1 },
    EnableTagOverride: false,
    Proxy: {},
    Connect: {},
    Locality: null,
    PeerName: "",
  };
}
function check(id: string, serviceId: string): Unindexed<HealthCheck> {
  return {
    Node: "",
    CheckID: id,
    Name: id,
    Status: "passing",
    Notes: "",
    Output: "",
    ServiceID: serviceId,
    ServiceName: "",
    ServiceTags: [],
    Type: "",
    Interval: "",
    Timeout: "",
    ExposedPort: 0,
    Definition: {},
  };
}

/** 1,000 nodes with 5 of 250 services each, 20 instances of each service, each with a check, and a check a node. */
function benchCatalog(): void {
  const store = new StateStore();
  let index = 1;
  const register = (i: number, port: number): void => {
    const name = `service-${i % 250}`;
    store.apply(++index, {
      type: "catalog.register",
      node: node(`node-${Math.floor(i / 5)}`),
      service: service(name, port),
      checks: [check(`service:${name}`, name), check("serfHealth", "")],
      skipNodeUpdate: false,
    });
  };
  const before = usedBytes();
  rate("catalog: register a service and its check", 5000, () => {
    for (let i = 0; i < 5000; i++) register(i, 80);
  });
  note("catalog: memory of an instance and its check", (usedBytes() - before) / 5000, "bytes");
  rate("catalog: the same again", 5000, () => {
    for (let i = 0; i < 5000; i++) register(i, 80);
  });
  rate("catalog: with another port", 5000, () => {
    for (let i = 0; i < 5000; i++) register(i, 81);
  });
  rate("catalog: health of 20 instances", 20_000, () => {
    for (let i = 0; i < 20_000; i++) store.healthService(`service-${i % 250}`);
  });
  rate("catalog: names of 250 services", 5000, () => {
    for (let i = 0; i < 5000; i++) store.services();
  });
}

function benchWatches(): void {
  const watches = new Watches();
  const wake = (): void => undefined;
  rate("watches: add, on one topic", 10_000, () => {
    for (let i = 0; i < 10_000; i++) watches.add(["service:web"], 0, wake);
  });
  rate("watches: wake, all on one topic", 10_000, () => watches.notify(["service:web"], 1));
  const before = usedBytes();
  rate("watches: add, each on a key of its own", 100_000, () => {
    for (let i = 0; i < 100_000; i++) watches.add([`kv:some/key/${i}`], 0, wake);
  });
  note("watches: memory of a waiter on a topic of its own", (usedBytes() - before) / 100_000, "bytes");
  rate("watches: notify one key among them", 100_000, () => {
    for (let i = 0; i < 100_000; i++) watches.notify([`kv:some/key/${i}`], 1);
  });
}

const keys = makeKeys(keyCount);
benchMap(keys);
benchKeys(keys);
benchCatalog();
benchWatches();
const width = Math.max(...rows.map(([what]) => what.length));
const report = rows.map(([what, result, unit]) => `${what.padEnd(width)}  ${result.padStart(12)}  ${unit}`);
process.stdout.write(`${keyCount.toLocaleString("en")} keys\n${report.join("\n")}\n`);
