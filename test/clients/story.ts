// The story that the README tells: five minutes with an agent, from its start to its sudden end and back.
import assert from "node:assert/strict";
import { createServer, type Server } from "node:http";
import { test } from "node:test";
import { type AgentProcess, eventually, type RuntimeName, startAgent, temporaryDir } from "../support/process.ts";
import { missing, run } from "./command.ts";

const noDig = missing("dig");

/** A small server, as the user's own: healthy until it is closed. */
async function healthyServer(): Promise<{ port: number; close(): Promise<void> }> {
  const server: Server = createServer((_request, response) => response.end("fine"));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    port: (server.address() as { port: number }).port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** Declares the story as one test, a step a subtest. */
export function storyTest(runtime: RuntimeName): void {
  test(`the first five minutes on ${runtime}`, { timeout: 120_000 }, async (t) => {
    const dir = temporaryDir();
    let agent: AgentProcess = await startAgent({ runtime, dataDir: dir.path });
    const web = await healthyServer();
    t.after(async () => {
      await agent.stop();
      await web.close();
      dir.remove();
    });

    const passing = async (): Promise<string[]> =>
      (await agent.send("GET", "/v1/health/service/web?passing"))
        .json()
        .map((row: { Service: { ID: string } }) => row.Service.ID);
    const dig = async (...words: string[]): Promise<string> =>
      (await run("dig", ["@127.0.0.1", "-p", String(agent.ports.dns), "+short", "+tries=3", ...words]))
        .toString()
        .trim();
    const create = async (body: object): Promise<string> =>
      (await agent.send("PUT", "/v1/session/create", body)).json().ID;

    await t.test("a service with a check is registered, and found once it passes", async () => {
      const registered = await agent.send("PUT", "/v1/agent/service/register", {
        Name: "web",
        ID: "web-1",
        Port: web.port,
        Tags: ["v1"],
        Check: { HTTP: `http://127.0.0.1:${web.port}/`, Interval: "1s", Timeout: "1s" },
      });
      assert.equal(registered.status, 200, registered.text);
      await eventually("web passes", async () => (await passing()).length === 1);
    });

    await t.test("dig finds its address and its port", { skip: noDig }, async () => {
      assert.equal(await dig("web.service.consul"), "127.0.0.1");
      assert.match(await dig("SRV", "web.service.consul"), new RegExp(`^1 1 ${web.port} `));
    });

    await t.test("when the server stops, nobody finds it any more", async () => {
      await web.close();
      await eventually("web is critical", async () => (await passing()).length === 0);
      const [check] = (await agent.send("GET", "/v1/health/checks/web")).json();
      assert.equal(check.Status, "critical");
      assert.match(check.Output, /refused|connect/i);
      if (noDig === false) assert.equal(await dig("web.service.consul"), "");
    });

    let lockHolder = "";
    await t.test("keys are stored, and one of them is locked", async () => {
      for (let i = 0; i < 20; i++)
        assert.match((await agent.send("PUT", `/v1/kv/app/config/${i}?flags=${i}`, `value ${i}`)).text, /^true/);
      lockHolder = await create({ Name: "leader", TTL: "1h", LockDelay: "1ms" });
      const other = await create({ Name: "follower", TTL: "1h" });
      assert.match((await agent.send("PUT", `/v1/kv/app/leader?acquire=${lockHolder}`, "me")).text, /^true/);
      assert.match((await agent.send("PUT", `/v1/kv/app/leader?acquire=${other}`, "me too")).text, /^false/);
    });

    await t.test("a blocking query waits for a write from elsewhere", async () => {
      const now = await agent.send("GET", "/v1/kv/app/config/0");
      let answered = false;
      const waiting = agent.send("GET", `/v1/kv/app/config/0?raw&index=${now.headers.get("x-consul-index")}&wait=20s`);
      void waiting.then(() => (answered = true));
      await agent.send("PUT", "/v1/kv/app/config/1", "another key");
      const { Stats } = (await agent.send("GET", "/v1/agent/self")).json();
      assert.equal(Stats.runtime.blocked_queries, "1");
      assert.equal(answered, false, "a write to another key does not end it");
      await agent.send("PUT", "/v1/kv/app/config/0", "written elsewhere");
      assert.equal((await waiting).text, "written elsewhere");
    });

    await t.test("after kill -9 and a start on the same data directory, everything is there", async () => {
      const everything = async (): Promise<unknown[]> => [
        (await agent.send("GET", "/v1/kv/?recurse")).json(),
        (await agent.send("GET", "/v1/session/list")).json(),
        (await agent.send("GET", "/v1/catalog/service/web")).json(),
        (await agent.send("GET", "/v1/catalog/nodes")).json(),
        Object.keys((await agent.send("GET", "/v1/agent/services")).json()),
        (await agent.send("GET", "/v1/health/checks/web"))
          .json()
          .map(({ CheckID, Status }: { CheckID: string; Status: string }) => [CheckID, Status]),
      ];
      const before = await everything();
      await agent.kill9();
      agent = await startAgent({ runtime, dataDir: dir.path, ports: agent.ports });
      assert.deepEqual(await everything(), before);
      const [held] = (await agent.send("GET", "/v1/kv/app/leader")).json();
      assert.equal(held.Session, lockHolder);
      // And it is alive: the lock can be given up, and what is written now is written.
      assert.match((await agent.send("PUT", `/v1/kv/app/leader?release=${lockHolder}`, "free")).text, /^true/);
      assert.equal((await agent.send("GET", "/v1/kv/app/leader?raw")).text, "free");
    });

    await t.test("it ends when it is told to", async () => {
      await agent.stop();
      assert.match(agent.log(), /Caught: signal=terminated/);
      assert.doesNotMatch(agent.log(), /this is a bug|unhandled/i);
    });
  });
}
