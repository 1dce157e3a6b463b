import assert from "node:assert/strict";
import { test } from "node:test";
import { FrameWriter } from "../../src/codec/frame.ts";
import { encode } from "../../src/codec/value.ts";
import type { SnapshotRecord } from "../../src/state/snapshot.ts";
import { concat, equal, utf8 } from "../../src/util/bytes.ts";
import { packSnapshotArchive } from "../../src/util/snapshot-archive.ts";
import type { FakeIo } from "./fake-io.ts";
import { run } from "./fake-io.ts";

const kv = (Key: string, bytes: number): SnapshotRecord => ({
  table: "kv",
  record: { Key, Value: new Uint8Array(bytes), Flags: 0, LockIndex: 0, CreateIndex: 3, ModifyIndex: 4 },
});
const records: SnapshotRecord[] = [
  { table: "header", version: 1, index: 13, floor: 0 },
  kv("app/web/port", 100),
  kv("app/web/name", 1000),
  kv("jobs", 10),
  { table: "tombstones", key: "gone", index: 9 },
  { table: "end", records: 5, hash: "0" },
];
const meta = { Version: 1, ID: "2-13-1600000000000", Index: 13, Term: 2 };

function frames(): Uint8Array[] {
  const writer = new FrameWriter();
  const point = { index: 13, term: 2 };
  return [writer.push(encode([point, ...records.slice(0, 2)])), writer.push(encode(records.slice(2))), writer.finish()];
}
async function gzip(bytes: Uint8Array): Promise<Uint8Array> {
  const stream = new Blob([bytes as BlobPart]).stream().pipeThrough(new CompressionStream("gzip"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}
const snapshotOf = (state: Uint8Array[]): Promise<Uint8Array> => gzip(concat(packSnapshotArchive(meta, state, 0)));
const good = await snapshotOf(frames());
const answer = (body: unknown, status = 200) => ({ "GET /v1/snapshot": { status, body } });

test("a snapshot is saved unchanged, readable only by its owner", async () => {
  const { code, out, err, io } = await run("snapshot save -stale s.snap", {
    "GET /v1/snapshot?stale=": { body: good },
  });
  assert.deepEqual([code, out, err], [0, "Saved and verified snapshot to index 13\n", ""]);
  assert.ok(equal(io.files.get("s.snap") ?? new Uint8Array(0), good));
  assert.equal(io.modes.get("s.snap"), 0o600);
});

test("a snapshot that arrives damaged is not saved", async () => {
  const flipped = good.slice();
  const middle = good.length >> 1;
  flipped[middle] = (flipped[middle] ?? 0) ^ 1;
  const cases: [string, Uint8Array | string, RegExp][] = [
    ["cut", good.subarray(0, good.length - 20), /not a snapshot/],
    ["changed", flipped, /not a snapshot/],
    ["no gzip", utf8("this is no snapshot"), /not compressed by gzip/],
    ["another archive", await gzip(utf8("hello")), /unexpected end/],
  ];
  for (const [what, body, why] of cases) {
    const { code, err, io } = await run("snapshot save s.snap", answer(body));
    assert.equal(code, 1, what);
    assert.match(err, /^Error saving snapshot: /, what);
    assert.match(err, why, what);
    assert.equal(io.files.size, 0, what);
  }
});

test("a refused snapshot is an error", async () => {
  const { code, err } = await run("snapshot save s.snap", answer("Permission denied", 403));
  assert.equal(code, 1);
  assert.match(err, /Error saving snapshot: .*Permission denied/);
});

test("facts are added to the file's name", async () => {
  const self = {
    "GET /v1/agent/self": {
      body: { Config: { Version: "1.2.3", Datacenter: "dc1", NodeName: "n1" }, Stats: { raft: { state: "Leader" } } },
    },
  };
  const { io } = await run("snapshot save -append-filename=status,dc,node,version d/s.snap", {
    ...self,
    ...answer(good),
  });
  assert.deepEqual([...io.files.keys()], ["d/s-1.2.3-dc1-n1-leader.snap"]);
  assert.match((await run("snapshot save -append-filename=size s.snap")).err, /Unknown part "size"/);
});

test("a file is restored as it is", async () => {
  const put = { "PUT /v1/snapshot": {} };
  const { code, out, io } = await run("snapshot restore s.snap", put, (fake) => void fake.files.set("s.snap", good));
  assert.deepEqual([code, out], [0, "Restored snapshot\n"]);
  assert.ok(equal(io.agent.asked[0]?.bytes ?? new Uint8Array(0), good));
  const absent = await run("snapshot restore s.snap", put);
  assert.deepEqual([absent.code, absent.lines], [1, []]);
  assert.match(absent.err, /Error opening snapshot file: .*no such file/);
  const bad = await run(
    "snapshot restore s.snap",
    { "PUT /v1/snapshot": { status: 500, body: "no gzip" } },
    (fake) => void fake.files.set("s.snap", utf8("x")),
  );
  assert.equal(bad.code, 1);
  assert.match(bad.err, /Error restoring snapshot: .*no gzip/);
});

test("inspect shows what a file holds", async () => {
  const { code, out, err } = await run(
    "snapshot inspect -kvdetails s.snap",
    {},
    (io) => void io.files.set("s.snap", good),
  );
  assert.deepEqual([code, err], [0, ""]);
  const lines = out.split("\n").map((line) => line.replaceAll(/ {2,}/g, "  "));
  assert.deepEqual(lines.slice(0, 6), [
    " ID  2-13-1600000000000",
    ` Size  ${concat(frames()).length}`,
    " Index  13",
    " Term  2",
    " Version  1",
    "",
  ]);
  assert.deepEqual(lines.map((line) => line.replace(/ [\d.]+K?B$/, " <size>")).slice(6), [
    " Type  Count  Size",
    " ----  ----  ----",
    " KVS  3  <size>",
    " Tombstone  1  <size>",
    " ----  ----  ----",
    " Total  <size>",
    "",
    " Key Name  Count  Size",
    " ----  ----  ----",
    " app/web  2  <size>",
    " jobs  1  <size>",
    " ----  ----  ----",
    " Total  <size>",
    "",
  ]);
});

test("inspect in JSON counts and filters", async () => {
  const { out } = await run(
    "snapshot inspect -format=json -kvdetails -kvdepth=3 -kvfilter=app s.snap",
    {},
    (io) => void io.files.set("s.snap", good),
  );
  const report = JSON.parse(out) as {
    Meta: object;
    Stats: { Name: string; Count: number; Sum: number }[];
    StatsKV: { Name: string }[];
    TotalCountKV: number;
    TotalSize: number;
  };
  assert.deepEqual(report.Meta, { ID: meta.ID, Size: concat(frames()).length, Index: 13, Term: 2, Version: 1 });
  assert.deepEqual(
    report.Stats.map(({ Name, Count }) => [Name, Count]),
    [
      ["KVS", 3],
      ["Tombstone", 1],
    ],
  );
  assert.equal(
    report.TotalSize,
    report.Stats.reduce((sum, { Sum }) => sum + Sum, 0),
  );
  assert.deepEqual(
    report.StatsKV.map(({ Name }) => Name),
    ["app/web/name", "app/web/port"],
  );
  assert.equal(report.TotalCountKV, 2);
});

test("a file with another program's records is shown without them", async () => {
  const foreign = await snapshotOf([utf8("\x84\xa5"), utf8("msgpack records")]);
  const { code, out, err } = await run("snapshot inspect s.snap", {}, (io) => void io.files.set("s.snap", foreign));
  assert.equal(code, 0);
  assert.match(out, /^ ID .*\n Size .*\n Index .*\n Term .*\n Version .*\n$/);
  assert.match(err, /Another program wrote the records/);
  assert.equal((await run("snapshot decode s.snap", {}, (io) => void io.files.set("s.snap", foreign))).code, 1);
});

test("inspect and decode refuse what is no snapshot", async () => {
  const torn = await snapshotOf(frames().slice(0, 2));
  for (const line of ["snapshot inspect s.snap", "snapshot decode s.snap"])
    for (const bytes of [utf8("this is no snapshot"), good.subarray(0, 100), torn]) {
      const { code, err } = await run(line, {}, (io) => void io.files.set("s.snap", bytes));
      assert.equal(code, 1);
      assert.match(err, /^Error (reading|decoding) snapshot: /);
    }
});

test("decode prints every record", async () => {
  const { code, out } = await run("snapshot decode s.snap", {}, (io) => void io.files.set("s.snap", good));
  assert.equal(code, 0);
  const tables = out
    .trim()
    .split("\n")
    .map((line) => (JSON.parse(line) as SnapshotRecord).table);
  assert.deepEqual(
    tables,
    records.map(({ table }) => table),
  );
});

test("a file must be named", async () => {
  for (const command of ["save", "restore", "inspect", "decode"]) {
    const { code, err } = await run(`snapshot ${command}`);
    assert.equal(code, 1);
    assert.match(err, /Missing FILE argument/);
  }
});

/** Places by URL, as a runtime gives them. */
function withPlaces(places: Map<string, Uint8Array>, alter = (bytes: Uint8Array): Uint8Array => bytes) {
  return (io: FakeIo): void => {
    io.storage = async (url) => ({
      get: async (name) => places.get(`${url} ${name}`) ?? null,
      set: async (name, bytes) => void places.set(`${url} ${name}`, alter(bytes)),
    });
  };
}

test("a snapshot goes to the place that a URL names, and is inspected and restored from there", async () => {
  const places = new Map<string, Uint8Array>();
  const url = "s3://bucket/consul/prod.snap?region=eu";
  const saved = await run(`snapshot save ${url}`, answer(good), withPlaces(places));
  assert.deepEqual([saved.code, saved.out, saved.err], [0, "Saved and verified snapshot to index 13\n", ""]);
  assert.deepEqual([...places.keys()], ["s3://bucket/consul?region=eu prod.snap"]);
  assert.equal(saved.io.files.size, 0);
  const inspected = await run(`snapshot inspect ${url}`, {}, withPlaces(places));
  assert.match(inspected.out, /Index +13/);
  const restored = await run(`snapshot restore ${url}`, { "PUT /v1/snapshot": "" }, withPlaces(places));
  assert.equal(restored.code, 0, restored.err);
  assert.ok(equal(restored.io.agent.asked[0]?.bytes ?? new Uint8Array(0), good));
});

test("a place that loses bytes, has none, or is not there is an error", async () => {
  const cut = withPlaces(new Map(), (bytes) => bytes.subarray(1));
  const lost = await run("snapshot save redis://host:6379/0/s.snap", answer(good), cut);
  assert.match(lost.err, /what is stored is not what was written/);
  const none = await run("snapshot restore https://host/a/s.snap", {}, withPlaces(new Map()));
  assert.match(none.err, /no such snapshot/);
  const unnamed = await run("snapshot save s3://bucket/", answer(good), withPlaces(new Map()));
  assert.match(unnamed.err, /names no snapshot/);
  const unable = await run("snapshot save s3://bucket/s.snap", answer(good));
  assert.match(unable.err, /no storage by URL/);
  for (const { code } of [lost, none, unnamed, unable]) assert.equal(code, 1);
});

test("a file: URL is a file, written as any other", async () => {
  const { code, io } = await run("snapshot save file:///var/back%20up/s.snap", answer(good));
  assert.equal(code, 0);
  assert.deepEqual([...io.files.keys()], ["/var/back up/s.snap"]);
  assert.equal(io.modes.get("/var/back up/s.snap"), 0o600);
});
