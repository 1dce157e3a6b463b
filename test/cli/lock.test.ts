import assert from "node:assert/strict";
import { test } from "node:test";
import { runCli } from "../../src/cli/run.ts";
import type { ChildExit } from "../../src/cli/io.ts";
import { FakeStore } from "../client/fake-store.ts";
import type { Spawned } from "./fake-io.ts";
import { FakeIo, until } from "./fake-io.ts";

interface Started {
  io: FakeIo;
  store: FakeStore;
  done: Promise<number>;
}

/** Starts `lock` with these words; the child runs until the test ends it, unless `exit` is given. */
function start(
  words: string[],
  options: { store?: FakeStore; exit?: ChildExit; env?: Record<string, string> } = {},
): Started {
  const store = options.store ?? new FakeStore();
  const io = new FakeIo(["lock", ...words]);
  io.env = options.env ?? {};
  io.onSpawn = (child: Spawned) => {
    if (options.exit) child.end(options.exit);
  };
  Object.defineProperty(io, "fetch", { value: store.agent.fetch });
  return { io, store, done: runCli(io) };
}
const ok: ChildExit = { code: 0, signal: null };

test("the command runs by the shell while the lock is held, and nothing stays behind", async () => {
  const { io, store, done } = start(["jobs/a", "echo", "held now"], { env: { SHELL: "/bin/dash", HOME: "/h" } });
  await until(() => io.children.length === 1);
  const [child] = io.children;
  assert.deepEqual(child?.args, ["/bin/dash", "-c", "echo held now"]);
  assert.deepEqual(child?.options, {
    env: { SHELL: "/bin/dash", HOME: "/h", CONSUL_LOCK_HELD: "true" },
    stdin: "none",
  });
  const [session] = store.sessions.entries();
  assert.deepEqual(session?.[1], { Name: "Consul lock for 'echo held now' at 'jobs/a'", TTL: "15s" });
  assert.equal(store.entries.get("jobs/a/.lock")?.Session, session?.[0]);
  child?.end(ok);
  assert.equal(await done, 0);
  assert.deepEqual([io.out, io.err, store.entries.size, store.sessions.size], ["", "", 0, 0]);
});

test("-shell=false starts the command itself, -pass-stdin hands input on, -name names the session", async () => {
  const { io, store, done } = start(["-shell=false", "-pass-stdin", "-name=mine", "a", "prog", "-h"]);
  await until(() => io.children.length === 1);
  assert.deepEqual(io.children[0]?.args, ["prog", "-h"]);
  assert.equal(io.children[0]?.options.stdin, "inherit");
  assert.equal([...store.sessions.values()][0]?.Name, "mine");
  io.children[0]?.end(ok);
  assert.equal(await done, 0);
});

test("a failing command counts only with -child-exit-code", async () => {
  const exit = { code: 7, signal: null };
  assert.equal(await start(["a", "false"], { exit }).done, 0);
  assert.equal(await start(["-child-exit-code", "a", "false"], { exit }).done, 2);
  assert.equal(await start(["-child-exit-code", "a", "true"], { exit: ok }).done, 0);
});

test("a command that cannot be started is an error, and the lock is given back", async () => {
  const store = new FakeStore();
  const io = new FakeIo(["lock", "a", "x"]);
  Object.defineProperty(io, "fetch", { value: store.agent.fetch });
  Object.defineProperty(io, "spawn", {
    value: () => ({ exit: Promise.reject(new Error("exec: no such file")), kill: () => {} }),
  });
  assert.equal(await runCli(io), 1);
  assert.match(io.err, /Error executing handler: exec: no such file/);
  assert.deepEqual([store.entries.size, store.sessions.size], [0, 0]);
});

test("a lost lock ends the command: SIGTERM, and SIGKILL five seconds later", async () => {
  const { io, store, done } = start(["-verbose", "a", "sleep"]);
  await until(() => io.children.length === 1 && store.blocked === 1);
  const [child] = io.children;
  store.expire([...store.sessions.keys()][0] ?? "");
  await until(() => child?.killed.length === 1);
  assert.deepEqual(child?.killed, ["SIGTERM"]);
  await until(() => [...io.sleeps].some(({ until: at }) => at === 5_000));
  io.advance(5_000);
  await until(() => child?.killed.length === 2);
  assert.deepEqual(child?.killed, ["SIGTERM", "SIGKILL"]);
  child?.end({ code: null, signal: "SIGKILL" });
  assert.equal(await done, 0);
  assert.match(io.err, /Lock lost, killing child/);
});

test("an interrupted command that ends by itself is not killed", async () => {
  const { io, store, done } = start(["a", "sleep"]);
  await until(() => io.children.length === 1);
  io.signal("SIGINT");
  await until(() => io.children[0]?.killed.length === 1);
  io.children[0]?.end({ code: 0, signal: null });
  assert.equal(await done, 0);
  assert.deepEqual(io.children[0]?.killed, ["SIGTERM"]);
  assert.match(io.err, /Shutdown triggered, killing child/);
  assert.deepEqual([store.entries.size, store.sessions.size], [0, 0]);
});

test("-try gives up, and an interrupt ends the waiting", async () => {
  const first = start(["a", "sleep"]);
  await until(() => first.io.children.length === 1 && first.store.blocked === 1);
  const trying = start(["-try=3s", "a", "x"], { store: first.store });
  await until(() => first.store.blocked === 2);
  trying.io.advance(3_000);
  first.store.changed();
  assert.equal(await trying.done, 1);
  assert.match(trying.io.err, /timeout during lock acquisition/);
  const waiting = start(["a", "x"], { store: first.store });
  await until(() => first.store.blocked === 2);
  waiting.io.signal("SIGTERM");
  assert.equal(await waiting.done, 1);
  assert.equal(waiting.io.err, "Shutdown triggered during lock acquisition\n");
  assert.deepEqual(waiting.io.children, []);
  first.io.children[0]?.end(ok);
  assert.equal(await first.done, 0);
});

test("-n lets several in and keeps others out until one is done", async () => {
  const store = new FakeStore();
  const started = ["1", "2", "3"].map((name) => start(["-n=2", "sem", name], { store }));
  const running = (): Started[] => started.filter(({ io }) => io.children.length === 1);
  await until(() => running().length === 2 && store.blocked === 3);
  const [first] = running();
  first?.io.children[0]?.end(ok);
  assert.equal(await first?.done, 0);
  await until(() => running().length === 3);
  for (const { io } of started) io.children[0]?.end(ok);
  assert.deepEqual(await Promise.all(started.map(({ done }) => done)), [0, 0, 0]);
  assert.deepEqual([...store.entries.keys()], []);
});

test("words that do not fit are refused before anything is asked", async () => {
  const rows: [string[], RegExp][] = [
    [[], /Key prefix and child command/],
    [["a"], /Key prefix and child command/],
    [["-n=0", "a", "b"], /limit must be positive/],
    [["-try=-1s", "a", "b"], /Timeout must be positive/],
    [["-monitor-retry=-1", "a", "b"], /must be >= 0/],
  ];
  for (const [words, err] of rows) {
    const { io, store, done } = start(words);
    assert.equal(await done, 1);
    assert.match(io.err, err);
    assert.deepEqual(store.agent.lines, []);
  }
});

test("a key that is no lock is an error", async () => {
  const store = new FakeStore();
  store.put("a/.lock", "x");
  const { io, done } = start(["a", "b"], { store });
  assert.equal(await done, 1);
  assert.match(io.err, /Lock acquisition failed: Existing key does not match lock use/);
});
