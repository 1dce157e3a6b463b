// The platform's TCP checks and its timer. Passes on Node, Bun and Deno.
import assert from "node:assert/strict";
import { type AddressInfo, createServer } from "node:net";
import { after, before, test } from "node:test";
import { NodePlatform } from "../../runtimes/node/platform.ts";
import { MemoryBlobs, MemoryLogStore } from "../../src/host/memory-store.ts";
import { type ErrorCode, OperationalError } from "../../src/types/error.ts";

const LONG_MS = 20_000;
const platform = new NodePlatform({
  log: new MemoryLogStore(),
  blobs: new MemoryBlobs(),
  report: () => {},
  wake: () => {},
});
const server = createServer((socket) => socket.on("error", () => {}));
let port = 0;

before(async () => {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  ({ port } = server.address() as AddressInfo);
});
after(() => server.close());

/** A rejection with `code` and a message like `message`. */
const fails = (code: ErrorCode, message: RegExp) => (error: Error) => {
  assert.ok(error instanceof OperationalError, String(error));
  assert.equal(error.code, code);
  assert.match(error.message, message);
  return true;
};

test("a TCP check connects, or says as Go does why it cannot", async () => {
  await platform.tcp.connect("127.0.0.1", port, LONG_MS);
  await platform.tcp.connect("localhost", port, LONG_MS);
  const refused = fails("unreachable", /^dial tcp 127\.0\.0\.1:1: connect: connection refused$/);
  await assert.rejects(platform.tcp.connect("127.0.0.1", 1, LONG_MS), refused);
  await assert.rejects(platform.tcp.connect("::1", 1, LONG_MS), fails("unreachable", /^dial tcp \[::1\]:1: ./));
  await assert.rejects(
    platform.tcp.connect("no-such-host.invalid", 1, LONG_MS),
    fails("unreachable", /^dial tcp no-such-host\.invalid:1: ./),
  );
});

test("the one timer goes off once, at the last time that was asked for", async () => {
  let woken = 0;
  let wake: () => void = () => {};
  const timed = new NodePlatform({
    log: new MemoryLogStore(),
    blobs: new MemoryBlobs(),
    report: () => {},
    wake: () => {
      woken += 1;
      wake();
    },
  });
  const at = timed.now() + 30;
  await new Promise<void>((resolve) => {
    wake = resolve;
    timed.wakeAt(timed.now() + 1);
    timed.wakeAt(at);
  });
  // Runtimes round to whole milliseconds; a little early is harmless.
  assert.ok(timed.now() >= at - 2);
  assert.equal(woken, 1);
  timed.wakeAt(timed.now() + 5);
  timed.wakeAt(null);
  await new Promise((resolve) => setTimeout(resolve, 30));
  assert.equal(woken, 1);
});
