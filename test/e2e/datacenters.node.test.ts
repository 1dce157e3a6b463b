// Three datacenters of one server each as real processes, one on each runtime: federated, one of them silent, one killed and back,
// and one more that is reached by its gateway alone.
import assert from "node:assert/strict";
import { Resolver } from "node:dns/promises";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { freePorts } from "../conformance/agent-process.ts";
import { GroupProcesses, type ServerProcess } from "./group.ts";

const TOKEN = "a-token-of-the-gateway";
/** One ping of who does not answer, on a busy machine. */
const FOUND_OUT_MS = 8000;

const first = (group: GroupProcesses): ServerProcess => group.servers[0] as ServerProcess;

/** Asks again until the answer has the status, or a minute has passed. */
async function until(server: ServerProcess, path: string, status: number): Promise<string> {
  const end = Date.now() + 60_000;
  for (;;) {
    const reply = await server.send("GET", path).catch((error: Error) => ({ status: 0, text: error.message }));
    if (reply.status === status) return reply.text;
    assert.ok(Date.now() < end, `${path}: ${reply.status} ${reply.text}\n${server.log.slice(-4000)}`);
    await sleep(100);
  }
}

test("datacenters: three of one server each on Node, Bun and Deno, and a gateway", { timeout: 240_000 }, async () => {
  const ports = await freePorts(5);
  const [dns, gateway, ...wan] = ports as [number, number, number, number, number];
  const join = `-retry-join-wan=127.0.0.1:${wan[0]}`;
  const words = (at: number): string[] => [
    `-datacenter=dc${at + 1}`,
    `-node=server-${at + 1}`,
    `-serf-wan-port=${wan[at]}`,
    join,
    "-retry-interval-wan=1s",
  ];
  const remote = `{ name = "edge", address = "http://127.0.0.1:${gateway}", token = "${TOKEN}" }`;
  const groups: GroupProcesses[] = [];
  try {
    const edge = await GroupProcesses.start(["bun"], {
      words: ["-datacenter=edge", "-hcl", `gateway_token = "${TOKEN}" ports { gateway = ${gateway} }`],
    });
    groups.push(edge);
    groups.push(
      await GroupProcesses.start(["node"], {
        words: [...words(0), `-dns-port=${dns}`, "-hcl", `remote_datacenters = [${remote}]`],
      }),
    );
    groups.push(await GroupProcesses.start(["bun"], { words: words(1) }));
    groups.push(await GroupProcesses.start(["deno"], { words: words(2) }));
    const [, dc1, dc2, dc3] = groups.map(first) as [ServerProcess, ServerProcess, ServerProcess, ServerProcess];

    for (const server of [dc1, dc2, dc3])
      for (const dc of ["dc1", "dc2", "dc3"]) await until(server, `/v1/status/leader?dc=${dc}`, 200);
    const members = JSON.parse((await dc3.send("GET", "/v1/agent/members?wan=1")).text) as { Name: string }[];
    assert.deepEqual(
      members.map(({ Name }) => Name),
      ["server-1.dc1", "server-2.dc2", "server-3.dc3"],
    );
    for (const [from, to] of [
      [dc1, "dc2"],
      [dc2, "dc3"],
      [dc3, "dc1"],
      [dc1, "edge"],
    ] as const) {
      assert.equal((await from.send("PUT", `/v1/kv/from-${from.name}-${to}?dc=${to}`, "x")).text, "true");
      assert.equal((await from.send("GET", `/v1/kv/from-${from.name}-${to}?dc=${to}&raw`)).text, "x");
    }
    const web = { Node: "web-1", Address: "10.2.0.1", Service: { Service: "web", Port: 80 } };
    await dc1.send("PUT", "/v1/catalog/register?dc=dc2", JSON.stringify(web));
    const resolver = new Resolver({ timeout: 5000, tries: 2 });
    resolver.setServers([`127.0.0.1:${dns}`]);
    assert.deepEqual(await resolver.resolve4("web.service.dc2.consul"), ["10.2.0.1"]);
    assert.deepEqual(await resolver.resolve4("s1.node.edge.consul"), ["127.0.0.1"]);

    await dc2.signal("SIGSTOP");
    const startedMs = Date.now();
    const silent = await dc1.send("GET", "/v1/kv/a?dc=dc2");
    assert.ok(Date.now() - startedMs < FOUND_OUT_MS, `${Date.now() - startedMs} ms`);
    assert.equal(silent.status, 500);
    assert.match(
      silent.text,
      /datacenter 'dc2' from datacenter 'dc1': server-2\.dc2 at .*: no answer in time\. Nothing was done/,
    );
    assert.equal((await dc1.send("PUT", "/v1/kv/a?dc=dc3", "x")).text, "true");
    assert.equal((await dc3.send("PUT", "/v1/kv/a?dc=dc1", "x")).text, "true");
    await dc2.signal("SIGCONT");
    await until(dc1, "/v1/kv/a?dc=dc2", 404);

    await dc3.signal("SIGKILL");
    const dead = await dc2.send("PUT", "/v1/kv/b?dc=dc3", "x");
    assert.match(dead.text, /datacenter 'dc3' from datacenter 'dc2': .*Nothing was done there/);
    dc3.start();
    // What it remembers of the pool brings it back, and its data are there.
    assert.equal(await until(dc2, "/v1/kv/a?dc=dc3&raw", 200), "x");

    await first(groups[0] as GroupProcesses).signal("SIGKILL");
    assert.match((await dc1.send("GET", "/v1/kv/a?dc=edge")).text, /gateway\.edge at http:\/\/127\.0\.0\.1:\d+: /);
    for (const { log } of [dc1, dc2, dc3]) assert.ok(!log.includes(TOKEN) && !log.includes("this is a bug"), log);
  } finally {
    await Promise.all(groups.map((group) => group.stop()));
  }
});

test(
  "datacenters: a write into one that stops and goes on is done once, or reported",
  { timeout: 180_000 },
  async () => {
    const wan = await freePorts(2);
    const words = (at: number): string[] => [
      `-datacenter=dc${at + 1}`,
      `-serf-wan-port=${wan[at]}`,
      `-retry-join-wan=127.0.0.1:${wan[0]}`,
      "-retry-interval-wan=1s",
    ];
    const groups: GroupProcesses[] = [];
    try {
      for (const at of [0, 1]) groups.push(await GroupProcesses.start(["node"], { words: words(at) }));
      const [dc1, dc2] = groups.map(first) as [ServerProcess, ServerProcess];
      await until(dc1, "/v1/status/leader?dc=dc2", 200);
      let done = 0;
      let unknown = 0;
      let undone = 0;
      for (let round = 0; round < 12; round += 1) {
        const key = `/v1/kv/k${round}?dc=dc2`;
        const stop = sleep(round % 3 === 2 ? 500 : round % 4).then(() => dc2.signal("SIGSTOP"));
        // With `cas=0` a write that is done twice says false.
        const reply = await dc1.send("PUT", `${key}&cas=0`, "x");
        await stop;
        await dc2.signal("SIGCONT");
        const after = await dc2.send("GET", `/v1/kv/k${round}?raw`);
        if (reply.status === 200) {
          assert.equal(reply.text, "true");
          assert.equal(after.text, "x");
          done += 1;
        } else if (reply.text.includes("The write may have been done there")) unknown += 1;
        else {
          assert.match(reply.text, /Nothing was done there/);
          assert.equal(after.status, 404);
          undone += 1;
        }
        await until(dc1, "/v1/status/leader?dc=dc2", 200);
      }
      assert.equal(done + unknown + undone, 12);
      assert.ok(done > 0 && done < 12, `${done} done, ${unknown} unknown, ${undone} undone`);
    } finally {
      await Promise.all(groups.map((group) => group.stop()));
    }
  },
);
