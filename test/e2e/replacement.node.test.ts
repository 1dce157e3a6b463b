// Servers are exchanged while the cluster is in use: each restarted in turn, and one that is lost for good replaced by another.
import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { eventually } from "../support/process.ts";
import { GroupProcesses } from "./group.ts";
import { History } from "./history.ts";
import { lengthOf, longestGap, SteadyWriter } from "./steady-writer.ts";

/** What a request may be held for lack of a leader, by default (`performance.rpc_hold_timeout`). */
const HOLD_MS = 7000;

test("a rolling restart under load fails no request at the servers that stay", { timeout: 180_000 }, async () => {
  const group = await GroupProcesses.start(["node", "bun", "deno"]);
  try {
    let leaders = 0;
    for (const server of group.servers) {
      if ((await group.settled()) === server) leaders += 1;
      const fromMs = performance.now();
      const writers = group.servers
        .filter((other) => other !== server)
        .map((other) => new SteadyWriter(other.name, other).start());
      try {
        await sleep(300);
        await server.signal("SIGTERM");
        server.start();
        await group.settled();
        await sleep(300);
      } finally {
        await Promise.all(writers.map((writer) => writer.stop()));
      }
      for (const writer of writers) {
        assert.equal(writer.errors, 0, `requests at ${writer.server.name} while ${server.name} was restarted`);
        assert.ok(writer.acknowledgedMs.length > 5);
        assert.ok(lengthOf(longestGap([writer], fromMs)) < HOLD_MS);
      }
    }
    // Whoever leads at first is restarted at some time.
    assert.ok(leaders >= 1);
  } finally {
    await group.stop();
  }
});

test("a server lost for good is replaced by another while clients go on", { timeout: 180_000 }, async () => {
  const group = await GroupProcesses.start(["node", "node", "node"]);
  try {
    const leader = await group.settled();
    const lost = group.servers.find((server) => server !== leader);
    assert.ok(lost !== undefined);
    const stay = group.servers.filter((server) => server !== lost);
    const history = new History(Date.now() % 1_000_000).start(stay);
    await lost.signal("SIGKILL");
    await leader.send("DELETE", `/v1/operator/raft/peer?address=${lost.serverAddress}`);
    (group.servers as unknown[]).splice(group.servers.indexOf(lost), 1);
    const added = await group.add("s4", "node");
    await eventually(
      "the new server has a vote",
      async () => {
        const { text } = await leader.send("GET", "/v1/operator/raft/configuration");
        const { Servers } = JSON.parse(text) as { Servers: { Address: string; Voter: boolean }[] };
        return Servers.length === 3 && Servers.some(({ Address, Voter }) => Address === added.serverAddress && Voter);
      },
      90_000,
    );
    // It counts: without another one of the old the group goes on.
    await (stay.find((server) => server !== leader) as (typeof stay)[number]).signal("SIGKILL");
    const { status } = await added.send("PUT", "/v1/kv/replaced", "yes");
    assert.equal(status, 200);
    await history.stop();
    assert.deepEqual(history.faults(), []);
    assert.ok(history.answered > 50, `${history.answered} operations were answered`);
  } finally {
    await group.stop();
  }
});
