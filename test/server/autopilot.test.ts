import assert from "node:assert/strict";
import { test } from "node:test";
import { healthShape, stateShape } from "../../src/endpoint/operator.ts";
import { Timers } from "../../src/host/timers.ts";
import type { Raft } from "../../src/raft/raft.ts";
import { Autopilot, type ServerMember } from "../../src/server/autopilot.ts";

/** A leader `a` with voters `b` and `c`, as its Raft machine and the pool see them; a test turns what it likes. */
class Group {
  nowMs = 0;
  woken: number | null = null;
  leader: string | null = "a";
  lastIndex = 1000;
  lastTerm = 3;
  readonly match = new Map([
    ["b", 1000],
    ["c", 1000],
  ]);
  readonly heardMs = new Map([
    ["b", 0],
    ["c", 0],
  ]);
  readonly status = new Map<string, ServerMember["status"]>([
    ["a", "alive"],
    ["b", "alive"],
    ["c", "alive"],
  ]);
  readonly diverged = new Set<string>();
  servers = ["a", "b", "c"].map((id) => ({ id, address: `${id}:8300`, voter: true }));
  readonly timers = new Timers({ now: () => this.nowMs, wakeAt: (at) => (this.woken = at) });
  readonly autopilot: Autopilot;
  sleeps = false;

  constructor() {
    this.autopilot = new Autopilot({
      timers: this.timers,
      raft: raftOf(this),
      now: () => this.nowMs,
      wall: () => 1_000_000 + this.nowMs,
      thresholds: () => ({ lastContactMs: 200, maxTrailingLogs: 250 }),
      member: (id) => {
        const status = this.status.get(id);
        return status === undefined ? null : { name: `node-${id}`, status, version: "1", meta: {} };
      },
      diverged: (id) => this.diverged.has(id),
      sleeps: () => this.sleeps,
      looked: () => {},
    });
    this.autopilot.changed();
  }

  /** Lets the servers be heard and time pass. */
  pass(ms: number, heard: readonly string[] = ["b", "c"]): void {
    this.nowMs += ms;
    for (const id of heard) this.heardMs.set(id, this.nowMs);
    this.timers.wake();
  }

  healthy(): Record<string, boolean> {
    return Object.fromEntries(this.autopilot.health.servers.map(({ id, healthy }) => [id, healthy]));
  }
}

/** What the group's leader says of itself. */
function raftOf(group: Group): Raft {
  return {
    id: "a",
    configurationIndex: 7,
    get leader() {
      return group.leader;
    },
    get lastIndex() {
      return group.lastIndex;
    },
    get lastTerm() {
      return group.lastTerm;
    },
    get configuration() {
      return { servers: group.servers };
    },
    get progress() {
      return group.servers
        .filter(({ id }) => id !== "a")
        .map(({ id }) => ({ id, match: group.match.get(id) ?? 0, lastContactMs: group.heardMs.get(id) ?? 0 }));
    },
    termAt: (index: number) => (index >= 900 ? group.lastTerm : index === 0 ? null : group.lastTerm - 1),
    lastContact: () => (group.leader === "a" ? 0 : 5000),
  } as unknown as Raft;
}

test("servers that were never looked at: are not healthy, and hold the entry that names them", () => {
  const group = new Group();
  const { servers, healthy, failureTolerance } = group.autopilot.health;
  assert.deepEqual([healthy, failureTolerance], [false, 0]);
  assert.deepEqual(
    servers.map(({ id, lastIndex, leader, name }) => [id, lastIndex, leader, name]),
    [
      ["a", 7, false, "node-a"],
      ["b", 7, false, "node-b"],
      ["c", 7, false, "node-c"],
    ],
  );
});

test("three servers in order: one may be lost", () => {
  const group = new Group();
  group.pass(2000);
  const { servers, healthy, failureTolerance } = group.autopilot.health;
  assert.deepEqual([healthy, failureTolerance], [true, 1]);
  assert.deepEqual(
    servers.map(({ leader, lastContactMs, lastTerm, lastIndex }) => [leader, lastContactMs, lastTerm, lastIndex]),
    [
      [true, 0, 3, 1000],
      [false, 0, 3, 1000],
      [false, 0, 3, 1000],
    ],
  );
});

test("a new leader: what it saw as a follower counts for nothing, so a server that fails then is given its time", () => {
  const group = new Group();
  group.leader = "c";
  group.pass(60_000, []);
  group.leader = "a";
  group.autopilot.led();
  group.status.set("c", "failed");
  group.pass(2000, ["b"]);
  const { servers } = group.autopilot.health;
  assert.deepEqual(
    servers.map(({ id, healthy, stableMs }) => [id, healthy, stableMs]),
    [
      ["a", true, 0],
      ["b", true, 0],
      ["c", false, 2000],
    ],
  );
});

const ailments: readonly [string, (group: Group) => void, Record<string, boolean>][] = [
  ["not heard of for longer than the threshold", (group) => group.pass(2000, ["c"]), { a: true, b: false, c: true }],
  [
    "too far behind",
    (group) => {
      group.match.set("b", 949);
      group.lastIndex = 1200;
      group.match.set("c", 950);
      group.pass(2000);
    },
    { a: true, b: false, c: true },
  ],
  [
    "with a log of an older term",
    (group) => {
      group.match.set("b", 890);
      group.pass(2000);
    },
    { a: true, b: false, c: true },
  ],
  [
    "failed as a member",
    (group) => {
      group.status.set("b", "failed");
      group.pass(2000);
    },
    { a: true, b: false, c: true },
  ],
  [
    "unknown as a member",
    (group) => {
      group.status.delete("b");
      group.pass(2000);
    },
    { a: true, b: false, c: true },
  ],
  [
    "whose state is another",
    (group) => {
      group.diverged.add("b");
      group.pass(2000);
    },
    { a: true, b: false, c: true },
  ],
  [
    "without a leader",
    (group) => {
      group.leader = null;
      group.pass(2000);
    },
    { a: false, b: false, c: false },
  ],
];
for (const [name, ail, wanted] of ailments) {
  test(`a server ${name}: is not healthy`, () => {
    const group = new Group();
    group.pass(2000);
    ail(group);
    assert.deepEqual(group.healthy(), wanted);
    assert.equal(group.autopilot.health.healthy, false);
  });
}

test("a server whose state is another: health and state give the reason, and of the others none", () => {
  const group = new Group();
  group.diverged.add("b");
  group.pass(2000);
  const { health } = group.autopilot;
  const rows = healthShape(health)["Servers"] as { ID: string; Reason?: string }[];
  const states = Object.values(stateShape(health)["Servers"] as Record<string, { ID: string; Reason?: string }>);
  for (const list of [rows, states])
    assert.deepEqual(
      list.map(({ ID, Reason }) => [ID, Reason]),
      [
        ["a", undefined],
        ["b", "its state differs from that of the group"],
        ["c", undefined],
      ],
    );
});

test("stable since: moves only when health does", () => {
  const group = new Group();
  const since = (): number | undefined => group.autopilot.health.servers.find(({ id }) => id === "b")?.stableSinceMs;
  group.pass(2000);
  assert.equal(since(), 1_002_000);
  group.pass(2000);
  assert.equal(since(), 1_002_000);
  group.pass(2000, ["c"]);
  assert.equal(since(), 1_006_000);
  group.pass(2000);
  assert.equal(since(), 1_008_000);
});

test("a group of several: is looked at by a timer; one server alone only when asked, and one that sleeps at once; stop ends it", () => {
  const group = new Group();
  assert.equal(group.timers.pending, 1);
  group.servers = group.servers.slice(0, 1);
  group.autopilot.changed();
  assert.equal(group.timers.pending, 0);
  group.nowMs += 1999;
  assert.deepEqual(group.healthy(), { a: false });
  group.sleeps = true;
  assert.deepEqual(group.healthy(), { a: true });
  group.sleeps = false;
  group.nowMs += 2000;
  assert.deepEqual(group.healthy(), { a: true });
  group.servers.push({ id: "d", address: "d:1", voter: false });
  group.autopilot.changed();
  assert.equal(group.timers.pending, 1);
  assert.deepEqual(group.healthy(), { a: true, d: false });
  group.autopilot.stop();
  assert.equal(group.timers.pending, 0);
});
