import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { GroupProcesses, type ServerProcess } from "./group.ts";

const WRITERS = 4;

/** Writes one key after the other at one server until told to end; gives the keys that were acknowledged. */
async function write(
  server: ServerProcess,
  prefix: string,
  isOver: () => boolean,
  acknowledged: (key: string) => void,
): Promise<void> {
  for (let i = 0; !isOver(); i += 1) {
    const key = `${prefix}${i}`;
    try {
      const { status, text } = await server.send("PUT", `/v1/kv/${key}`, key);
      if (status === 200 && text === "true") acknowledged(key);
    } catch {
      await sleep(20);
    }
  }
}

for (const runtimes of [
  ["node", "node", "node"],
  ["node", "bun", "deno"],
] as const) {
  test(
    `failover: the leader is killed under load on ${runtimes.join(", ")}, and no acknowledged write is lost`,
    { timeout: 120_000 },
    async () => {
      const group = await GroupProcesses.start(runtimes);
      try {
        const acknowledged: string[] = [];
        let isOver = false;
        const leader = await group.leader();
        const others = group.servers.filter((server) => server !== leader);
        const writers = Array.from({ length: WRITERS }, (_, i) =>
          write(
            others[i % others.length] as ServerProcess,
            `w${i}-`,
            () => isOver,
            (key) => acknowledged.push(key),
          ),
        );
        while (acknowledged.length < 100) await sleep(10);
        await leader.signal("SIGKILL");
        const atKill = acknowledged.length;
        const killedAt = Date.now();
        while (acknowledged.length < atKill + 100) {
          assert.ok(Date.now() - killedAt < 30_000, "no writes after the kill");
          await sleep(10);
        }
        leader.start();
        await sleep(500);
        isOver = true;
        await Promise.all(writers);
        for (const server of group.servers) {
          // The restarted one is asked only what it answers as soon as it is there again.
          const until = Date.now() + 30_000;
          let keys: string[] = [];
          while (keys.length === 0) {
            assert.ok(Date.now() < until, `${server.name} answers nothing`);
            try {
              const { status, text } = await server.send("GET", "/v1/kv/w?keys");
              if (status === 200) keys = JSON.parse(text) as string[];
            } catch {
              await sleep(50);
            }
          }
          const there = new Set(keys);
          assert.deepEqual(
            acknowledged.filter((key) => !there.has(key)),
            [],
            `lost at ${server.name}`,
          );
        }
      } finally {
        await group.stop();
      }
    },
  );
}
