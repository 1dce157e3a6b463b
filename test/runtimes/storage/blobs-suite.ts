// What every `Blobs` has to do, as tests: call `blobsSuite` with a way to open some. The contract is in `src/platform.ts`.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Blobs } from "../../../src/platform.ts";
import { OperationalError } from "../../../src/types/error.ts";
import { AssertionError } from "../../../src/util/assert.ts";

export interface BlobsPlace {
  /** The blobs that were left by those before. */
  open(): Promise<Blobs>;
  remove(): Promise<void>;
}

const bytes = (text: string): Uint8Array<ArrayBuffer> => new TextEncoder().encode(text);

async function readText(blobs: Blobs, name: string): Promise<string | null> {
  const found = await blobs.read(name);
  return found === null ? null : new TextDecoder().decode(found);
}

async function collect(pieces: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const all: Uint8Array[] = [];
  for await (const piece of pieces) all.push(piece);
  return Buffer.concat(all);
}

/** Adds the tests, each with a place of its own. */
export function blobsSuite(name: string, makePlace: () => Promise<BlobsPlace>): void {
  const suiteTest = (title: string, run: (blobs: Blobs, place: BlobsPlace) => Promise<void>): void => {
    test(`${name}: ${title}`, async () => {
      const place = await makePlace();
      try {
        await run(await place.open(), place);
      } finally {
        await place.remove();
      }
    });
  };

  suiteTest("what is not there is null, and deleting it is no error", async (blobs) => {
    assert.equal(await blobs.read("node-id"), null);
    assert.equal(await blobs.open("node-id"), null);
    assert.deepEqual(await blobs.list(""), []);
    await blobs.delete("node-id");
  });

  suiteTest("what was written is read, also after reopening, until it is replaced or deleted", async (blobs, place) => {
    await blobs.write("node-id", bytes("one"));
    assert.equal(await readText(blobs, "node-id"), "one");
    await blobs.write("node-id", bytes("the second, longer"));
    assert.equal(await readText(await place.open(), "node-id"), "the second, longer");
    await blobs.write("node-id", bytes(""));
    assert.equal(await readText(await place.open(), "node-id"), "");
    await blobs.delete("node-id");
    assert.equal(await readText(await place.open(), "node-id"), null);
  });

  suiteTest("the bytes are the store's own, in and out", async (blobs) => {
    const mine = bytes("abc");
    await blobs.write("a", mine);
    mine.fill(0);
    const read = (await blobs.read("a")) as Uint8Array;
    read.fill(1);
    assert.equal(await readText(blobs, "a"), "abc");
    const writer = await blobs.create("b");
    const chunk = bytes("def");
    await writer.write(chunk);
    chunk.fill(0);
    await writer.commit();
    assert.equal(await readText(blobs, "b"), "def");
  });

  suiteTest("writes of one blob take effect in the order of the calls", async (blobs) => {
    const reused = new Uint8Array(20_000);
    const all: Promise<void>[] = [];
    for (let i = 1; i <= 20; i += 1) {
      // Earlier ones are the larger, so they would be the later ones to end.
      const own = i === 20 ? bytes("last") : reused.subarray(0, 20_000 - i * 900);
      all.push(i % 7 === 0 ? blobs.delete("a") : blobs.write("a", own));
    }
    await Promise.all(all);
    assert.equal(await readText(blobs, "a"), "last");
  });

  suiteTest("names are listed by prefix, sorted, with slashes as they are", async (blobs, place) => {
    const names = ["services/b", "services/a", "services", "services-old", "checks/x.y_z-1", "services/a/deep"];
    for (const one of names) await blobs.write(one, bytes(one));
    const again = await place.open();
    assert.deepEqual(await again.list(""), [...names].sort());
    assert.deepEqual(await again.list("services/"), ["services/a", "services/a/deep", "services/b"]);
    assert.deepEqual(await again.list("services"), [
      "services",
      "services-old",
      "services/a",
      "services/a/deep",
      "services/b",
    ]);
    assert.deepEqual(await again.list("none"), []);
    for (const one of names) assert.equal(await readText(again, one), one);
  });

  suiteTest("names that are none are refused, by every method", async (blobs) => {
    const bad = [
      "",
      "/",
      "/a",
      "a/",
      "a//b",
      ".",
      "..",
      "../a",
      "a/../b",
      "a/.",
      "a b",
      "ü",
      "a\0",
      "a\\b",
      "a%2Fb",
      "a.tmp",
      ".tmp",
      "a.tmp/b",
      "x".repeat(241),
      "a/".repeat(80) + "a",
    ];
    for (const name of bad) {
      const attempts = [
        () => blobs.read(name),
        () => blobs.write(name, bytes("x")),
        () => blobs.delete(name),
        () => blobs.open(name),
        () => blobs.create(name),
      ];
      for (const attempt of attempts) {
        await assert.rejects(
          attempt,
          (error) => error instanceof OperationalError && error.code === "invalid-request",
          JSON.stringify(name),
        );
      }
    }
    assert.deepEqual(await blobs.list(""), []);
    for (const name of ["...", ".hidden", "a.tmp.b", "-", "x".repeat(240), "A/B_c.d-e"]) {
      await blobs.write(name, bytes(name));
      assert.equal(await readText(blobs, name), name);
    }
  });

  suiteTest("a large blob is written and read in pieces, and is not there before commit", async (blobs, place) => {
    const expected: Uint8Array[] = [];
    const writer = await blobs.create("snapshots/1");
    for (let i = 0; i < 30; i += 1) {
      const chunk = new Uint8Array(50_000 + i * 777).fill(i + 1);
      expected.push(chunk);
      await writer.write(chunk);
    }
    assert.equal(await blobs.read("snapshots/1"), null);
    assert.deepEqual(await blobs.list(""), []);
    await writer.commit();
    const again = await place.open();
    const found = await again.open("snapshots/1");
    assert.ok(found !== null);
    assert.ok(Buffer.concat(expected).equals(await collect(found)));
    assert.ok(Buffer.concat(expected).equals((await again.read("snapshots/1")) as Uint8Array));
  });

  suiteTest("an empty blob has no pieces and is there", async (blobs) => {
    const writer = await blobs.create("empty");
    await writer.commit();
    const found = await blobs.open("empty");
    assert.ok(found !== null);
    assert.equal((await collect(found)).length, 0);
  });

  suiteTest("an aborted blob leaves the old one, and abort after commit does nothing", async (blobs, place) => {
    await blobs.write("a", bytes("old"));
    const writer = await blobs.create("a");
    await writer.write(bytes("new"));
    await writer.abort();
    await writer.abort();
    assert.equal(await readText(blobs, "a"), "old");
    await assert.rejects(writer.write(bytes("more")), AssertionError);
    await assert.rejects(writer.commit(), AssertionError);
    const second = await blobs.create("a");
    await second.write(bytes("new"));
    await second.commit();
    await second.abort();
    assert.equal(await readText(await place.open(), "a"), "new");
    assert.deepEqual(await blobs.list(""), ["a"]);
  });

  suiteTest("two writers of one blob do not mix, and the later commit stays", async (blobs) => {
    const [one, two] = [await blobs.create("a"), await blobs.create("a")];
    await Promise.all([one.write(bytes("one ")), two.write(bytes("two "))]);
    await Promise.all([one.write(bytes("more one")), two.write(bytes("more two"))]);
    await two.commit();
    await one.commit();
    assert.equal(await readText(blobs, "a"), "one more one");
  });

  suiteTest("writes of a writer that are not waited for keep their order", async (blobs) => {
    const writer = await blobs.create("a");
    for (let i = 0; i < 50; i += 1) void writer.write(bytes(`${i} `));
    await writer.commit();
    assert.equal(await readText(blobs, "a"), Array.from({ length: 50 }, (_, i) => `${i} `).join(""));
  });

  suiteTest("a blob that is being read stays as it was, replaced or deleted", async (blobs) => {
    await blobs.write("a", new Uint8Array(600_000).fill(1));
    await blobs.write("b", new Uint8Array(600_000).fill(2));
    const [a, b] = [await blobs.open("a"), await blobs.open("b")];
    assert.ok(a !== null && b !== null);
    await blobs.write("a", new Uint8Array(600_000).fill(9));
    await blobs.delete("b");
    assert.ok((await collect(a)).every((byte) => byte === 1));
    const read = await collect(b);
    assert.ok(read.length === 600_000 && read.every((byte) => byte === 2));
  });

  suiteTest("reading can be left off in the middle", async (blobs) => {
    await blobs.write("a", new Uint8Array(600_000).fill(1));
    const pieces = await blobs.open("a");
    assert.ok(pieces !== null);
    let count = 0;
    for await (const piece of pieces) {
      count += piece.length;
      break;
    }
    assert.ok(count > 0 && count < 600_000);
  });
}
