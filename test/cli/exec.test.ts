import assert from "node:assert/strict";
import { test } from "node:test";
import { runCli } from "../../src/cli/run.ts";
import { FakeStore } from "../client/fake-store.ts";
import { FakeIo, until } from "./fake-io.ts";

const dir = "_rexec/session-1/";

/** Starts `exec`; the store has what it needs of sessions and keys, the rest is answered here. */
function start(words: string[]): { io: FakeIo; store: FakeStore; done: Promise<number>; events: string[] } {
  const store = new FakeStore();
  const events: string[] = [];
  const io = new FakeIo(["exec", ...words]);
  const fetch = async (url: string, init: RequestInit = {}): Promise<Response> => {
    const { pathname, search } = new URL(url);
    if (pathname === "/v1/agent/self") return Response.json({ Config: { Datacenter: "dc1" } });
    if (pathname.startsWith("/v1/event/fire/")) {
      events.push(`${pathname}${search} ${String(init.body)}`);
      return Response.json({ ID: "e1", Payload: null });
    }
    if (pathname.startsWith("/v1/kv/") && search.startsWith("?keys=")) {
      const read = await store.agent.fetch(url.replace("keys=", "recurse="), init);
      if (read.status === 404) return read;
      const keys = ((await read.json()) as { Key: string }[]).map(({ Key }) => Key);
      return Response.json(keys, { headers: read.headers });
    }
    return store.agent.fetch(url, init);
  };
  Object.defineProperty(io, "fetch", { value: fetch });
  return { io, store, done: runCli(io), events };
}

/** Lets the pause before the event pass. */
async function fired({ io, events }: { io: FakeIo; events: string[] }): Promise<void> {
  await until(() => [...io.sleeps].some(({ until: at }) => at === 200));
  io.advance(200);
  await until(() => events.length === 1);
}

test("the job is uploaded under a session, an event tells of it, and silence ends it", async () => {
  const run = start(["-node=^n", "echo", "hi"]);
  const { io, store, done, events } = run;
  await until(() => store.entries.has(`${dir}job`));
  assert.deepEqual(store.sessions.get("session-1"), { Name: "Remote Exec", Behavior: "delete", TTL: "15s" });
  assert.equal(store.entries.get(`${dir}job`)?.Session, "session-1");
  assert.deepEqual(JSON.parse(atob(store.entries.get(`${dir}job`)?.Value ?? "")), { Command: "echo hi", Wait: 2e9 });
  await fired(run);
  assert.deepEqual(events, ['/v1/event/fire/_rexec?node=%5En {"Prefix":"_rexec","Session":"session-1"}']);
  await until(() => store.blocked === 1);
  io.advance(2_000);
  assert.equal(await done, 0);
  assert.equal(io.out, "0 / 0 node(s) completed / acknowledged\n");
  assert.deepEqual([store.entries.size, store.sessions.size], [0, 0]);
});

test("what nodes write is shown, and a failure on one makes the exit code 2", async () => {
  const run = start(["-verbose", "-shell=false", "uptime", "-p"]);
  const { io, store, done } = run;
  await until(() => store.entries.has(`${dir}job`));
  assert.deepEqual(JSON.parse(atob(store.entries.get(`${dir}job`)?.Value ?? "")), {
    Args: ["uptime", "-p"],
    Wait: 2e9,
  });
  await fired(run);
  for (const [key, value] of [
    ["n1/ack", ""],
    ["n2/ack", ""],
    ["n1/out/00000", "line 1\nline 2\n"],
    ["n2/out/00000", ""],
    ["n1/exit", "0"],
    ["n2/exit", "3"],
  ] as const) {
    await until(() => store.blocked === 1);
    store.put(dir + key, value);
  }
  await until(() => io.out.includes("n2: finished"));
  await until(() => store.blocked === 1);
  io.advance(2_000);
  assert.equal(await done, 2);
  assert.equal(
    io.out,
    `Uploaded remote execution spec
Fired remote execution event: e1
    n1: acknowledged event
    n2: acknowledged event
    n1: line 1
    n1: line 2
    n2: heartbeat received
==> n1: finished with exit code 0
==> n2: finished with exit code 3
2 / 2 node(s) completed / acknowledged
`,
  );
});

test("a node that has begun is waited for twice as long, and not ending is a failure", async () => {
  const run = start(["-wait=1s", "true"]);
  const { io, store, done } = run;
  await until(() => store.entries.has(`${dir}job`));
  await fired(run);
  await until(() => store.blocked === 1);
  store.put(`${dir}n1/ack`, "");
  await until(() => [...io.sleeps].some(({ until: at }) => at === 2_200));
  io.advance(2_000);
  assert.equal(await done, 2);
  assert.equal(io.out, "0 / 1 node(s) completed / acknowledged\n");
});
