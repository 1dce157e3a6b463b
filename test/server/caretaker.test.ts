import assert from "node:assert/strict";
import { test } from "node:test";
import type { GroupHealth, ServerHealth } from "../../src/endpoint/server-group.ts";
import { type CareSettings, nextChange } from "../../src/server/caretaker.ts";

const SETTINGS: CareSettings = { cleanupDeadServers: true, minQuorum: 0, stabilizationMs: 10_000 };

function server(id: string, more: Partial<ServerHealth> = {}): ServerHealth {
  return {
    id,
    name: id,
    address: `${id}:8300`,
    memberStatus: "alive",
    version: "1",
    meta: {},
    voter: true,
    leader: id === "a",
    lastContactMs: 0,
    lastTerm: 1,
    lastIndex: 1,
    healthy: true,
    diverged: false,
    stableSinceMs: 0,
    stableMs: 100_000,
    ...more,
  };
}

const of = (...servers: ServerHealth[]): GroupHealth => ({ servers, healthy: true, failureTolerance: 0 });
const failed = (id: string, more: Partial<ServerHealth> = {}): ServerHealth =>
  server(id, { memberStatus: "failed", healthy: false, ...more });
const left = (id: string): ServerHealth => server(id, { memberStatus: "left", healthy: false });

type Row = [name: string, health: GroupHealth, settings: Partial<CareSettings>, wanted: string];
const rows: readonly Row[] = [
  ["all are well", of(server("a"), server("b"), server("c")), {}, ""],
  ["a server without a vote is stable", of(server("a"), server("b", { voter: false })), {}, "promote b"],
  ["it is not stable for long enough", of(server("a"), server("b", { voter: false, stableMs: 9999 })), {}, ""],
  ["it is not healthy", of(server("a"), server("b", { voter: false, healthy: false })), {}, ""],
  [
    "the time is another",
    of(server("a"), server("b", { voter: false, stableMs: 3000 })),
    { stabilizationMs: 3000 },
    "promote b",
  ],
  ["one of three failed: it may come back", of(server("a"), server("b"), failed("c")), {}, ""],
  ["one of four failed", of(server("a"), server("b"), failed("c"), server("d")), {}, "remove c"],
  ["and cleaning up is off", of(server("a"), server("b"), failed("c")), { cleanupDeadServers: false }, ""],
  ["one of two failed: a majority would be gone", of(server("a"), failed("b")), {}, ""],
  ["two of three failed", of(server("a"), failed("b"), failed("c")), {}, ""],
  [
    "two of five failed: one at a time",
    of(server("a"), server("b"), server("c"), failed("d"), failed("e")),
    {},
    "remove d",
  ],
  ["two of four failed", of(server("a"), server("b"), failed("c"), failed("d")), {}, ""],
  ["three are the least", of(server("a"), server("b"), failed("c")), { minQuorum: 3 }, ""],
  ["three are the least of four", of(server("a"), server("b"), server("c"), failed("d")), { minQuorum: 3 }, "remove d"],
  [
    "one left, whatever the minimum and the cleaning",
    of(server("a"), server("b"), left("c")),
    { minQuorum: 3, cleanupDeadServers: false },
    "remove c",
  ],
  [
    "one failed and is held, another left",
    of(server("a"), server("b"), server("e"), failed("c"), left("d")),
    { minQuorum: 5 },
    "remove d",
  ],
  [
    "a failed server without a vote goes first, even from two",
    of(server("a"), failed("b"), failed("c", { voter: false })),
    {},
    "remove c",
  ],
  [
    "a replacement gets its vote before the dead one goes",
    of(server("a"), server("b"), failed("c"), server("d", { voter: false })),
    {},
    "promote d",
  ],
  [
    "another id has the address of one now, whatever the minimum and the cleaning",
    of(
      server("a"),
      server("b"),
      server("c", { memberStatus: "none", healthy: false, stableMs: 0 }),
      server("d", { address: "c:8300", voter: false, stableMs: 0 }),
    ),
    { minQuorum: 3, cleanupDeadServers: false },
    "remove c",
  ],
  ["the leader is not removed, whatever is said of it", of(failed("a"), server("b"), server("c")), {}, ""],
  [
    "no member has its id, and it was not heard of for a minute",
    of(
      server("a"),
      server("b"),
      server("c", { memberStatus: "none", healthy: false, lastContactMs: 60_000 }),
      server("d"),
    ),
    {},
    "remove c",
  ],
  [
    "no member has its id yet, after a change of leader",
    of(
      server("a"),
      server("b"),
      server("c", { memberStatus: "none", healthy: false, lastContactMs: Infinity, stableMs: 2000 }),
    ),
    {},
    "",
  ],
  [
    "no member has its id, but it is heard",
    of(server("a"), server("b"), server("c", { memberStatus: "none", healthy: false })),
    {},
    "",
  ],
];
for (const [name, health, settings, wanted] of rows) {
  test(`autopilot, ${name}: ${wanted || "nothing"}`, () => {
    const change = nextChange(health, { ...SETTINGS, ...settings });
    assert.equal(change === null ? "" : `${change.kind} ${change.id}`, wanted);
  });
}
