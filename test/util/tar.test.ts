import assert from "node:assert/strict";
import { test } from "node:test";
import { OperationalError } from "../../src/types/error.ts";
import type { TarEvent } from "../../src/util/tar.ts";
import { packTar, TarReader, tarHeader, tarPadding, unpackTar } from "../../src/util/tar.ts";

const text = (value: string): Uint8Array => new TextEncoder().encode(value);
const join = (pieces: readonly Uint8Array[]): Uint8Array => {
  const out = new Uint8Array(pieces.reduce((sum, piece) => sum + piece.length, 0));
  let at = 0;
  for (const piece of pieces) {
    out.set(piece, at);
    at += piece.length;
  }
  return out;
};
const refused = (error: unknown): boolean => error instanceof OperationalError && error.code === "invalid-request";

/** A header of any kind, by changing a regular one and its checksum. */
function header(name: string, size: number, change: (block: Uint8Array) => void): Uint8Array {
  const block = tarHeader(name, size);
  change(block);
  block.fill(0x20, 148, 156);
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.set(text(`${sum.toString(8).padStart(6, "0")}\0 `), 148);
  return block;
}
const entry = (head: Uint8Array, body: Uint8Array): Uint8Array[] => [head, body, tarPadding(body.length)];

const files = [
  { name: "meta.json", bytes: text('{"Index":7}') },
  { name: "empty", bytes: new Uint8Array(0) },
  { name: "state.bin", bytes: new Uint8Array(1500).fill(7) },
  { name: "block", bytes: new Uint8Array(512).fill(1) },
];

test("an archive gives back the files it was packed from", () => {
  const found = unpackTar(join(packTar(files)));
  assert.deepEqual([...found.keys()], ["meta.json", "empty", "state.bin", "block"]);
  for (const { name, bytes } of files) assert.deepEqual(found.get(name), bytes);
});

test("an archive is whole blocks and ends with two empty ones", () => {
  const archive = join(packTar(files));
  assert.equal(archive.length % 512, 0);
  assert.ok(archive.subarray(-1024).every((byte) => byte === 0));
});

test("a header is what the ustar format says", () => {
  const block = tarHeader("state.bin", 1500, { mode: 0o640, mtime: 1_700_000_000 });
  const field = (at: number, length: number): string => new TextDecoder().decode(block.subarray(at, at + length));
  assert.equal(block.length, 512);
  assert.equal(field(0, 10), "state.bin\0");
  assert.equal(field(100, 8), "0000640\0");
  assert.equal(field(124, 12), "00000002734\0");
  assert.equal(field(136, 12), "14524770400\0");
  assert.equal(field(257, 8), "ustar\x0000");
  assert.match(field(148, 8), /^[0-7]{6}\0 $/);
});

test("an archive that arrives in pieces of any size is read the same", () => {
  const archive = join(packTar(files));
  for (const step of [1, 7, 511, 512, 513, 4096]) {
    const reader = new TarReader();
    const seen: string[] = [];
    let bytes = 0;
    for (let at = 0; at < archive.length; at += step)
      for (const event of reader.push(archive.subarray(at, at + step))) {
        if (event.type === "data") bytes += event.bytes.length;
        else seen.push(event.type === "entry" ? `${event.entry.name} ${event.entry.size}` : "end");
      }
    reader.end();
    assert.deepEqual(seen, ["meta.json 11", "end", "empty 0", "end", "state.bin 1500", "end", "block 512", "end"]);
    assert.equal(bytes, 11 + 1500 + 512);
  }
});

test("names and sizes of extended headers replace those of the entry", () => {
  const long = `${"d/".repeat(120)}file`;
  const flag = (letter: string) => (block: Uint8Array) => {
    block[156] = letter.charCodeAt(0);
  };
  const record = (key: string, value: string): string => {
    let length = key.length + value.length + 3;
    while (`${length} ${key}=${value}\n`.length !== length) length = `${length} ${key}=${value}\n`.length;
    return `${length} ${key}=${value}\n`;
  };
  const pax = text(record("mtime", "1.5") + record("path", long) + record("size", "3"));
  const gnu = text(`${long}2\0`);
  const archive = join([
    ...entry(header("g", 20, flag("g")), text("20 comment=unheeded\n")),
    ...entry(header("x", pax.length, flag("x")), pax),
    ...entry(tarHeader("short", 0), text("abc")),
    ...entry(header("L", gnu.length, flag("L")), gnu),
    ...entry(tarHeader("short", 2), text("de")),
    ...entry(tarHeader("plain", 1), text("f")),
    ...packTar([]),
  ]);
  const found = [...unpackTar(archive)].map(([name, bytes]) => [name, new TextDecoder().decode(bytes)]);
  assert.deepEqual(found, [
    [long, "abc"],
    [`${long}2`, "de"],
    ["plain", "f"],
  ]);
});

test("prefix, base-256 numbers, directories and links are understood", () => {
  const archive = join([
    header("sub", 0, (block) => {
      block[156] = 0x35;
    }),
    header("link", 40, (block) => {
      block[156] = 0x32;
    }),
    ...entry(
      header("file", 0, (block) => {
        block.set(text("some/folder"), 345);
        block.fill(0, 124, 136);
        block[124] = 0x80;
        block[135] = 2;
      }),
      text("hi"),
    ),
    ...packTar([]),
  ]);
  const events = new TarReader().push(archive);
  const entries = events.filter((event): event is TarEvent & { type: "entry" } => event.type === "entry");
  assert.deepEqual(
    entries.map(({ entry }) => [entry.kind, entry.name, entry.size]),
    [
      ["directory", "sub", 0],
      ["other", "link", 0],
      ["file", "some/folder/file", 2],
    ],
  );
});

test("what is no archive is refused", () => {
  const good = join(packTar(files));
  const flipped = good.slice();
  flipped[3] = 0x7a;
  const bad: [string, Uint8Array][] = [
    ["a text", text("this is no archive at all".repeat(40))],
    ["a header with a wrong checksum", flipped],
    ["less than one block", good.subarray(0, 100)],
    ["an archive cut inside a file", good.subarray(0, 512 * 3 + 700)],
    ["a bad number", join([header("f", 0, (block) => block.set(text("9"), 124)), ...packTar([])])],
    [
      "a damaged extended header",
      join([
        ...entry(
          header("x", 9, (block) => {
            block[156] = 0x78;
          }),
          text("99 path=a"),
        ),
        ...packTar(files),
      ]),
    ],
  ];
  for (const [what, bytes] of bad) assert.throws(() => unpackTar(bytes), refused, what);
});

test("a missing end mark and bytes after it are accepted", () => {
  const whole = join(packTar(files));
  assert.equal(unpackTar(whole.subarray(0, -1024)).size, 4);
  assert.equal(unpackTar(join([whole, text("rest of a tape block")])).size, 4);
});

test("a name or size that no header can hold is refused", () => {
  assert.throws(() => tarHeader("", 1), refused);
  assert.throws(() => tarHeader("n".repeat(101), 1), refused);
  assert.throws(() => tarHeader("n", 8 ** 11), refused);
  assert.throws(() => tarHeader("n", -1), refused);
});
