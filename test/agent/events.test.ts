import assert from "node:assert/strict";
import { test } from "node:test";
import { decodeEvent, encodeEvent, Events, isEventFor, type UserEvent } from "../../src/agent/events.ts";
import { encode } from "../../src/codec/value.ts";
import { Random } from "../../src/util/random.ts";

const event: Omit<UserEvent, "LTime"> = {
  ID: "b54fe110-7af5-cafc-d1fb-afc8ba432b1c",
  Name: "deploy",
  Payload: Uint8Array.of(1, 2),
  NodeFilter: "^web",
  ServiceFilter: "",
  TagFilter: "",
  Version: 1,
};

test("events: an event comes back as it was, with the pool's time", () => {
  assert.deepEqual(decodeEvent(encodeEvent(event), 7), { ...event, LTime: 7 });
  assert.deepEqual(decodeEvent(encodeEvent({ ...event, Payload: null }), 7), { ...event, Payload: null, LTime: 7 });
});

test("events: what is none, or of another version, is not taken", () => {
  const rows: [string, unknown][] = [
    ["a number", 7],
    ["null", null],
    ["no fields", {}],
    ["an id that is none", { ...event, ID: "0xyz" }],
    ["another version", { ...event, Version: 2 }],
    ["a payload of text", { ...event, Payload: "x" }],
    ["a filter that is none", { ...event, TagFilter: null }],
  ];
  for (const [what, value] of rows) assert.equal(decodeEvent(encode(value), 1), null, what);
  const random = new Random(3);
  const events = new Events();
  for (let round = 0; round < 3000; round += 1) {
    const bytes = encodeEvent(event).slice();
    for (let flips = random.below(3); flips >= 0; flips -= 1) bytes[random.below(bytes.length)] = random.below(256);
    const read = decodeEvent(bytes, round);
    if (read !== null) events.note(read);
  }
  assert.ok(events.list("").length > 0);
  assert.match(events.index(""), /^\d+$/);
});

test("events: filters are tested where the event arrives", () => {
  const services = [
    { Service: "web", Tags: ["v1", "blue"] },
    { Service: "db", Tags: null },
  ];
  const rows: [string, string, string, boolean][] = [
    ["", "", "", true],
    ["^node-1$", "", "", true],
    ["ode", "", "", true],
    ["^x", "", "", false],
    ["", "web", "", true],
    ["", "^w.b$", "", true],
    ["", "cache", "", false],
    ["", "web", "blue", true],
    ["", "web", "green", false],
    ["", "db", "blue", false],
    ["", "", "green", true],
    ["(", "", "", false],
    ["x".repeat(2000), "", "", false],
  ];
  for (const [NodeFilter, ServiceFilter, TagFilter, expected] of rows) {
    const is = isEventFor({ NodeFilter, ServiceFilter, TagFilter }, "node-1", services);
    assert.equal(is, expected, `${NodeFilter.slice(0, 9)} ${ServiceFilter} ${TagFilter}`);
  }
});
