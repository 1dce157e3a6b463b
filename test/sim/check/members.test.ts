import assert from "node:assert/strict";
import { test } from "node:test";
import { membersProblem, type Present } from "./members.ts";

const NAMES = ["s1", "s2", "c1"];

/** An agent that says what it is told, and the truth otherwise. */
function agent(name: string, lies: Record<string, unknown> = {}): Present {
  const truth: Record<string, unknown> = {
    "/v1/agent/members": [...NAMES.map((Name) => ({ Name, Status: 1 })), { Name: "s0", Status: 4 }],
    "/v1/health/state/any": [
      ...NAMES.map((Node) => ({ Node, CheckID: "serfHealth", Status: "passing" })),
      { Node: "s0", CheckID: "serfHealth", Status: "critical" },
      { Node: "s0", CheckID: "other", Status: "passing" },
    ],
    "/v1/health/service/consul?passing": ["s2", "s1"].map((Node) => ({ Node: { Node } })),
  };
  return {
    name,
    datacenter: "dc1",
    kind: name.startsWith("s") ? "server" : "client",
    ask: async (target) => {
      const rows = target in lies ? lies[target] : truth[target];
      return rows === undefined ? null : { status: 200, body: JSON.stringify(rows) };
    },
  };
}

const problem = (lies: Record<string, unknown>, liar = "s1"): Promise<string | null> =>
  membersProblem(NAMES.map((name) => agent(name, name === liar ? lies : {})));

test("members: no problem when all agents and the catalog tell the truth, whatever they say of who is gone", async () => {
  assert.equal(await problem({}), null);
});

test("members: one agent that misses one, believes in one that is gone, or does not answer", async () => {
  const rows = (names: string[]): unknown => ({
    "/v1/agent/members": names.map((Name) => ({ Name, Status: 1 })),
  });
  assert.match((await problem(rows(["s1", "c1"]) as never, "c1")) ?? "", /c1 knows the members c1,s1,/);
  assert.match((await problem(rows(["s0", ...NAMES]) as never, "s2")) ?? "", /s2 knows/);
  assert.match((await problem({ "/v1/agent/members": undefined }, "s2")) ?? "", /s2 knows/);
});

test("members: a catalog that holds somebody to be well who is gone, or the other way round", async () => {
  const health = (status: string, names: string[]): Record<string, unknown> => ({
    "/v1/health/state/any": names.map((Node) => ({ Node, CheckID: "serfHealth", Status: status })),
  });
  assert.match((await problem(health("passing", ["s0", ...NAMES]))) ?? "", /calls c1,s0,s1,s2 healthy/);
  assert.match((await problem(health("critical", NAMES))) ?? "", /calls  healthy/);
});

test("members: a server that the service consul lacks", async () => {
  assert.match(
    (await problem({ "/v1/health/service/consul?passing": [{ Node: { Node: "s2" } }] })) ?? "",
    /consul on s2, the servers are s1,s2/,
  );
});
