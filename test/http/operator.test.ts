import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";
import { startTestAgent, type TestAgent } from "../support/agent.ts";

let agent: TestAgent;
beforeEach(async () => {
  agent = await startTestAgent();
});
afterEach(async () => {
  await agent.stop();
});

const AUTOPILOT = "/v1/operator/autopilot/configuration";
const HEALTH = "/v1/operator/autopilot/health";
const ID = "11111111-1111-1111-1111-111111111111";

test("the Raft configuration: lists the one server, who leads", async () => {
  for (const path of ["/v1/operator/raft/configuration", "/v1/operator/raft/configuration?stale"]) {
    const body = (await agent.fetch("GET", path)).json();
    assert.deepEqual(
      { ...body, Servers: body.Servers.map((server: object) => ({ ...server, LastIndex: "any" })) },
      {
        Servers: [
          {
            ID,
            Node: "n1",
            Address: "127.0.0.1:8300",
            Leader: true,
            ProtocolVersion: "3",
            Voter: true,
            LastIndex: "any",
          },
        ],
        Index: 0,
      },
    );
  }
});

const removals: readonly [string, number, string][] = [
  ["", 400, "Must specify either ?id with the server's ID or ?address with IP:port of peer to remove"],
  ["?id=a&address=b", 400, "Must specify only one of ?id or ?address"],
  ["?address=127.0.0.1:1", 500, 'address "127.0.0.1:1" was not found in the Raft configuration'],
  ["?id=nobody", 500, 'id "nobody" was not found in the Raft configuration'],
  [`?id=${ID}`, 500, "the configuration change is not possible"],
  ["?id=x&dc=elsewhere", 500, "No path to datacenter"],
];
for (const [query, status, text] of removals) {
  test(`removing a server ${query}: is ${status}`, async () => {
    const reply = await agent.fetch("DELETE", `/v1/operator/raft/peer${query}`);
    assert.deepEqual([reply.status, reply.text], [status, text]);
  });
}

test("handing leadership over: needs somebody to take it", async () => {
  const alone = await agent.fetch("POST", "/v1/operator/raft/transfer-leader");
  assert.equal(alone.status, 500);
  assert.match(alone.text, /another voting server/);
  const unknown = await agent.fetch("POST", "/v1/operator/raft/transfer-leader?id=nobody");
  assert.match(unknown.text, /id "nobody" was not found/);
  await assert.rejects(agent.agent.server.group.transfer("nobody"), /not possible/);
  assert.equal(agent.agent.server.leading, true);
});

test("a change of the group: adds a server that counts for nothing until it is promoted", async () => {
  const { group } = agent.agent.server;
  await group.change({ kind: "add", id: "s2", address: "127.0.0.2:8300" });
  const { Servers } = (await agent.fetch("GET", "/v1/operator/raft/configuration")).json();
  assert.deepEqual(
    Servers.map(({ ID: id, Node, Voter }: { ID: string; Node: string; Voter: boolean }) => [id, Node, Voter]),
    [
      [ID, "n1", true],
      ["s2", "(unknown)", false],
    ],
  );
  assert.equal((await agent.fetch("PUT", "/v1/kv/a", "1")).status, 200);
  assert.equal((await agent.fetch("DELETE", "/v1/operator/raft/peer?id=s2")).status, 200);
  assert.equal(group.servers.length, 1);
});

test("the autopilot configuration: begins as the files say, and is replaced whole", async () => {
  const first = (await agent.fetch("GET", AUTOPILOT)).json();
  const { CreateIndex, ModifyIndex, ...settings } = first;
  assert.equal(CreateIndex, ModifyIndex);
  assert.deepEqual(settings, {
    CleanupDeadServers: true,
    LastContactThreshold: "200ms",
    MaxTrailingLogs: 250,
    MinQuorum: 0,
    ServerStabilizationTime: "10s",
    RedundancyZoneTag: "",
    DisableUpgradeMigration: false,
    UpgradeVersionTag: "",
  });
  const body = { CleanupDeadServers: false, LastContactThreshold: "300ms", MaxTrailingLogs: 100 };
  assert.equal((await agent.fetch("PUT", AUTOPILOT, body)).text, "true");
  const second = (await agent.fetch("GET", AUTOPILOT)).json();
  assert.deepEqual(
    [second.CleanupDeadServers, second.LastContactThreshold, second.MaxTrailingLogs, second.ServerStabilizationTime],
    [false, "300ms", 100, "10s"],
  );
  assert.ok(second.ModifyIndex > first.ModifyIndex && second.CreateIndex === first.CreateIndex);
  assert.equal((await agent.fetch("PUT", `${AUTOPILOT}?cas=${first.ModifyIndex}`, body)).text, "false");
  assert.equal((await agent.fetch("PUT", `${AUTOPILOT}?cas=${second.ModifyIndex}`, {})).text, "true");
  assert.equal((await agent.fetch("GET", AUTOPILOT)).json().CleanupDeadServers, true);
});

test("the autopilot configuration of the files: is that of a new cluster only", async () => {
  await agent.stop();
  const settings = { autopilot: { max_trailing_logs: 7, last_contact_threshold: "1s" } };
  const { log, blobs } = (agent = await startTestAgent({ settings })).platform;
  const written = (await agent.fetch("GET", AUTOPILOT)).json();
  assert.deepEqual([written.MaxTrailingLogs, written.LastContactThreshold], [7, "1s"]);
  await agent.stop();
  agent = await startTestAgent({ log, blobs });
  assert.equal((await agent.fetch("GET", AUTOPILOT)).json().MaxTrailingLogs, 7);
});

const faults: readonly [string, unknown, RegExp][] = [
  ["", "{", /^Error parsing autopilot config: unexpected EOF$/],
  ["", { LastContactThreshold: "x" }, /^Error parsing autopilot config: time: invalid duration/],
  ["", { MaxTrailingLogs: -1 }, /must not be negative/],
  ["", { RedundancyZoneTag: "zone" }, /RedundancyZoneTag is a Consul Enterprise feature/],
  ["?cas=x", {}, /^Error parsing cas value: strconv\.ParseUint/],
  ["?cas", {}, /^Error parsing cas value: /],
];
for (const [query, body, text] of faults) {
  test(`an autopilot configuration ${query} ${JSON.stringify(body)}: is refused`, async () => {
    const reply = await agent.fetch("PUT", AUTOPILOT + query, body as object);
    assert.equal(reply.status, 400);
    assert.match(reply.text, text);
  });
}

test("health: a server is not healthy before it was looked at, and then as it is", async () => {
  const young = await agent.fetch("GET", HEALTH);
  assert.equal(young.status, 429);
  assert.equal(young.json().Healthy, false);
  await agent.advance(3000);
  const reply = await agent.fetch("GET", HEALTH);
  assert.equal(reply.status, 200);
  const { Healthy, FailureTolerance, Servers } = reply.json();
  const { LastIndex, LastTerm, Version, ...server } = Servers[0];
  assert.deepEqual([Healthy, FailureTolerance], [true, 0]);
  assert.deepEqual(server, {
    ID,
    Name: "n1",
    Address: "127.0.0.1:8300",
    SerfStatus: "alive",
    Leader: true,
    LastContact: "0s",
    Healthy: true,
    Voter: true,
    StableSince: "2030-01-01T00:00:03Z",
  });
  assert.ok(LastIndex > 1 && LastTerm > 0 && /^\d/.test(Version));
  await agent.advance(60_000);
  assert.equal((await agent.fetch("GET", HEALTH)).json().Servers[0].StableSince, "2030-01-01T00:00:03Z");
});

test("health: a server alone asks for no timer", async () => {
  await agent.advance(3000);
  const { pending } = agent.agent.timers;
  await agent.fetch("GET", HEALTH);
  assert.equal(agent.agent.timers.pending, pending);
});

test("autopilot's state: says what each server is", async () => {
  await agent.advance(3000);
  const state = (await agent.fetch("GET", "/v1/operator/autopilot/state")).json();
  assert.deepEqual(
    [state.Healthy, state.FailureTolerance, state.OptimisticFailureTolerance, state.Leader, state.Voters],
    [true, 0, 0, ID, [ID]],
  );
  const { Status, NodeStatus, NodeType, ReadReplica } = state.Servers[ID];
  assert.deepEqual([Status, NodeStatus, NodeType, ReadReplica], ["leader", "alive", "voter", false]);
});

test("usage: counts what is registered, and blocks", async () => {
  await agent.fetch("PUT", "/v1/catalog/register", {
    Node: "a",
    Address: "10.0.0.1",
    Service: { Service: "web", Port: 80 },
  });
  const reply = await agent.fetch("GET", "/v1/operator/usage");
  const { Usage, Index, KnownLeader, ConsistencyLevel } = reply.json();
  assert.deepEqual(Usage.dc1, {
    Nodes: 2,
    Services: 2,
    ServiceInstances: 2,
    ConnectServiceInstances: {
      "api-gateway": 0,
      "connect-native": 0,
      "connect-proxy": 0,
      "ingress-gateway": 0,
      "mesh-gateway": 0,
      "terminating-gateway": 0,
    },
    BillableServiceInstances: 1,
  });
  assert.deepEqual([String(Index), KnownLeader, ConsistencyLevel], [reply.header("x-consul-index"), true, "leader"]);
  const waiting = agent.fetch("GET", `/v1/operator/usage?index=${Index}&wait=5m`);
  await agent.settle();
  await agent.fetch("PUT", "/v1/catalog/register", { Node: "b", Address: "10.0.0.2" });
  assert.equal((await waiting).json().Usage.dc1.Nodes, 3);
});

const keyring: readonly [string, string, number, RegExp][] = [
  ["GET", "", 500, /keyring is not enabled/],
  ["POST", "", 500, /keyring is not enabled/],
  ["GET", "?relay-factor=x", 400, /^Error parsing relay factor: /],
  ["GET", "?relay-factor=6", 400, /^Invalid relay-factor: /],
  ["PUT", "?local-only=true", 400, /^Invalid use of local-only: /],
  ["GET", "?local-only=maybe", 400, /^Error parsing local-only: /],
];
for (const [method, query, status, text] of keyring) {
  test(`${method} of the keyring ${query}: is ${status}`, async () => {
    const reply = await agent.fetch(
      method,
      `/v1/operator/keyring${query}`,
      method === "GET" ? undefined : { Key: "x" },
    );
    assert.equal(reply.status, status);
    assert.match(reply.text, text);
  });
}

test("utilization: is not of this edition", async () => {
  const reply = await agent.fetch("GET", "/v1/operator/utilization");
  assert.deepEqual([reply.status, reply.text], [404, "operator utilization requires Consul Enterprise"]);
});
