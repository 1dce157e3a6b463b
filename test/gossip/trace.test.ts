import assert from "node:assert/strict";
import { test } from "node:test";
import { traceHash } from "./trace.ts";

// Changes with the protocol, and is then to be written anew (`node test/gossip/trace.ts`); never with the engine.
test("a seed's run is the same on every engine", () => {
  assert.equal(traceHash(1), "2ac58bf9fa51b461 8581");
});
