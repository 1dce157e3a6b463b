// The blobs in files pass the suite, survive power cuts, and say what failed.
import assert from "node:assert/strict";
import fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { openBlobs } from "../../../runtimes/node/blobs.ts";
import { OperationalError } from "../../../src/types/error.ts";
import { blobsSuite } from "./blobs-suite.ts";
import { diskError, FaultDisk, type OperationKind } from "./fault-disk.ts";

/** A machine that is busy takes its time, and some runtimes give up early. */
const SLOW = { timeout: 60_000 };

const DIR = "/blobs";
const bytes = (text: string): Uint8Array<ArrayBuffer> => new TextEncoder().encode(text);

blobsSuite("blobs in files", async () => {
  const dir = fs.mkdtempSync(join(tmpdir(), "proconsul-blobs-"));
  return {
    open: () => openBlobs(join(dir, "deep", "blobs")),
    remove: () => fs.promises.rm(dir, { recursive: true, force: true }),
  };
});

async function contents(disk: FaultDisk): Promise<string> {
  const blobs = await openBlobs(DIR, { fileSystem: disk });
  const lines: string[] = [];
  for (const name of await blobs.list(""))
    lines.push(`${name}=${Buffer.from((await blobs.read(name)) as Uint8Array).toString()}`);
  assert.equal(disk.openFiles, 0);
  assert.ok(
    disk.paths().every((path) => !path.endsWith(".tmp")),
    "a leftover was not removed",
  );
  return lines.join(" ");
}

test("blobs: a power cut at any operation leaves the old bytes or the new ones", SLOW, async () => {
  const disk = new FaultDisk();
  const blobs = await openBlobs(DIR, { fileSystem: disk });
  const cuts: { disk: FaultDisk; possible: string[]; what: string }[] = [];
  let possible: string[] = [""];
  disk.after = (kind, path) => {
    for (let kept = 0; kept <= disk.pending.length; kept += 1) {
      cuts.push({ disk: disk.powerCut(disk.pending.slice(0, kept)), possible, what: `${kind} ${path}, ${kept} kept` });
      cuts.push({ disk: disk.powerCut(disk.pending.slice(kept)), possible, what: `${kind} ${path}, ${kept} lost` });
    }
  };
  const step = async (after: string, change: () => Promise<void>): Promise<void> => {
    possible = [possible.at(-1) as string, after];
    await change();
    possible = [after];
  };
  await step("a=old", () => blobs.write("a", bytes("old")));
  await step("a=new a/b=x", async () => {
    // Two changes at once, so there are two states in between.
    possible = ["a=old", "a=old a/b=x", "a=new", "a=new a/b=x"];
    await Promise.all([blobs.write("a", bytes("new")), blobs.write("a/b", bytes("x"))]);
  });
  await step("a=streamed in pieces a/b=x", async () => {
    const writer = await blobs.create("a");
    for (const piece of ["streamed ", "in ", "pieces"]) await writer.write(bytes(piece));
    await writer.commit();
  });
  await step("a/b=x", () => blobs.delete("a"));
  await step("a/b=x", async () => {
    const writer = await blobs.create("a");
    await writer.write(bytes("never"));
    await writer.abort();
  });
  assert.ok(cuts.length > 80);
  for (const cut of cuts) assert.ok(cut.possible.includes(await contents(cut.disk)), cut.what);
});

test(
  "blobs: a failed operation rejects, leaves the old bytes and no leftovers, and the next one works",
  SLOW,
  async () => {
    for (const code of ["EIO", "ENOSPC"]) {
      for (const kind of ["create", "write", "sync", "rename"] as OperationKind[]) {
        for (const streamed of [false, true]) {
          const disk = new FaultDisk();
          const blobs = await openBlobs(DIR, { fileSystem: disk });
          await blobs.write("a", bytes("old"));
          disk.before = (what) => {
            if (what === kind) throw diskError(code);
          };
          const attempt = async (): Promise<void> => {
            if (!streamed) return await blobs.write("a", bytes("new"));
            const writer = await blobs.create("a");
            try {
              await writer.write(bytes("new"));
              await writer.commit();
            } finally {
              await writer.abort();
            }
          };
          const expected = code === "ENOSPC" ? "disk-full" : "storage-failed";
          await assert.rejects(
            attempt,
            (error) =>
              error instanceof OperationalError && error.code === expected && error.message.includes("/blobs/a"),
          );
          assert.equal(disk.openFiles, 0);
          assert.deepEqual(disk.paths(), [`${DIR}/a`], `${kind} ${code}`);
          disk.before = null;
          assert.equal(await contents(disk), "a=old");
          await blobs.write("a", bytes("newer"));
          assert.equal(await contents(disk.powerCut([])), "a=newer");
        }
      }
    }
  },
);

test("blobs: a writer's failed write that was not waited for fails the commit", SLOW, async () => {
  const disk = new FaultDisk();
  const blobs = await openBlobs(DIR, { fileSystem: disk });
  const writer = await blobs.create("a");
  let writes = 0;
  disk.before = (kind) => {
    if (kind === "write" && writes++ === 0) throw diskError("EIO");
  };
  writer.write(bytes("lost")).catch(() => {});
  await assert.rejects(
    writer.commit(),
    (error) => error instanceof OperationalError && error.code === "storage-failed",
  );
  assert.equal(await contents(disk), "");
});

test("blobs: a directory that cannot be used is named", SLOW, async () => {
  const dir = fs.mkdtempSync(join(tmpdir(), "proconsul-blobs-"));
  try {
    fs.writeFileSync(join(dir, "file"), "");
    await assert.rejects(
      openBlobs(join(dir, "file")),
      (error) =>
        error instanceof OperationalError &&
        error.code === "storage-failed" &&
        error.message.includes(join(dir, "file")),
    );
  } finally {
    fs.rmSync(dir, { recursive: true });
  }
});
