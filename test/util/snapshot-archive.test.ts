import assert from "node:assert/strict";
import { test } from "node:test";
import { sha256 } from "@noble/hashes/sha2.js";
import { OperationalError } from "../../src/types/error.ts";
import { concat, equal, hex, utf8 } from "../../src/util/bytes.ts";
import { packSnapshotArchive, SnapshotArchiveReader } from "../../src/util/snapshot-archive.ts";
import { packTar, unpackTar } from "../../src/util/tar.ts";

const meta = { Version: 1, ID: "2-13-1600000000000", Index: 13, Term: 2 };
const state = [utf8("first "), new Uint8Array(3000).fill(5), utf8("last")];
const archive = concat(packSnapshotArchive(meta, state, 1_700_000_000));

const readAll = (bytes: Uint8Array, step = bytes.length): { meta: unknown; state: Uint8Array } => {
  const reader = new SnapshotArchiveReader();
  const pieces: Uint8Array[] = [];
  for (let at = 0; at < bytes.length; at += step) pieces.push(...reader.push(bytes.subarray(at, at + step)));
  return { meta: reader.finish(), state: concat(pieces) };
};

test("a packed archive is read back, whatever the pieces", () => {
  for (const step of [archive.length, 1, 513]) {
    const found = readAll(archive, step);
    assert.deepEqual(found.meta, { ...meta, Size: 3010 });
    assert.ok(equal(found.state, concat(state)));
  }
});

test("an archive holds Consul's three files and sums that sha256sum can check", () => {
  const files = unpackTar(archive);
  assert.deepEqual([...files.keys()], ["meta.json", "state.bin", "SHA256SUMS"]);
  const line = (name: string): string => `${hex(sha256(files.get(name) ?? new Uint8Array(0)))}  ${name}\n`;
  const sums = new TextDecoder().decode(files.get("SHA256SUMS"));
  assert.equal(sums, line("meta.json") + line("state.bin"));
});

test("what is damaged, incomplete or foreign is refused", () => {
  const files = (changes: Record<string, string | null>): Uint8Array => {
    const all = new Map([...unpackTar(archive)].map(([name, bytes]) => [name, bytes]));
    for (const [name, content] of Object.entries(changes)) {
      if (content === null) all.delete(name);
      else all.set(name, utf8(content));
    }
    return concat(packTar([...all].map(([name, bytes]) => ({ name, bytes }))));
  };
  const sum = (content: string): string => hex(sha256(utf8(content)));
  const cases: [string, Uint8Array, RegExp][] = [
    ["a text", utf8("this is no snapshot"), /unexpected end/],
    ["a changed state", files({ "state.bin": "other" }), /checksum of state.bin/],
    ["a changed meta.json", files({ "meta.json": '{"Index":1}' }), /checksum of meta.json/],
    ["no state", files({ "state.bin": null }), /no state.bin/],
    ["no meta.json", files({ "meta.json": null }), /no meta.json/],
    ["no sums", files({ SHA256SUMS: null }), /no SHA256SUMS/],
    ["sums without the state", files({ SHA256SUMS: `${sum("x")}  meta.json\n` }), /checksum/],
    ["sums that are none", files({ SHA256SUMS: "hello" }), /bad line/],
    ["another file", files({ "../evil": "x" }), /unexpected file/],
    [
      "a meta.json that says nothing",
      files({ "meta.json": "{}", "state.bin": "s", SHA256SUMS: `${sum("{}")}  meta.json\n${sum("s")}  state.bin\n` }),
      /lacks index/,
    ],
  ];
  for (const [what, bytes, why] of cases)
    assert.throws(
      () => readAll(bytes),
      (error: unknown) =>
        error instanceof OperationalError && error.code === "invalid-request" && why.test(error.message),
      what,
    );
});
