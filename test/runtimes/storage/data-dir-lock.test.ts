// One agent in a data directory: live holders keep it, dead ones lose it, and of many contenders one gets it.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import fs from "node:fs";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { acquireDataDir, type DataDirLock } from "../../../runtimes/node/data-dir-lock.ts";
import { type ErrorCode, OperationalError } from "../../../src/types/error.ts";

/** A machine that is busy takes its time, and some runtimes give up early. */
const SLOW = { timeout: 60_000 };

const hasProc = fs.existsSync("/proc/self/stat");

async function inDir(run: (dir: string) => Promise<void>): Promise<void> {
  const dir = fs.mkdtempSync(join(tmpdir(), "proconsul-lock-"));
  try {
    await run(dir);
  } finally {
    fs.rmSync(dir, { recursive: true, force: true });
  }
}

async function assertRefused(code: ErrorCode, message: RegExp, attempt: Promise<unknown>): Promise<void> {
  await assert.rejects(attempt, (error) => {
    assert.ok(error instanceof OperationalError, String(error));
    assert.equal(error.code, code);
    assert.match(error.message, message);
    return true;
  });
}

/** Another process that takes the directory; `answer` is what it says about it. */
function contender(dir: string): { kill: () => Promise<void>; answer: Promise<string> } {
  const runtime = "Deno" in globalThis ? ["run", "-A", "--no-check"] : [];
  const file = fileURLToPath(new URL("data-dir-lock-child.ts", import.meta.url));
  const child = spawn(process.execPath, [...runtime, file, dir], { stdio: ["pipe", "pipe", "inherit"] });
  const closed = new Promise<void>((resolve) => child.on("close", () => resolve()));
  const answer = new Promise<string>((resolve, reject) => {
    let output = "";
    child.stdout.on("data", (chunk: Uint8Array) => {
      output += new TextDecoder().decode(chunk);
      if (output.includes("\n")) resolve(output.trim());
    });
    child.on("error", reject);
  });
  const kill = async (): Promise<void> => {
    child.kill("SIGKILL");
    await closed;
  };
  return { kill, answer };
}

function lockFiles(dir: string): string[] {
  return fs.readdirSync(dir).filter((name) => name.startsWith("agent.lock"));
}

/** Puts a lock file there as someone else would have written it. */
function plant(dir: string, changes: Record<string, unknown>): string {
  const [name] = lockFiles(dir);
  assert.ok(name !== undefined);
  const path = join(dir, name);
  fs.writeFileSync(path, JSON.stringify({ ...(JSON.parse(fs.readFileSync(path, "utf8")) as object), ...changes }));
  return path;
}

test(
  "data directory: it is made, held against a second agent of the same process, and free after release",
  SLOW,
  async () => {
    await inDir(async (parent) => {
      const dir = join(parent, "a", "b");
      const lock = await acquireDataDir(dir);
      await assertRefused(
        "conflict",
        new RegExp(`${dir} is in use by process ${process.pid} on ${hostname()}, as .*agent.lock.1 says`),
        acquireDataDir(dir),
      );
      await lock.release();
      await lock.release();
      const second = await acquireDataDir(dir);
      await assertRefused("conflict", /agent.lock.2/, acquireDataDir(dir));
      assert.deepEqual(lockFiles(dir), ["agent.lock.2"]);
      await second.release();
    });
  },
);

test("data directory: another living process keeps it, and loses it when it is killed", SLOW, async () => {
  await inDir(async (dir) => {
    const other = contender(dir);
    try {
      assert.equal(await other.answer, "taken");
      await assertRefused("conflict", /in use by process/, acquireDataDir(dir));
    } finally {
      await other.kill();
    }
    const lock = await acquireDataDir(dir);
    assert.deepEqual(lockFiles(dir), ["agent.lock.2"]);
    const late = contender(dir);
    assert.match(await late.answer, new RegExp(`conflict .*process ${process.pid} `));
    await late.kill();
    await lock.release();
  });
});

test("data directory: of many that find a dead holder's lock at once, one gets it", SLOW, async () => {
  for (let round = 0; round < 20; round += 1) {
    await inDir(async (dir) => {
      await (await acquireDataDir(dir)).release();
      const attempts = await Promise.allSettled(Array.from({ length: 12 }, () => acquireDataDir(dir)));
      const taken = attempts.filter((attempt) => attempt.status === "fulfilled");
      assert.equal(taken.length, 1, `round ${round}`);
      for (const attempt of attempts) {
        if (attempt.status === "rejected") assert.equal((attempt.reason as OperationalError).code, "conflict");
      }
      await taken[0]?.value.release();
    });
  }
});

test("data directory: a contender that was overtaken twice while it made its file gives way", SLOW, async () => {
  await inDir(async (dir) => {
    await (await acquireDataDir(dir)).release();
    const link = fs.promises.link;
    let holder: DataDirLock | null = null;
    fs.promises.link = async (...args) => {
      fs.promises.link = link;
      // The next number is taken, released, and then gone, since the one after it has it.
      await (await acquireDataDir(dir)).release();
      holder = await acquireDataDir(dir);
      await link(...args);
    };
    try {
      await assertRefused("conflict", /agent.lock.3 says/, acquireDataDir(dir));
    } finally {
      fs.promises.link = link;
    }
    assert.deepEqual(lockFiles(dir), ["agent.lock.3"]);
    await (holder as DataDirLock | null)?.release();
  });
});

test("data directory: it is never held twice, however fast it is taken and let go", SLOW, async () => {
  await inDir(async (dir) => {
    let holders = 0;
    let taken = 0;
    const contend = async (): Promise<void> => {
      for (let i = 0; i < 60; i += 1) {
        let lock;
        try {
          lock = await acquireDataDir(dir);
        } catch (error) {
          assert.equal((error as OperationalError).code, "conflict");
          continue;
        }
        holders += 1;
        taken += 1;
        assert.equal(holders, 1);
        await new Promise((resolve) => setImmediate(resolve));
        assert.equal(holders, 1);
        holders -= 1;
        await lock.release();
      }
    };
    await Promise.all(Array.from({ length: 12 }, contend));
    assert.ok(taken > 5, `taken ${taken} times`);
  });
});

test("data directory: of several processes that find it free at once, one gets it", SLOW, async () => {
  await inDir(async (dir) => {
    const all = Array.from({ length: 5 }, () => contender(dir));
    const answers = await Promise.all(all.map(({ answer }) => answer));
    assert.equal(answers.filter((answer) => answer === "taken").length, 1, answers.join("; "));
    await Promise.all(all.map(({ kill }) => kill()));
  });
});

test(
  "data directory: a lock of a process number that is another process by now is taken over",
  { skip: !hasProc },
  async () => {
    await inDir(async (dir) => {
      await acquireDataDir(dir);
      plant(dir, { start: "1" });
      await (await acquireDataDir(dir)).release();
    });
  },
);

test("data directory: a lock from before the machine was started anew is taken over", SLOW, async () => {
  await inDir(async (dir) => {
    await acquireDataDir(dir);
    plant(dir, { boot: "another boot" });
    await (await acquireDataDir(dir)).release();
  });
});

test("data directory: a holder in another container keeps it as long as it touches its file", SLOW, async () => {
  await inDir(async (dir) => {
    // This process goes on touching the file, in whatever container the file says that it is.
    const lock = await acquireDataDir(dir, { touchMs: 20 });
    plant(dir, { namespace: "another container", pid: 1 });
    await assertRefused("conflict", /in use by process 1 on/, acquireDataDir(dir, { silentMs: 60_000 }));
    await lock.release();
  });
});

test("data directory: a holder in another container that has gone silent loses it", SLOW, async () => {
  await inDir(async (dir) => {
    await acquireDataDir(dir, { touchMs: 1_000_000 });
    const path = plant(dir, { namespace: "another container", pid: process.pid });
    const past = new Date(Date.now() - 60_000);
    fs.utimesSync(path, past, past);
    await (await acquireDataDir(dir, { silentMs: 50_000 })).release();
  });
  await inDir(async (dir) => {
    // By a clock that is ahead of ours: then waiting decides.
    await acquireDataDir(dir, { touchMs: 1_000_000 });
    const path = plant(dir, { namespace: "another container", pid: process.pid });
    const future = new Date(Date.now() + 3_600_000);
    fs.utimesSync(path, future, future);
    await (await acquireDataDir(dir, { silentMs: 300 })).release();
  });
});

test("data directory: a lock file that says nothing is waited for, and then taken over", SLOW, async () => {
  await inDir(async (dir) => {
    fs.writeFileSync(join(dir, "agent.lock.4"), "");
    const lock = await acquireDataDir(dir, { silentMs: 300 });
    assert.deepEqual(lockFiles(dir), ["agent.lock.5"]);
    await lock.release();
  });
});

test("data directory: what is no directory, or cannot be written to, is refused by name", SLOW, async () => {
  await inDir(async (dir) => {
    const file = join(dir, "file");
    fs.writeFileSync(file, "");
    await assertRefused("storage-failed", new RegExp(`${file} is not a directory`), acquireDataDir(file));
    await assertRefused(
      "storage-failed",
      new RegExp(`${file}/below is not a directory`),
      acquireDataDir(join(file, "below")),
    );
    if (process.getuid?.() !== 0) {
      fs.mkdirSync(join(dir, "closed"), { mode: 0o500 });
      await assertRefused(
        "storage-failed",
        new RegExp(`write to the data directory ${dir}/closed`),
        acquireDataDir(join(dir, "closed")),
      );
    }
  });
  // Nobody can make files there, not even root.
  if (hasProc)
    await assertRefused("storage-failed", /write to the data directory \/proc\/self/, acquireDataDir("/proc/self"));
});
