// The watches of a configuration, in a whole agent: each type, its handlers, what fires them and what does not.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { ExecOptions, ExecResult } from "../../src/platform.ts";
import { text, utf8 } from "../../src/util/bytes.ts";
import { startTestAgent, testConfig, type TestAgent } from "../support/agent.ts";

interface Call {
  args: readonly string[];
  index: string;
  // oxlint-disable-next-line typescript/no-explicit-any -- tests look into it as they like
  value: any;
}

const done = (output = "", exitCode: number | null = 0): ExecResult => ({
  exitCode,
  timedOut: false,
  output: utf8(output),
  outputTotal: output.length,
});

/** Runs no program, and remembers what it was asked to run. */
class Programs {
  readonly calls: Call[] = [];
  result: (call: Call) => ExecResult | Promise<ExecResult> = () => done();
  readonly run = async (args: readonly string[], { stdin, env, outputBytes }: ExecOptions): Promise<ExecResult> => {
    const json = text(stdin as Uint8Array);
    assert.ok(json.endsWith("\n"));
    assert.equal(outputBytes, 4096);
    const call = { args, index: env?.["CONSUL_INDEX"] ?? "", value: JSON.parse(json) as unknown };
    this.calls.push(call);
    return this.result(call);
  };
  /** What was passed since this was asked last. */
  take(): unknown[] {
    return this.calls.splice(0).map(({ value }) => value);
  }
}

/** An agent with these watches, each with a program for its handler. */
async function watching(programs: Programs, ...watches: object[]): Promise<TestAgent> {
  const settings = { watches: watches.map((watch, at) => ({ args: [`handler${at}`], ...watch })) };
  const agent = await startTestAgent({ settings, platform: { exec: programs } });
  // The agent's own registration comes before all that a test does.
  await agent.advance(0);
  return agent;
}

async function withAgent(
  watches: object[],
  body: (agent: TestAgent, programs: Programs) => Promise<void>,
): Promise<void> {
  const programs = new Programs();
  const agent = await watching(programs, ...watches);
  try {
    await body(agent, programs);
  } finally {
    await agent.stop();
  }
}

test("key: first whatever there is, then each change, and nothing for what others change", () =>
  withAgent([{ type: "key", key: "a" }], async (agent, programs) => {
    assert.deepEqual(programs.take(), [null]);
    await agent.fetch("PUT", "/v1/kv/a?flags=7", "hello");
    await agent.settle();
    const [{ args, index, value }] = programs.calls as [Call];
    assert.deepEqual(args, ["handler0"]);
    assert.equal(index, String(value.ModifyIndex));
    assert.deepEqual(Object.keys(value), [
      "Key",
      "CreateIndex",
      "ModifyIndex",
      "LockIndex",
      "Flags",
      "Value",
      "Session",
    ]);
    assert.deepEqual([value.Key, value.Flags, value.Value, value.Session], ["a", 7, "aGVsbG8=", ""]);
    programs.take();
    await agent.fetch("PUT", "/v1/kv/b", "other");
    await agent.advance(600_000);
    assert.deepEqual(programs.take(), []);
    await agent.fetch("DELETE", "/v1/kv/a");
    await agent.settle();
    assert.deepEqual(programs.take(), [null]);
  }));

test("keyprefix: the entries below it, null when there are none", () =>
  withAgent([{ type: "keyprefix", prefix: "p/" }], async (agent, programs) => {
    assert.deepEqual(programs.take(), [null]);
    await agent.fetch("PUT", "/v1/kv/p/1", "x");
    await agent.settle();
    const [entries] = programs.take() as [{ Key: string }[]];
    assert.deepEqual(
      entries.map(({ Key }) => Key),
      ["p/1"],
    );
    await agent.fetch("PUT", "/v1/kv/q", "x");
    await agent.settle();
    assert.deepEqual(programs.take(), []);
  }));

test("services, nodes, service and checks: what the catalog says", () =>
  withAgent(
    [
      { type: "services" },
      { type: "nodes", filter: 'Node == "n2"' },
      { type: "service", service: "web", tag: ["v1"], passingonly: true },
      { type: "checks", service: "web" },
      { type: "checks", state: "critical" },
    ],
    async (agent, programs) => {
      await agent.settle();
      programs.take();
      const register = (status: string, tags: string[]) => ({
        Node: "n2",
        Address: "10.0.0.2",
        Service: { Service: "web", Port: 80, Tags: tags },
        Check: { CheckID: "c", Name: "c", ServiceID: "web", Status: status },
      });
      await agent.fetch("PUT", "/v1/catalog/register", register("passing", ["v1"]));
      await agent.settle();
      const seen = new Map(programs.calls.map(({ args, value }) => [args[0], value]));
      programs.take();
      assert.deepEqual(seen.get("handler0"), { consul: [], web: ["v1"] });
      assert.deepEqual(
        seen.get("handler1").map(({ Node }: { Node: string }) => Node),
        ["n2"],
      );
      assert.deepEqual(
        seen.get("handler2").map((row: { Service: { Port: number } }) => row.Service.Port),
        [80],
      );
      assert.deepEqual(
        seen.get("handler3").map(({ CheckID }: { CheckID: string }) => CheckID),
        ["c"],
      );
      assert.ok(!seen.has("handler4"), "nothing is critical, as before");
      await agent.fetch("PUT", "/v1/catalog/register", register("critical", ["v1"]));
      await agent.settle();
      const then = new Map(programs.calls.map(({ args, value }) => [args[0], value]));
      assert.deepEqual(then.get("handler2"), [], "it passes no more");
      assert.deepEqual(
        then.get("handler4").map(({ CheckID }: { CheckID: string }) => CheckID),
        ["c"],
      );
      assert.ok(!then.has("handler0"), "the services are what they were");
    },
  ));

test("event: only what is new, and of the name asked for", () =>
  withAgent([{ type: "event", name: "deploy" }], async (agent, programs) => {
    assert.deepEqual(programs.take(), [[]]);
    const fire = async (name: string, payload: string): Promise<void> => {
      await agent.fetch("PUT", `/v1/event/fire/${name}`, payload);
      await agent.settle();
    };
    const payloads = (): unknown[] =>
      (programs.take() as { Payload: string }[][]).map((list) => list.map(({ Payload }) => Payload));
    await fire("deploy", "1");
    assert.deepEqual(payloads(), [["MQ=="]]);
    await fire("other", "2");
    assert.deepEqual(payloads(), []);
    for (const payload of ["3", "4", "5"]) await fire("deploy", payload);
    assert.deepEqual(payloads(), [["Mw=="], ["NA=="], ["NQ=="]]);
  }));

test("event: what comes while the handler runs is given to it together afterwards", () =>
  withAgent([{ type: "event" }], async (agent, programs) => {
    programs.take();
    let release: () => void = () => {};
    programs.result = () => new Promise((resolve) => (release = () => resolve(done())));
    for (const name of ["a", "b", "c"]) await agent.fetch("PUT", `/v1/event/fire/${name}`, "");
    await agent.settle();
    const names = (): unknown[] =>
      (programs.take() as { Name: string }[][]).map((list) => list.map(({ Name }) => Name));
    assert.deepEqual(names(), [["a"]]);
    release();
    await agent.settle();
    assert.deepEqual(names(), [["b", "c"]]);
  }));

test("agent_service: the agent's own service, when its definition changes", () =>
  withAgent([{ type: "agent_service", service_id: "web" }], async (agent, programs) => {
    assert.deepEqual(programs.take(), [], "there is no such service yet");
    await agent.fetch("PUT", "/v1/agent/service/register", { Name: "web", Port: 1 });
    await agent.advance(5000);
    await agent.fetch("PUT", "/v1/agent/service/register", { Name: "web", Port: 1, Check: { TTL: "1m" } });
    await agent.fetch("PUT", "/v1/agent/service/register", { Name: "web", Port: 2 });
    await agent.settle();
    assert.deepEqual(
      (programs.take() as { Port: number }[]).map(({ Port }) => Port),
      [1, 2],
    );
  }));

test("a read that fails is tried again after 5 s, 20 s, 45 s, and at most 3 min", () =>
  withAgent([{ type: "agent_service", service_id: "none" }], async (agent) => {
    const retries = (): unknown[] =>
      agent.platform.logs.filter(({ message }) => message === "Watch errored").map(({ fields }) => fields?.["retry"]);
    await agent.advance(5000 + 20_000 + 45_000 + 80_000 + 125_000 + 180_000 + 180_000);
    assert.deepEqual(retries(), ["5s", "20s", "45s", "80s", "125s", "180s", "180s", "180s"]);
    const [event] = agent.platform.logs.filter(({ message }) => message === "Watch errored");
    assert.equal(event?.fields?.["error"], "unknown service ID: none");
    assert.equal(event?.level, "error");
  }));

test("a datacenter that nobody knows is such a failure, and a stale read is none", () =>
  withAgent(
    [
      { type: "nodes", datacenter: "dc9" },
      { type: "nodes", stale: true },
    ],
    async (agent, programs) => {
      assert.deepEqual([...new Set(programs.calls.map(({ args }) => args[0]))], ["handler1"]);
      assert.ok(agent.platform.logs.some(({ fields }) => fields?.["error"] === "No path to datacenter"));
    },
  ));

test("a handler's output is kept at debug, and a failure is an error; the watch goes on", () =>
  withAgent([{ type: "key", key: "a" }], async (agent, programs) => {
    const logged = (level: string): unknown[] =>
      agent.platform.logs
        .filter((event) => event.level === level && event.fields?.["watch_handler"] === "handler0")
        .map(({ fields }) => fields?.["output"] ?? fields?.["error"]);
    programs.result = () => ({ exitCode: 0, timedOut: false, output: utf8("the end"), outputTotal: 5000 });
    await agent.fetch("PUT", "/v1/kv/a", "1");
    await agent.settle();
    assert.deepEqual(logged("debug").slice(1), ["Captured 7 of 5000 bytes\n...\nthe end"]);
    programs.result = () => done("oops", 3);
    await agent.fetch("PUT", "/v1/kv/a", "2");
    await agent.settle();
    programs.result = () => Promise.reject(new Error("exec: no such file"));
    await agent.fetch("PUT", "/v1/kv/a", "3");
    await agent.settle();
    assert.deepEqual(logged("error"), ["exit status 3: oops", "exec: no such file"]);
    programs.take();
    programs.result = () => done();
    await agent.fetch("PUT", "/v1/kv/a", "4");
    await agent.settle();
    assert.equal(programs.take().length, 1);
  }));

test("a line for the shell is run by it", () =>
  withAgent(
    [{ type: "nodes", args: undefined, handler: "cat > /dev/null; echo $CONSUL_INDEX" }],
    async (_agent, programs) => {
      assert.deepEqual(programs.calls[0]?.args, ["/bin/sh", "-c", "cat > /dev/null; echo $CONSUL_INDEX"]);
    },
  ));

test("an HTTP handler is sent the value, with its index", async () => {
  const sent: { url: string; method: string; headers: Headers; body: string }[] = [];
  let status = 200;
  const agent = await startTestAgent({
    settings: {
      watches: [
        {
          type: "key",
          key: "a",
          handler_type: "http",
          http_handler_config: {
            path: "http://hook.test/a",
            method: "PUT",
            header: { "X-A": ["1", "2"] },
            timeout: "3s",
          },
        },
      ],
    },
    platform: {
      fetch: async (request) => {
        sent.push({ url: request.url, method: request.method, headers: request.headers, body: await request.text() });
        if (status === 0) return new Promise(() => {});
        return new Response("thanks", { status });
      },
    },
  });
  try {
    await agent.fetch("PUT", "/v1/kv/a", "x");
    await agent.settle();
    const last = sent.at(-1);
    assert.deepEqual([last?.url, last?.method], ["http://hook.test/a", "PUT"]);
    assert.equal(last?.headers.get("x-a"), "1, 2");
    assert.equal(last?.headers.get("content-type"), "application/json");
    const value = JSON.parse(last?.body ?? "") as { Value: string; ModifyIndex: number };
    assert.equal(value.Value, "eA==");
    assert.equal(last?.headers.get("x-consul-index"), String(value.ModifyIndex));
    const errors = (): unknown[] =>
      agent.platform.logs
        .filter(({ message }) => message === "Failed to run watch handler")
        .map(({ fields }) => fields?.["error"]);
    status = 503;
    await agent.fetch("PUT", "/v1/kv/a", "y");
    await agent.settle();
    status = 0;
    await agent.fetch("PUT", "/v1/kv/a", "z");
    await agent.advance(3000);
    assert.deepEqual(errors(), ["status 503: thanks", "no answer within 3s"]);
  } finally {
    await agent.stop();
  }
});

test("where no program can be run, the handler says so", async () => {
  const agent = await startTestAgent({ settings: { watches: [{ type: "nodes", args: ["a"] }] } });
  await agent.settle();
  assert.ok(
    agent.platform.logs.some(({ fields }) =>
      String(fields?.["error"]).startsWith("this runtime does not run programs"),
    ),
  );
  await agent.stop();
});

test("a reload ends the watches there were and begins those of the new configuration", () =>
  withAgent([{ type: "key", key: "a" }], async (agent, programs) => {
    programs.take();
    agent.agent.reload(testConfig({ settings: { watches: [{ type: "key", key: "b", args: ["new"] }] } }));
    await agent.settle();
    assert.deepEqual(
      programs.calls.map(({ args }) => args[0]),
      ["new"],
    );
    programs.take();
    await agent.fetch("PUT", "/v1/kv/a", "1");
    await agent.fetch("PUT", "/v1/kv/b", "1");
    await agent.settle();
    assert.deepEqual(
      programs.calls.map(({ args }) => args[0]),
      ["new"],
    );
  }));

test("an agent that has stopped watches nothing, and no query of its watches is left waiting", async () => {
  const programs = new Programs();
  const agent = await watching(
    programs,
    { type: "key", key: "a" },
    { type: "event" },
    { type: "agent_service", service_id: "x" },
  );
  assert.equal(agent.agent.server.blocked, 1);
  await agent.stop();
  assert.equal(agent.agent.server.blocked, 0);
  programs.take();
  await agent.advance(600_000);
  assert.deepEqual(programs.take(), []);
});
