import assert from "node:assert/strict";
import { test } from "node:test";
import { parsePeers } from "../../src/server/peers-file.ts";
import { utf8 } from "../../src/util/bytes.ts";

const parse = (text: string): unknown => parsePeers(utf8(text), "a");

test("peers.json: is a list of servers, with votes unless it says otherwise", () => {
  assert.deepEqual(parse('[{"id":"b","address":"10.0.0.2:8300","non_voter":true},{"id":"a","address":"[::1]:8300"}]'), [
    { id: "a", address: "[::1]:8300", voter: true },
    { id: "b", address: "10.0.0.2:8300", voter: false },
  ]);
});

const A = '{"id":"a","address":"10.0.0.1:8300"}';
const faults: readonly [string, RegExp][] = [
  ["", /it is no JSON/],
  ["[", /it is no JSON/],
  ["{}", /it is no list/],
  [
    '["10.0.0.1:8300"]',
    /legacy format.*write for "10.0.0.1:8300" the object \{ "id": "<its node id>", "address": "10.0.0.1:8300" \}/,
  ],
  ["[1]", /entry 0 is no object/],
  ["[[]]", /entry 0 is no object/],
  [`[${A},{"address":"10.0.0.1:8300"}]`, /entry 1 has no id/],
  ['[{"id":"a"}]', /entry 0 has no address/],
  ['[{"id":"a","address":"10.0.0.1"}]', /entry 0 has no address with a port/],
  ['[{"id":"a","address":"h:1","non_voter":"no"}]', /neither true nor false/],
  ['[{"id":"a","address":"h:1","nonvoter":true}]', /unknown field "nonvoter"/],
  [`[${A},{"id":"a","address":"10.0.0.2:8300"}]`, /two entries have the id "a"/],
  [`[${A},{"id":"b","address":"10.0.0.1:8300"}]`, /two entries have the address/],
  ['[{"id":"a","address":"h:1","non_voter":true}]', /lists no voter/],
  ["[]", /lists no voter/],
  ['[{"id":"b","address":"h:1"}]', /does not list this server, a/],
];
for (const [text, message] of faults) {
  test(`peers.json ${text.slice(0, 40)}: is refused, and it is said how it must look`, () => {
    assert.throws(
      () => parse(text),
      (error: Error) => message.test(error.message) && /Nothing was changed/.test(error.message),
    );
  });
}
