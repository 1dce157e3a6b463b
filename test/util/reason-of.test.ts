import assert from "node:assert/strict";
import { test } from "node:test";
import { reasonOf } from "../../src/util/reason-of.ts";

test("reason: the innermost message, whatever was thrown", () => {
  const looped = new Error("outer");
  looped.cause = looped;
  const rows: [unknown, string][] = [
    [new Error("a"), "a"],
    [new Error("a", { cause: new Error("b", { cause: new Error("c") }) }), "c"],
    [new Error("a", { cause: "not an error" }), "a"],
    [new AggregateError([new Error("first"), new Error("second")], ""), "first"],
    [Object.assign(new Error(""), { code: "ECONNREFUSED" }), "ECONNREFUSED"],
    [new TypeError(""), "TypeError"],
    ["a text", "a text"],
    [undefined, "undefined"],
    [looped, "outer"],
  ];
  for (const [error, reason] of rows) assert.equal(reasonOf(error), reason);
});
