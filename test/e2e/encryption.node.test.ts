// Servers on all three runtimes with one key, and a restart that finds the key in the data directory.
import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { GroupProcesses } from "./group.ts";

const KEY = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

test(
  "encryption: servers on Node, Bun and Deno with one key form a group, and go on after a restart of one",
  { timeout: 120_000 },
  async () => {
    const group = await GroupProcesses.start(["node", "bun", "deno"], { words: [`-encrypt=${KEY}`] });
    try {
      for (const [i, server] of group.servers.entries()) {
        const { status, text } = await server.send("PUT", `/v1/kv/k${i}`, "x".repeat(10 ** (i + 3)));
        assert.deepEqual([status, text], [200, "true"]);
      }
      const leader = await group.leader();
      const restarted = group.servers.find((server) => server !== leader) as (typeof group.servers)[number];
      await restarted.signal("SIGKILL");
      restarted.start();
      const value = async (): Promise<string> => {
        try {
          return (await restarted.send("GET", "/v1/kv/k2?raw&consistent")).text;
        } catch {
          return "";
        }
      };
      while ((await value()).length !== 100_000) await sleep(50);
      const keyring = await restarted.send("GET", "/v1/operator/keyring");
      assert.equal(keyring.status, 200);
      assert.ok(keyring.text.includes(KEY));
      for (const { log } of group.servers) {
        assert.ok(!log.includes("refused a call"), log);
        assert.ok(!log.includes(KEY));
      }
    } finally {
      await group.stop();
    }
  },
);
