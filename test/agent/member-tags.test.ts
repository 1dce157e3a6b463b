import assert from "node:assert/strict";
import { test } from "node:test";
import {
  catalogMember,
  isServer,
  MEMBER_VERSIONS,
  memberTags,
  serverTags,
  shownMember,
} from "../../src/agent/member-tags.ts";
import { plainIp, resolveAddresses, splitHostPort, withPort } from "../../src/agent/pool-address.ts";
import { poolSettings } from "../../src/agent/pool-settings.ts";
import { formatMemory, parseMemory } from "../../src/agent/pool-snapshot.ts";
import type { AgentConfig } from "../../src/config/agent-config.ts";
import { checkOptions } from "../../src/gossip/options.ts";
import type { MemberView, Tags } from "../../src/gossip/types.ts";
import { testConfig } from "../support/agent.ts";

const config = (change: Partial<AgentConfig> = {}): AgentConfig => ({
  ...testConfig({ flags: ["-dev"] }),
  nodeName: "n1",
  nodeId: "11111111-1111-1111-1111-111111111111",
  dev: false,
  bootstrap: false,
  bootstrapExpect: 0,
  ...change,
});
const view = (tags: Tags, change: Partial<MemberView> = {}): MemberView => ({
  name: "n1",
  address: "10.0.0.1:8301",
  anchor: null,
  tags,
  versions: MEMBER_VERSIONS,
  status: "alive",
  incarnation: 1,
  ...change,
});

test("member tags: a server's say what others need to know of it", () => {
  const base = config();
  const tags = memberTags({ ...base, bootstrapExpect: 3, ports: { ...base.ports, grpc: 8502, grpcTls: 8503 } });
  const { build, ...rest } = tags;
  assert.match(build ?? "", /^\d+\.\d+\.\d+:proconsul-/);
  assert.deepEqual(
    { ...rest },
    {
      role: "consul",
      dc: "dc1",
      segment: "",
      id: "11111111-1111-1111-1111-111111111111",
      vsn: "2",
      vsn_min: "2",
      vsn_max: "3",
      port: "8300",
      wan_join_port: "8302",
      raft_vsn: "3",
      acls: "0",
      ft_fs: "1",
      ft_si: "1",
      grpc_port: "8502",
      grpc_tls_port: "8503",
      expect: "3",
    },
  );
  assert.equal(memberTags(config({ bootstrap: true })).bootstrap, "1");
  const read = serverTags(view(tags, { address: "[fd00::1]:8301" }));
  assert.deepEqual(read, {
    id: "11111111-1111-1111-1111-111111111111",
    datacenter: "dc1",
    address: "[fd00::1]:8300",
    version: (build ?? "").split(":")[0],
    expect: 3,
    isBootstrap: false,
    isReadReplica: false,
    wanJoinPort: 8302,
  });
});

test("member tags: a client's, and the time it asks to be remembered", () => {
  const tags = memberTags(config({ server: false, advertiseReconnectTimeoutMs: 90_000 }));
  assert.equal(tags.role, "node");
  assert.equal(tags.rc_tm, "1m30s");
  assert.equal(tags.port, undefined);
  assert.equal(isServer(tags), false);
  assert.equal(serverTags(view(tags)), null);
  assert.equal(catalogMember(view(tags)).server, null);
});

test("member tags: what the catalog and the API are told of a member", () => {
  const tags = memberTags(config());
  const member = catalogMember(view({ ...tags, read_replica: "1" }, { status: "failed" }));
  assert.equal(member.address, "10.0.0.1");
  assert.equal(member.status, "failed");
  assert.equal(member.server?.port, 8300);
  assert.equal(member.server?.meta.non_voter, "true");
  assert.equal(member.server?.meta.serf_protocol_current, "2");
  const statuses = { alive: 1, leaving: 2, left: 3, failed: 4 } as const;
  for (const [status, number] of Object.entries(statuses)) {
    const shown = shownMember(view(tags, { status: status as keyof typeof statuses, address: "[::1]:8301" }));
    assert.deepEqual([shown.Status, shown.Addr, shown.Port], [number, "::1", 8301]);
  }
});

test("member tags: tags of who means no good say nothing", () => {
  for (const port of ["", "-1", "1e3", "70000", "8300x", "123456"])
    assert.equal(serverTags(view({ role: "consul", port })), null, port);
  const member = catalogMember(view({}));
  assert.deepEqual([member.id, member.datacenter, member.server], ["", "", null]);
});

test("pool addresses: hosts, ports and what is between", () => {
  const rows: [string, string, number][] = [
    ["10.0.0.1:8301", "10.0.0.1", 8301],
    ["10.0.0.1", "10.0.0.1", 0],
    ["[::1]:8301", "::1", 8301],
    ["[::1]", "::1", 0],
    ["fd00::2", "fd00::2", 0],
    ["web.example:1", "web.example", 1],
  ];
  for (const [address, host, port] of rows) assert.deepEqual(splitHostPort(address), { host, port }, address);
  assert.equal(withPort("fd00:0:0::2", 8301), "[fd00::2]:8301");
  assert.equal(withPort(" web.example ", 8301), "web.example:8301");
  assert.equal(withPort("10.0.0.1:99", 8301), "10.0.0.1:99");
  assert.equal(plainIp("::ffff:10.0.0.1"), "10.0.0.1");
  assert.equal(plainIp("fe80::1%eth0"), "fe80::1");
});

test("pool addresses: names are resolved where the platform can, once each", async () => {
  const resolve = async (name: string): Promise<readonly string[]> => {
    if (name !== "a.example") throw new Error(`lookup ${name}: no such host`);
    return ["10.0.0.1", "fd00::1"];
  };
  const written = ["a.example", "10.0.0.1:8301", "b.example:1"];
  assert.deepEqual(await resolveAddresses(written, { platform: { resolve }, defaultPort: 8301 }), {
    found: ["10.0.0.1:8301", "[fd00::1]:8301"],
    failures: [{ address: "b.example:1", reason: "unreachable", text: "lookup b.example: no such host" }],
  });
  assert.deepEqual(await resolveAddresses(written, { platform: {}, defaultPort: 8301 }), {
    found: ["a.example:8301", "10.0.0.1:8301", "b.example:1"],
    failures: [],
  });
});

test("pool settings: timings of the configuration, in an order that the machine takes", () => {
  const base = config();
  const lan = poolSettings(base, "lan");
  checkOptions({ ...lan.gossip, seed: 1 });
  assert.ok(lan.gossip.timings.probeTimeoutMs < lan.gossip.timings.probeIntervalMs);
  const slow = { ...base.gossipLan, probeIntervalMs: 2000, probeTimeoutMs: 900, suspicionMult: 7, gossipNodes: 5 };
  const { timings } = poolSettings({ ...base, gossipLan: slow }, "lan").gossip;
  assert.deepEqual(
    [timings.probeIntervalMs, timings.probeTimeoutMs, timings.suspicionMult, timings.gossipNodes],
    [2000, 900, 7, 5],
  );
  const wan = poolSettings(base, "wan");
  assert.equal(wan.gossip.name, "n1.dc1");
  assert.equal(wan.gossip.timings.pushPullIntervalMs, 60_000);
  assert.equal(wan.gossip.reconnectTimeoutTag, null);
});

test("pool snapshot: comes back as it was written, and lines that are none are passed over", () => {
  const memory = {
    members: [
      { name: "a b", address: "10.0.0.1:8301", isAlive: true },
      { name: "c", address: "[::1]:8301", isAlive: false },
    ],
    memberTime: 7,
    eventTime: 2 ** 40,
    hasLeft: true,
  };
  assert.deepEqual(parseMemory(formatMemory(memory)), memory);
  const none = { members: [], memberTime: 0, eventTime: 0, hasLeft: false };
  assert.deepEqual(parseMemory("alive: x\nclock: -1\nclock: x\nleaves\n\u0000\nnot-alive: a 1\n"), none);
  assert.ok(parseMemory(`clock: ${"9".repeat(40)}\n`).memberTime <= 2 ** 48);
});
