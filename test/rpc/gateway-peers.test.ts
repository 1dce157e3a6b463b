// What a call to a gateway gives for each thing that may happen to a web request.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Timers } from "../../src/host/timers.ts";
import { GatewayPeers } from "../../src/rpc/gateway-peers.ts";
import type { ErrorCode } from "../../src/types/error.ts";

const EDGE = "https://edge.example";

function make(fetch: (request: Request) => Promise<Response>) {
  const clock = { now: 0 };
  const timers = new Timers({ now: () => clock.now, wakeAt: () => {} });
  const others: string[] = [];
  const peers = new GatewayPeers({
    others: {
      call: (address) => {
        others.push(address);
        return Promise.resolve(Uint8Array.of(9));
      },
    },
    fetch,
    timers,
    token: (address) => (address === EDGE ? "secret" : null),
  });
  return { peers, clock, timers, others };
}

const call = (peers: GatewayPeers): Promise<Uint8Array> => peers.call(EDGE, "/rpc/1/ping", Uint8Array.of(1, 2), 1000);

test("gateway peers: a call is a POST with the token, bytes there and back; other addresses go the other way", async () => {
  const seen: Request[] = [];
  const { peers, others, timers } = make(async (request) => {
    seen.push(request.clone());
    return new Response(Uint8Array.of(3, ...new Uint8Array(await request.arrayBuffer())));
  });
  assert.deepEqual(await call(peers), Uint8Array.of(3, 1, 2));
  const [request] = seen;
  assert.equal(request?.url, `${EDGE}/rpc/1/ping`);
  assert.equal(request?.method, "POST");
  assert.equal(request?.headers.get("authorization"), "Bearer secret");
  assert.deepEqual(await peers.call("10.0.0.1:8300", "/p", Uint8Array.of(), 1000), Uint8Array.of(9));
  // An address that no file names gets no token, and no web request.
  await peers.call("https://other.example", "/p", Uint8Array.of(), 1000);
  assert.deepEqual(others, ["10.0.0.1:8300", "https://other.example"]);
  assert.equal(timers.pending, 0);
});

test("gateway peers: an error says whether the request can have arrived", async () => {
  const failing = (cause: Record<string, unknown>, message = ""): Error =>
    new TypeError("fetch failed", { cause: Object.assign(new Error(message), cause) });
  const cases: readonly [answer: Error | number, code: ErrorCode, says: RegExp][] = [
    [failing({ code: "ECONNREFUSED" }), "unreachable", /ECONNREFUSED/],
    [failing({ code: "UND_ERR_CONNECT_TIMEOUT" }), "unreachable", /CONNECT_TIMEOUT/],
    [failing({ code: "ENOTFOUND" }, "getaddrinfo ENOTFOUND edge.example"), "unreachable", /getaddrinfo/],
    [failing({ code: "DEPTH_ZERO_SELF_SIGNED_CERT" }, "self-signed certificate"), "unreachable", /self-signed/],
    [failing({ code: "ECONNRESET" }), "outcome-unknown", /ECONNRESET/],
    [failing({ code: "UND_ERR_SOCKET" }, "other side closed"), "outcome-unknown", /other side closed/],
    [401, "unreachable", /401: its gateway_token and the token of remote_datacenters here must be the same/],
    [403, "unreachable", /must be the same/],
    [404, "unreachable", /404: no gateway of a datacenter is there/],
    [302, "unreachable", /no gateway of a datacenter is there/],
    [502, "outcome-unknown", /502/],
    [503, "outcome-unknown", /503/],
  ];
  for (const [answer, code, says] of cases) {
    const { peers } = make(() =>
      answer instanceof Error ? Promise.reject(answer) : Promise.resolve(new Response(null, { status: answer })),
    );
    await assert.rejects(call(peers), (error: Error & { code?: string }) => {
      assert.equal(error.code, code, error.message);
      assert.match(error.message, says);
      assert.ok(!error.message.includes("secret"));
      return true;
    });
  }
});

test("gateway peers: one that does not answer in time is given up, and its request is ended", async () => {
  let aborted = false;
  const { peers, clock, timers } = make(
    (request) =>
      new Promise((_, reject) => {
        request.signal.addEventListener("abort", () => {
          aborted = true;
          reject(new TypeError("aborted"));
        });
      }),
  );
  const answer = call(peers);
  clock.now = 1001;
  timers.wake();
  await assert.rejects(answer, { code: "timeout", message: /no answer in time/ });
  assert.ok(aborted);
});

test("gateway peers: a request that does not end even when it is aborted is given up all the same", async () => {
  const { peers, clock, timers } = make(() => new Promise(() => {}));
  const answer = call(peers);
  clock.now = 1001;
  timers.wake();
  await assert.rejects(answer, { code: "timeout", message: /no answer in time/ });
});
