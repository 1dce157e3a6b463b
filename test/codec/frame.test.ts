import assert from "node:assert/strict";
import { test } from "node:test";
import { FrameReader, FrameWriter, framePayloadBytesMax } from "../../src/codec/frame.ts";
import { OperationalError } from "../../src/types/error.ts";
import { AssertionError } from "../../src/util/assert.ts";
import { concat, hex, utf8 } from "../../src/util/bytes.ts";
import { Random } from "../../src/util/random.ts";

function written(payloads: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const writer = new FrameWriter();
  return concat([...payloads.map((payload) => writer.push(payload)), writer.finish()]);
}

/** The payloads of a stream given in pieces of `size` bytes. */
function read(stream: Uint8Array, size: number): Uint8Array[] {
  const reader = new FrameReader();
  const payloads: Uint8Array[] = [];
  for (let at = 0; at < stream.length; at += size) payloads.push(...reader.push(stream.subarray(at, at + size)));
  reader.finish();
  return payloads;
}

const payloads = [utf8("first"), utf8(""), new Uint8Array(1000).fill(7), utf8("last")];

test("frames: payloads come back, whatever the pieces", () => {
  const stream = written(payloads);
  for (const size of [1, 2, 3, 7, 8, 9, 100, 1013, stream.length]) {
    assert.deepEqual(read(stream, size).map(hex), payloads.map(hex), String(size));
  }
  assert.deepEqual(read(written([]), 5), []);
});

test("frames: the form is the documented one", () => {
  assert.equal(
    hex(written([utf8("123456789")])),
    "5043534e41500001" +
      "00000009e3069283313233343536373839" + // the check value of CRC-32C
      "ffffffff" +
      hex(written([utf8("123456789")]).subarray(29, 33)) +
      "0000000000000001" +
      "15e2b0d3c33891ebb0f1ef609ec419420c20e320ce94c65fbc8c3312448eb225",
  );
});

const isDamage = (error: unknown): boolean => error instanceof OperationalError && error.code === "invalid-request";

test("frames: a stream cut anywhere is told", () => {
  const stream = written(payloads);
  for (let length = 0; length < stream.length; length += length > 60 && length < 1000 ? 97 : 1) {
    assert.throws(() => read(stream.subarray(0, length), 64), isDamage, String(length));
  }
  const reader = new FrameReader();
  reader.push(stream.subarray(0, 8 + 13 + 8 + 20));
  assert.equal(reader.count, 2);
  assert.throws(() => reader.finish(), { message: "the snapshot is damaged: it is cut after 2 whole frames" });
});

test("frames: a changed bit anywhere is told", () => {
  const stream = written(payloads);
  const random = new Random(3);
  for (let at = 0; at < stream.length; at += 1) {
    const changed = stream.slice();
    changed[at]! ^= 1 << random.below(8);
    assert.throws(() => read(changed, 1 + random.below(200)), isDamage, String(at));
  }
});

test("frames: the messages say what is wrong and where", () => {
  const stream = written(payloads);
  const change = (at: number, value: number): Uint8Array => {
    const changed = stream.slice();
    changed[at] = value;
    return changed;
  };
  const table: readonly [Uint8Array, string][] = [
    [utf8("PK\u0003\u0004 some other file"), "not a snapshot: it does not start like one"],
    [change(7, 9), "snapshot version 9 is unknown here"],
    [change(16, 0), "the snapshot is damaged: the checksum of frame 1 differs"],
    [change(8, 0x7f), "the snapshot is damaged: frame 1 claims 2130706437 bytes"],
    [change(stream.length - 1, stream.at(-1)! ^ 1), "the snapshot is damaged: the checksum of its trailer differs"],
    [concat([stream, utf8("x")]), "the snapshot is damaged: bytes follow its end"],
    [stream.subarray(0, 3), "the snapshot is damaged: it is cut within its header"],
  ];
  for (const [bytes, message] of table) assert.throws(() => read(bytes, bytes.length), { message });
});

test("frames: a frame left out, doubled or moved is told by the trailer", () => {
  const writer = new FrameWriter();
  const [a, b, c] = [writer.push(utf8("aa")), writer.push(utf8("bb")), writer.push(utf8("cc"))];
  const end = writer.finish();
  assert.equal(read(concat([a, b, c, end]), 11).length, 3);
  assert.throws(() => read(concat([a, c, end]), 11), { message: "the snapshot is damaged: it holds 2 frames of 3" });
  assert.throws(() => read(concat([a, b, b, c, end]), 11), {
    message: "the snapshot is damaged: it holds 4 frames of 3",
  });
  assert.throws(() => read(concat([a, c, b, end]), 11), { message: "the snapshot is damaged: its SHA-256 differs" });
});

test("FrameWriter: misuse is a failed assertion", () => {
  const writer = new FrameWriter();
  assert.throws(() => writer.push(new Uint8Array(framePayloadBytesMax + 1)), AssertionError);
  writer.finish();
  assert.throws(() => writer.push(utf8("x")), AssertionError);
  assert.throws(() => writer.finish(), AssertionError);
});
