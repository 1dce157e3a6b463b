// A reply that cannot be read says nothing about what was done: never that the request was at fault, never that it may be sent
// again. A call that cannot be read was not carried out.
import assert from "node:assert/strict";
import { test } from "node:test";
import { encode } from "../../src/codec/value.ts";
import { kvGet, kvPut } from "../../src/endpoint/kv.ts";
import type { Peers } from "../../src/platform.ts";
import { CALL_PATH, callCommand, callQuery, type CallTarget } from "../../src/rpc/call.ts";
import { encodeAnswer } from "../../src/rpc/envelope.ts";
import { PeerClient, PeerDoor } from "../../src/rpc/peer-door.ts";
import { RequestIds } from "../../src/rpc/request-ids.ts";
import { utf8 } from "../../src/util/bytes.ts";

const identity = { id: "a", datacenter: "dc1", address: "10.0.0.1:8300" };

function target(call: Peers["call"]): CallTarget {
  const client = new PeerClient(identity, { call }, new RequestIds((length) => new Uint8Array(length)));
  return { client, peer: { id: "b", address: "10.0.0.2:8300" }, path: CALL_PATH, holdMs: 0 };
}

const UNREADABLE: readonly [string, Uint8Array][] = [
  ["nothing", new Uint8Array(0)],
  ["noise", Uint8Array.of(0x7f, 3, 200, 17, 0)],
  ["another version", Uint8Array.of(0x50, 9, 0, 0)],
  ["neither answer nor error", Uint8Array.of(0x50, 1, 7, 0)],
  ["an answer that holds no value", encodeAnswer(Uint8Array.of(255, 255))],
  ["an answer that is cut short", encodeAnswer(encode({ value: "a longer text", index: 5 }).subarray(0, 9))],
  ["an answer of another form", encodeAnswer(encode(null))],
  ["an error that holds no value", Uint8Array.of(0x50, 1, 1, 255)],
  ["an error of another form", Uint8Array.of(0x50, 1, 1, ...encode({ code: 7 }))],
  ["an error that is nothing", Uint8Array.of(0x50, 1, 1, ...encode(null))],
  ["text", utf8("HTTP/1.1 400 Bad Request")],
];

for (const [name, bytes] of UNREADABLE)
  test(`a reply that is ${name}: the outcome is unknown`, async () => {
    const to = target(async () => bytes);
    const put = { key: "a", value: new Uint8Array(1), flags: 0 };
    await assert.rejects(callCommand(to, kvPut, put as never), { code: "outcome-unknown" });
    const options = { consistency: "default", index: 0, waitMs: 0 } as const;
    await assert.rejects(callQuery(to, kvGet, "a" as never, options), { code: "outcome-unknown" });
  });

test("a call that is garbled on its way: is not carried out, and may be sent again", async () => {
  let served = 0;
  const door = new PeerDoor({ ...identity, id: "b" }, (error) => assert.fail(String(error)));
  door.serve(CALL_PATH, () => {
    served += 1;
    return new Uint8Array(0);
  });
  for (const garble of [
    (bytes: Uint8Array) => bytes.fill(0x7f, 0, 1),
    (bytes: Uint8Array) => bytes.subarray(0, 1),
    (bytes: Uint8Array) => bytes.fill(0xff, 3, 5),
  ]) {
    const { client, peer } = target((_address, path, body) => door.handle(path, garble(body.slice()), "10.0.0.1"));
    await assert.rejects(client.call(peer, CALL_PATH, new Uint8Array(3), 1000), { code: "unreachable" });
  }
  assert.equal(served, 0);
});
