// A real agent is killed under a client: what it has in memory stays, calls to instances go on, and it finds back.
import assert from "node:assert/strict";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import { createClient, json } from "../../src/client/index.ts";
import { eventually, startAgent, temporaryDir } from "../support/process.ts";

test("a killed agent costs no look-up and no call, and its successor is found", async () => {
  const service = createServer((_, response) => response.end("here"));
  await new Promise<void>((resolve) => service.listen(0, "127.0.0.1", resolve));
  const { port } = service.address() as AddressInfo;
  const dir = temporaryDir();
  const first = await startAgent({ dataDir: dir.path });
  const { ports } = first;
  const consul = createClient({ address: first.base });
  let second: Awaited<ReturnType<typeof startAgent>> | null = null;
  try {
    const node = { Node: "outside", Address: "127.0.0.1" };
    await consul.register({ Name: "web", Address: "127.0.0.1", Port: port }, { node, background: false });
    await consul.kv.entry("flag", json<boolean>()).set(true);
    const web = consul.discover("web");
    const flag = consul.kv.follow("flag", json<boolean>());
    await Promise.all([web.ready(), flag.ready()]);
    await first.kill9();
    await eventually("the client knows that nobody is there", () => web.lookup().error !== null);
    let calls = 0;
    for (const end = Date.now() + 3_000; Date.now() < end; calls += 1) {
      const { value, stale } = web.lookup();
      assert.deepEqual([value.length, stale, flag.lookup().value], [1, true, true]);
      assert.equal(await (await web.fetch("/")).text(), "here");
    }
    assert.ok(calls > 100, `${calls} calls`);
    assert.ok(web.lookup().ageMs >= 2_500);
    second = await startAgent({ dataDir: dir.path, ports });
    await eventually("the client is up to date again", () => !web.lookup().stale && !flag.lookup().stale, 60_000);
    await consul.kv.entry("flag", json<boolean>()).set(false);
    await eventually("changes come again", () => flag.lookup().value === false);
  } finally {
    await consul.close();
    await first.kill9();
    await second?.kill9();
    service.closeAllConnections();
    service.close();
    dir.remove();
  }
});
