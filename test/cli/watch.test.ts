import assert from "node:assert/strict";
import { test } from "node:test";
import { runCli } from "../../src/cli/run.ts";
import type { Answer } from "../client/fake-agent.ts";
import { never } from "../client/fake-agent.ts";
import { FakeIo, run, until } from "./fake-io.ts";

const self = { "GET /v1/agent/self": { body: { Config: {} } } };
const once: Record<string, { line: string; answer: Record<string, Answer | unknown[] | string>; out: string }> = {
  key: {
    line: "watch -type=key -key=w/a",
    answer: {
      "GET /v1/kv/w/a?wait=2m":
        '[{"LockIndex":0,"Key":"w/a","Flags":3304740253564472344,"Value":"MQ==","CreateIndex":4,"ModifyIndex":5}]',
    },
    out: `{
    "Key": "w/a",
    "CreateIndex": 4,
    "ModifyIndex": 5,
    "LockIndex": 0,
    "Flags": 3304740253564472344,
    "Value": "MQ==",
    "Session": ""
}
`,
  },
  "key that is not there": {
    line: "watch -type=key -key=none",
    answer: { "GET /v1/kv/none?wait=2m": { status: 404 } },
    out: "null\n",
  },
  keyprefix: {
    line: "watch -type=keyprefix -prefix=w/",
    answer: { "GET /v1/kv/w/?recurse=&wait=2m": [] },
    out: "[]\n",
  },
  services: {
    line: "watch -type=services -stale -filter=x",
    answer: { "GET /v1/catalog/services?stale=&wait=2m&filter=x": { body: { consul: [] } } },
    out: '{\n    "consul": []\n}\n',
  },
  nodes: { line: "watch -type=nodes", answer: { "GET /v1/catalog/nodes?wait=2m": [] }, out: "[]\n" },
  service: {
    line: "watch -type=service -service=web -tag=a -tag=b -passingonly=true",
    answer: { "GET /v1/health/service/web?passing=&tag=a&tag=b&wait=2m": [] },
    out: "[]\n",
  },
  "checks of a service": {
    line: "watch -type=checks -service=web",
    answer: { "GET /v1/health/checks/web?wait=2m": [] },
    out: "[]\n",
  },
  "checks of a state": { line: "watch -type=checks", answer: { "GET /v1/health/state/any?wait=2m": [] }, out: "[]\n" },
  event: {
    line: "watch -type=event -name=deploy",
    answer: { "GET /v1/event/list?name=deploy&wait=2m": [{ ID: "e1", Payload: "MQ==" }] },
    out: '[\n    {\n        "ID": "e1",\n        "Payload": "MQ=="\n    }\n]\n',
  },
  connect_roots: {
    line: "watch -type=connect_roots",
    answer: { "GET /v1/agent/connect/ca/roots?wait=2m": { body: { Roots: [] } } },
    out: '{\n    "Roots": []\n}\n',
  },
  agent_service: {
    line: "watch -type=agent_service -service=web-1",
    answer: {
      "GET /v1/agent/service/web-1?wait=2m": { body: { ID: "web-1" }, headers: { "X-Consul-ContentHash": "h" } },
    },
    out: '{\n    "ID": "web-1"\n}\n',
  },
};
for (const [name, { line, answer, out }] of Object.entries(once))
  test(`a watch of ${name} without a command prints the result once`, async () => {
    const ran = await run(line, { ...self, ...answer });
    assert.deepEqual([ran.code, ran.out, ran.err], [0, out, ""]);
    assert.deepEqual(ran.lines.slice(1), Object.keys(answer));
  });

test("what does not describe a watch is refused", async () => {
  const rows: [string, RegExp][] = [
    ["watch", /Watch type must be specified/],
    ["watch -type=nope", /Unsupported watch type: nope/],
    ["watch -type=key", /Must specify a single key to watch/],
    ["watch -type=keyprefix", /Must specify a single prefix/],
    ["watch -type=service", /Must specify a single service/],
    ["watch -type=service -service=web -passingonly=maybe", /passingonly/],
    ["watch -type=checks -service=a -state=any", /Cannot specify service and state/],
  ];
  for (const [line, err] of rows) {
    const ran = await run(line, self);
    assert.equal(ran.code, 1, line);
    assert.match(ran.err, err);
    assert.equal(ran.lines.length, 0);
  }
});

test("an agent that cannot be reached ends the watch at once", async () => {
  const { code, err } = await run("watch -type=nodes", { "GET /v1/agent/self": { status: 500, body: "no" } });
  assert.equal(code, 1);
  assert.match(err, /Error querying Consul agent/);
});

test("the command runs at first and at each change, with the JSON as its input and the index in its environment", async () => {
  const values = ["MQ==", "MQ==", "Mg=="];
  let at = 0;
  const io = new FakeIo(["watch", "-type=key", "-key=k", "./handle", "-h"], (asked) => {
    if (asked.line.startsWith("GET /v1/agent/self")) return { body: {} };
    const Value = values[at];
    at += 1;
    if (Value === undefined) return never(asked);
    return { headers: { "X-Consul-Index": String(40 + at) }, body: [{ Key: "k", Value }] };
  });
  io.env = { SHELL: "/bin/ksh" };
  const done = runCli(io);
  await until(() => at === 4);
  io.signal("SIGINT");
  assert.equal(await done, 0);
  assert.deepEqual(
    io.children.map(({ args, options }) => [
      args,
      options.env.CONSUL_INDEX,
      new TextDecoder().decode(options.stdin as Uint8Array),
    ]),
    [
      [["/bin/ksh", "-c", "./handle -h"], "41", '{"Key":"k","Value":"MQ==","Session":""}\n'],
      [["/bin/ksh", "-c", "./handle -h"], "43", '{"Key":"k","Value":"Mg==","Session":""}\n'],
    ],
  );
});

test("a command that fails ends the watch", async () => {
  const { code, err, io } = await run(
    "watch -shell=false -type=nodes prog",
    { ...self, "GET /v1/catalog/nodes": [] },
    (fake) => {
      fake.onSpawn = (child) => child.end({ code: 3, signal: null });
    },
  );
  assert.equal(code, 1);
  assert.deepEqual(
    io.children.map(({ args }) => args),
    [["prog"]],
  );
  assert.match(err, /Error executing handler: exit status 3/);
});

test("a failing query is told and tried again", async () => {
  let asked = 0;
  const io = new FakeIo(["watch", "-type=nodes"], ({ line }) => {
    if (line.startsWith("GET /v1/agent/self")) return { body: {} };
    asked += 1;
    return asked === 1 ? { status: 500, body: "No cluster leader" } : { body: [] };
  });
  const done = runCli(io);
  await until(() => io.sleeps.size === 1);
  io.advance(5_000);
  assert.equal(await done, 0);
  assert.equal(io.out, "[]\n");
  assert.match(io.err, /Watch \(type: nodes\) errored: .*No cluster leader.*, retry in 5s/);
});
