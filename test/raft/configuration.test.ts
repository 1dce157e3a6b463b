import assert from "node:assert/strict";
import { test } from "node:test";
import {
  applyChange,
  ConfigurationHistory,
  decodeConfiguration,
  encodeConfiguration,
  isVoter,
  makeConfiguration,
  NO_SERVERS,
} from "../../src/raft/configuration.ts";
import type { Configuration, ConfigurationChange } from "../../src/raft/types.ts";
import { bytes, configurationOf } from "./group.ts";
import { printConfiguration } from "./print.ts";

test("servers are sorted by id, and ids differ", () => {
  const server = (id: string) => ({ id, address: id, voter: true });
  assert.deepEqual(
    makeConfiguration([server("c"), server("a"), server("b")]).servers.map((one) => one.id),
    ["a", "b", "c"],
  );
  assert.throws(() => makeConfiguration([server("a"), server("a")]), /differ/);
  assert.throws(() => makeConfiguration([server("")]), /differ/);
});

test("a configuration is the same bytes in whatever order its servers came", () => {
  const configuration = configurationOf(["a", "b"], ["__proto__"]);
  const reversed = makeConfiguration([...configuration.servers].reverse());
  assert.deepEqual(encodeConfiguration(reversed), encodeConfiguration(configuration));
  assert.deepEqual(decodeConfiguration(encodeConfiguration(configuration)), configuration);
});

for (const [what, json] of [
  ["nothing", ""],
  ["no object", "7"],
  ["null", "null"],
  ["no servers", "{}"],
  ["servers that are no list", '{"servers":{}}'],
  ["no voter", '{"servers":[{"id":"a","address":"a","voter":false}]}'],
  ["an empty list", '{"servers":[]}'],
  ["an id that is a number", '{"servers":[{"id":1,"address":"a","voter":true}]}'],
  ["an empty id", '{"servers":[{"id":"","address":"a","voter":true}]}'],
  ["the same id twice", '{"servers":[{"id":"a","address":"a","voter":true},{"id":"a","address":"b","voter":true}]}'],
  ["a voter that is neither", '{"servers":[{"id":"a","address":"a","voter":1}]}'],
  ["a server that is null", '{"servers":[null]}'],
] as const) {
  test(`bytes that hold ${what} are no configuration`, () => {
    assert.equal(decodeConfiguration(bytes(json)), null);
  });
}

const three = configurationOf(["a", "b"], ["c"]);
for (const [change, expected] of [
  [{ kind: "add", id: "d", address: "d:8300" }, "a b (c) (d)"],
  [{ kind: "add", id: "", address: "d:8300" }, null],
  [{ kind: "add", id: "a", address: "a:8300" }, null],
  [{ kind: "add", id: "a", address: "a:9300" }, "a b (c)"],
  [{ kind: "add", id: "c", address: "c:9300" }, "a b (c)"],
  [{ kind: "promote", id: "c" }, "a b c"],
  [{ kind: "promote", id: "a" }, null],
  [{ kind: "promote", id: "x" }, null],
  [{ kind: "demote", id: "a" }, "(a) b (c)"],
  [{ kind: "demote", id: "c" }, null],
  [{ kind: "remove", id: "a" }, "b (c)"],
  [{ kind: "remove", id: "c" }, "a b"],
  [{ kind: "remove", id: "x" }, null],
] as [ConfigurationChange, string | null][]) {
  test(`${change.kind} ${change.id || "nobody"} makes of a b (c) ${expected ?? "nothing"}`, () => {
    const next = applyChange(three, change);
    assert.equal(next === null ? null : printConfiguration(next), expected);
  });
}

test("another address is a change, and the vote stays", () => {
  const next = applyChange(three, { kind: "add", id: "a", address: "a:9300" })!;
  assert.deepEqual(next.servers[0], { id: "a", address: "a:9300", voter: true });
});

test("the last voter can neither leave nor be demoted", () => {
  const one = configurationOf(["a"], ["b"]);
  assert.equal(applyChange(one, { kind: "remove", id: "a" }), null);
  assert.equal(applyChange(one, { kind: "demote", id: "a" }), null);
});

test("the configuration in force is the last appended, and truncation rolls back to the one before", () => {
  const configurations = ["a", "b", "c"].map((id): Configuration => configurationOf([id]));
  const history = new ConfigurationHistory({ configuration: NO_SERVERS, index: 0 });
  assert.deepEqual(history.voters, []);
  configurations.forEach((configuration, i) => history.append(configuration, 10 * (i + 1)));
  assert.deepEqual(history.voters, ["c"]);
  assert.equal(isVoter(history.current, "c"), true);
  assert.equal(history.truncate(31), false);
  assert.equal(history.truncate(30), true);
  assert.deepEqual([history.index, ...history.voters], [20, "b"]);
  assert.equal(history.truncate(1), true);
  assert.deepEqual([history.index, ...history.voters], [0]);
  assert.throws(() => history.append(NO_SERVERS, 0), /order/);
});

test("the configuration as of an index is found, also after what was superseded is forgotten", () => {
  const history = new ConfigurationHistory({ configuration: NO_SERVERS, index: 0 });
  ["a", "b", "c"].forEach((id, i) => history.append(configurationOf([id]), 10 * (i + 1)));
  const at = (index: number): number => history.at(index).index;
  assert.deepEqual([5, 10, 19, 20, 99].map(at), [0, 10, 10, 20, 30]);
  history.compact(25);
  assert.deepEqual([20, 25, 30].map(at), [20, 20, 30]);
  history.reset({ configuration: configurationOf(["x"]), index: 50 });
  assert.deepEqual([history.index, ...history.voters], [50, "x"]);
});
