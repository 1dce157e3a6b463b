// What `wrangler deploy` would send: its size, and that nothing is in it that is not for there.
import assert from "node:assert/strict";
import { test } from "node:test";
import { gzipSync } from "node:zlib";
import { bundle } from "./local-worker.ts";

/** Cloudflare takes 3 MiB on the free plan. What this product weighs is to be seen when it grows. */
const GZIP_KIB_MAX = 300;

test("the Worker's bundle: small enough, without the command, without Node", async (t) => {
  const { code, said } = await bundle();
  const kib = gzipSync(code, { level: 9 }).length / 1024;
  t.diagnostic(`${kib.toFixed(0)} KiB gzip; wrangler says: ${/Total Upload.*/.exec(said)?.[0]}`);
  assert.ok(kib > 10 && kib <= GZIP_KIB_MAX, `${kib} KiB gzip`);
  assert.match(said, /env\.DATACENTER \(DatacenterObject\)/);
  assert.doesNotMatch(code, /from\s*"node:|require\("node:|Usage: proconsul/);
});
