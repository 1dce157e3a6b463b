import assert from "node:assert/strict";
import { test } from "node:test";
import { startTestAgent } from "../support/agent.ts";

const SERVER = ["-server", "-bootstrap-expect=1", "-data-dir=/data"];

const REFUSED: readonly [name: string, flags: readonly string[], settings: Record<string, unknown>, says: RegExp][] = [
  ["joining what a cloud names", [...SERVER, "-retry-join=provider=aws tag_key=a"], {}, /^retry_join:/],
  [
    "joining datacenters that a cloud names",
    [...SERVER, "-retry-join-wan=provider=aws tag_key=a"],
    {},
    /^retry_join_wan:/,
  ],
  ["access control", SERVER, { acl: { enabled: true, default_policy: "deny" } }, /^acl.enabled:/],
  ["HTTPS", SERVER, { ports: { https: 8501 } }, /^ports.https:/],
];

for (const [name, flags, settings, says] of REFUSED)
  test(`${name} is refused rather than ignored`, async () => {
    await assert.rejects(startTestAgent({ flags, settings }), (error: Error & { code?: string }) => {
      assert.equal(error.code, "unsupported");
      assert.match(error.message, says);
      return true;
    });
  });
