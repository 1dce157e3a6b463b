import assert from "node:assert/strict";
import { test } from "node:test";
import type { PreparedQuery } from "../../src/types/records.ts";
import type { Command, Unindexed } from "../../src/state/command.ts";
import { Log, query, register, session } from "./fixtures.ts";

const ID = "f004177f-2c28-83b7-4229-eacc25fe55d1";
const template = { Template: { Type: "name_prefix_match", Regexp: "", RemoveEmptyTags: false } };
const set = (input: Unindexed<PreparedQuery>): Command => ({ type: "query.set", query: input });

test("a query: is created, replaced by its ID, and not moved by the same again", () => {
  const log = new Log();
  assert.equal(log.value(set(query(ID, "find"))), ID);
  log.value(set(query(ID, "find", { DNS: { TTL: "10s" } })));
  const { value, index } = log.store.query(ID);
  assert.deepEqual([value?.CreateIndex, value?.ModifyIndex, value?.DNS.TTL, index], [2, 3, "10s", 3]);
  assert.deepEqual(log.apply(set(query(ID, "find", { DNS: { TTL: "10s" } }))).changes, []);
  log.value(set(query(ID, "renamed")));
  assert.equal(log.store.query("find").value, null);
  assert.equal(log.store.query("Renamed").value?.ID, ID);
  log.value({ type: "query.delete", id: ID });
  assert.equal(log.store.query("renamed").value, null);
  assert.equal(log.value({ type: "query.delete", id: ID }), true);
});

test("queries that are refused: say Consul's text", () => {
  const log = new Log();
  log.value(register("n"));
  log.value({ type: "session.create", session: session("s", "n") });
  log.value(set(query(ID, "taken")));
  log.value(set(query("t", "", template)));
  const table: [Unindexed<PreparedQuery>, string][] = [
    [query("", "x"), "Missing Query ID"],
    [query("other", "Taken"), "name 'Taken' aliases an existing query name"],
    [query("other", ID), `name '${ID}' aliases an existing query ID`],
    [query("other", "x", { Session: "gone" }), 'invalid session "gone"'],
    [query("other", "", template), "a query template with an empty name already exists"],
  ];
  for (const [input, message] of table) assert.equal(log.refusal(set(input)), message);
  log.value(set(query("other", "")));
  log.value(set(query("another", "", { Session: "s" })));
  log.value(set(query("t", "", { ...template, DNS: { TTL: "1s" } })));
});

test("a name: resolves to the query with that ID, else with that name, else to the template with the longest prefix", () => {
  const log = new Log();
  log.value(set(query("a", "geo-exact")));
  log.value(set(query("b", "geo-", template)));
  log.value(set(query("c", "geo-eu-", template)));
  log.value(set(query("d", "plain")));
  const resolve = (name: string): unknown => {
    const found = log.store.queryResolve(name).value;
    return found && [found.query.ID, found.template, found.byId];
  };
  const table: [string, unknown][] = [
    ["geo-exact", ["a", false, false]],
    ["geo-x", ["b", true, false]],
    ["GEO-EU-x", ["c", true, false]],
    ["geo-", ["b", true, false]],
    ["b", ["b", true, true]],
    ["plain", ["d", false, false]],
    ["plainer", null],
  ];
  for (const [name, found] of table) assert.deepEqual(resolve(name), found, name);
  log.value(set(query("e", "", template)));
  assert.deepEqual(resolve("plainer"), ["e", true, false]);
});
