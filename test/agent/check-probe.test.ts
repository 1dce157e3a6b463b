// One run of one check against fakes of the platform, and against a real HTTP server.
import assert from "node:assert/strict";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import { probe, type ProbeMeans, type ProbeOutcome } from "../../src/agent/check-probe.ts";
import { boundedSpec, type CheckSpec, noTiming } from "../../src/check/spec.ts";
import type { ExecOptions, ExecResult, HttpProbeRequest } from "../../src/platform.ts";
import { utf8 } from "../../src/util/bytes.ts";
import { settle, VirtualTime } from "./local-fixture.ts";

const spec = (given: Record<string, unknown>): CheckSpec =>
  boundedSpec({ ...noTiming, intervalMs: 10_000, ...given } as unknown as CheckSpec, 0).spec;
const http = (more: Record<string, unknown> = {}): CheckSpec =>
  spec({
    kind: "http",
    url: "http://svc/health",
    method: "",
    headers: {},
    body: "",
    disableRedirects: false,
    tlsServerName: "",
    tlsSkipVerify: false,
    ...more,
  });
const tcp = (address: string, useTls = false): CheckSpec => spec({ kind: "tcp", address, useTls });
const script = (more: Record<string, unknown> = {}): CheckSpec =>
  spec({ kind: "script", args: ["check", "me"], ...more });

type Fetch = (request: Request) => Promise<Response>;
const noFetch: Fetch = () => Promise.reject(new Error("no fetch here"));

class Bench {
  readonly time = new VirtualTime();
  readonly stop = new AbortController();
  outcome: ProbeOutcome | null = null;
  /** Starts a probe; its outcome is there once it has ended. */
  start(given: CheckSpec, platform: Partial<ProbeMeans["platform"]>): this {
    const means = { platform: { fetch: noFetch, ...platform }, timers: this.time.timers };
    void probe(given, means, this.stop.signal).then((outcome) => (this.outcome = outcome));
    return this;
  }
}

async function run(given: CheckSpec, platform: Partial<ProbeMeans["platform"]>): Promise<ProbeOutcome> {
  const bench = new Bench();
  const means = { platform: { fetch: noFetch, ...platform }, timers: bench.time.timers };
  const outcome = await probe(given, means, bench.stop.signal);
  assert.equal(bench.time.timers.pending, 0, "no timer is left");
  return outcome;
}

const never = <T>(): Promise<T> => new Promise<T>(() => {});

test("http: Consul's headers, the check's own, its method and body", async () => {
  const seen: Request[] = [];
  const fetch: Fetch = async (request) => {
    seen.push(request);
    return new Response("ok", { status: 200, statusText: "OK" });
  };
  const plain = await run(http(), { fetch });
  assert.deepEqual(plain, {
    status: "passing",
    output: "HTTP GET http://svc/health: 200 OK Output: ok",
    bypass: false,
  });
  assert.deepEqual(
    ["user-agent", "accept", "connection"].map((name) => seen[0]?.headers.get(name)),
    ["Consul Health Check", "text/plain, text/*, */*", "close"],
  );
  assert.deepEqual([seen[0]?.method, seen[0]?.redirect], ["GET", "follow"]);
  await run(
    http({ method: "PUT", body: "x", headers: { accept: ["a/b"], "X-Two": ["1", "2"] }, disableRedirects: true }),
    { fetch },
  );
  const put = seen[1] as Request;
  assert.deepEqual(
    [put.method, put.redirect, put.headers.get("accept"), put.headers.get("x-two"), await put.text()],
    ["PUT", "manual", "a/b", "1, 2", "x"],
  );
});

test("http: 429 is a warning, other answers are critical", async () => {
  assert.equal((await run(http(), { fetch: async () => new Response("", { status: 429 }) })).status, "warning");
  assert.equal((await run(http(), { fetch: async () => new Response("", { status: 500 }) })).status, "critical");
  assert.equal((await run(http(), { fetch: async () => new Response(null, { status: 204 }) })).status, "passing");
});

test("http: a body is read up to the limit, and given up then", async () => {
  let pulled = 0;
  let cancelled = false;
  const body = new ReadableStream<Uint8Array>({
    pull(controller) {
      pulled += 1;
      controller.enqueue(utf8("0123456789"));
    },
    cancel() {
      cancelled = true;
    },
  });
  const outcome = await run(http({ outputBytesMax: 25 }), { fetch: async () => new Response(body) });
  assert.match(outcome.output, / Output: 0123456789012345678901234$/);
  await settle();
  assert.ok(cancelled && pulled < 6, `${pulled} chunks of an endless body`);
});

test("http: a body that breaks off leaves the status as it is", async () => {
  let first = true;
  const body = new ReadableStream<Uint8Array>({
    pull(controller) {
      if (first) controller.enqueue(utf8("half"));
      else controller.error(new Error("reset"));
      first = false;
    },
  });
  const outcome = await run(http(), { fetch: async () => new Response(body) });
  assert.match(outcome.output, / Output: half$/);
  assert.equal(outcome.status, "passing");
});

test("http: no answer in time is critical, also when the platform does not listen to the abort", async () => {
  let signal: AbortSignal | undefined;
  const bench = new Bench().start(http({ timeoutMs: 1500 }), {
    fetch: (request) => {
      signal = request.signal;
      return never();
    },
  });
  await bench.time.advance(1499);
  assert.equal(bench.outcome, null);
  await bench.time.advance(1);
  assert.deepEqual(bench.outcome, {
    status: "critical",
    output: 'Get "http://svc/health": no answer within 1.5s',
    bypass: false,
  });
  assert.equal(signal?.aborted, true);
});

test("http: a body that does not end counts as far as it came in time", async () => {
  const body = new ReadableStream<Uint8Array>({
    start(controller) {
      controller.enqueue(utf8("slow"));
    },
  });
  const bench = new Bench().start(http(), { fetch: async () => new Response(body) });
  await bench.time.advance(9_999);
  assert.equal(bench.outcome, null);
  await bench.time.advance(1);
  const output = "HTTP GET http://svc/health: 200 OK Output: slow";
  assert.deepEqual(bench.outcome, { status: "passing", output, bypass: false });
});

test("http: what the network said is told, not that fetch failed", async () => {
  const refused = new TypeError("fetch failed", { cause: new Error("connect ECONNREFUSED 127.0.0.1:1") });
  const outcome = await run(http({ method: "POST" }), { fetch: () => Promise.reject(refused) });
  assert.deepEqual(
    [outcome.status, outcome.output],
    ["critical", 'Post "http://svc/health": connect ECONNREFUSED 127.0.0.1:1'],
  );
  assert.equal((await run(http({ url: "nonsense" }), {})).status, "critical");
});

test("http: an abort ends it", async () => {
  const bench = new Bench().start(http(), { fetch: () => never() });
  await settle();
  bench.stop.abort();
  await settle();
  assert.equal(bench.outcome?.status, "critical");
  assert.equal(bench.time.timers.pending, 0);
});

const lacking: [string, Record<string, unknown>, string][] = [
  ["the Host header", { headers: { hOsT: ["a"] } }, "this runtime's fetch cannot set the Host header"],
  ["a body with GET", { body: "x" }, "this runtime's fetch cannot send a body with GET"],
  [
    "unverified certificates",
    { url: "https://svc/", tlsSkipVerify: true },
    "this runtime's fetch cannot skip the verification of certificates (tls_skip_verify)",
  ],
  [
    "a name for TLS",
    { url: "https://svc/", tlsServerName: "a" },
    "this runtime's fetch cannot set the name for TLS (tls_server_name)",
  ],
];
for (const [what, more, why] of lacking) {
  test(`http: ${what} is done by an HTTP probe, and refused rather than dropped without one`, async () => {
    const refused = await run(http(more), {});
    assert.equal(refused.status, "critical");
    assert.ok(refused.output.endsWith(why), refused.output);
    const asked: HttpProbeRequest[] = [];
    const better = {
      http: {
        request: async (request: HttpProbeRequest) => (asked.push(request), { status: 200, reason: "OK", body: null }),
      },
    };
    const done = await run(http({ disableRedirects: true, ...more }), better);
    assert.equal(done.status, "passing");
    const { url, body, tlsSkipVerify, tlsServerName } = http(more) as CheckSpec & { kind: "http" };
    assert.deepEqual(
      [asked[0]?.url, asked[0]?.body, asked[0]?.tlsSkipVerify, asked[0]?.tlsServerName, asked[0]?.followRedirects],
      [url, body, tlsSkipVerify, tlsServerName, false],
    );
  });
}

test("http: settings of TLS do not matter without TLS", async () => {
  const outcome = await run(http({ tlsSkipVerify: true, tlsServerName: "a" }), { fetch: async () => new Response("") });
  assert.equal(outcome.status, "passing");
});

test("tcp: a connection is passing, also to an IPv6 address", async () => {
  const asked: unknown[] = [];
  const connect = async (host: string, port: number, timeoutMs: number): Promise<void> => {
    asked.push([host, port, timeoutMs]);
  };
  assert.deepEqual(await run(tcp("10.0.0.1:80"), { tcp: { connect } }), {
    status: "passing",
    output: "TCP connect 10.0.0.1:80: Success",
    bypass: false,
  });
  assert.equal((await run(tcp("[::1]:80"), { tcp: { connect } })).output, "TCP connect [::1]:80: Success");
  assert.deepEqual(asked, [
    ["10.0.0.1", 80, 10_000],
    ["::1", 80, 10_000],
  ]);
});

test("tcp: what cannot be connected to is critical and says why", async () => {
  const refuse = { connect: () => Promise.reject(new Error("dial tcp a:1: connection refused")) };
  assert.deepEqual(await run(tcp("a:1"), { tcp: refuse }), {
    status: "critical",
    output: "dial tcp a:1: connection refused",
    bypass: false,
  });
  assert.equal((await run(tcp("a"), { tcp: refuse })).output, "dial tcp: address a: missing port in address");
  assert.match((await run(tcp("a:1"), {})).output, /this runtime has no sockets/);
  assert.match((await run(tcp("a:1", true), { tcp: refuse })).output, /tcp_use_tls/);
});

test("tcp: a platform that does not keep the timeout is not waited for", async () => {
  const bench = new Bench().start(tcp("a:1"), { tcp: { connect: () => never() } });
  await bench.time.advance(10_000);
  assert.equal(bench.outcome?.output, "dial tcp a:1: i/o timeout");
});

const ended = (exitCode: number | null, output = "", timedOut = false): ExecResult => ({
  exitCode,
  timedOut,
  output: utf8(output),
  outputTotal: output.length,
});
const scripts: [string, ExecResult, Partial<ProbeOutcome>][] = [
  ["exit code 0", ended(0, "fine"), { status: "passing", output: "fine", bypass: false }],
  ["exit code 1", ended(1, "hm"), { status: "warning", output: "hm", bypass: false }],
  ["exit code 2", ended(2, "bad"), { status: "critical", output: "bad", bypass: false }],
  ["killed", ended(null), { status: "critical", output: "", bypass: false }],
  [
    "timed out",
    ended(null, "half", true),
    { status: "critical", output: "Timed out (30s) running check\n\nhalf", bypass: true },
  ],
  [
    "a long output",
    { ...ended(0, "tail"), outputTotal: 99 },
    { status: "passing", output: "Captured 4 of 99 bytes\n...\ntail" },
  ],
];
for (const [what, result, wanted] of scripts) {
  test(`script: ${what}`, async () => {
    let asked: [readonly string[], ExecOptions] | null = null;
    const exec = {
      run: async (args: readonly string[], options: ExecOptions): Promise<ExecResult> => {
        asked = [args, options];
        return result;
      },
    };
    const outcome = await run(script(), { exec });
    assert.deepEqual(outcome, { ...outcome, ...wanted });
    const [args, options] = asked as unknown as [string[], ExecOptions];
    assert.deepEqual([args, options.timeoutMs, options.outputBytes], [["check", "me"], 30_000, 4096]);
  });
}

test("script: one that cannot start, or run here at all, counts at once", async () => {
  const exec = { run: () => Promise.reject(new Error("executable file not found in $PATH")) };
  assert.deepEqual(await run(script(), { exec }), {
    status: "critical",
    output: "executable file not found in $PATH",
    bypass: true,
  });
  const none = await run(script(), {});
  assert.match(none.output, /this runtime does not run programs/);
  assert.equal(none.bypass, true);
});

test("kinds that this build does not run say so", async () => {
  for (const kind of ["grpc", "udp", "h2ping", "docker", "os_service"]) {
    const outcome = await run(spec({ kind, target: "a:1" }), {});
    assert.deepEqual(
      [outcome.status, outcome.output],
      ["critical", `${kind} checks cannot be run: this build does not support them`],
    );
  }
});

test("http: against a real server", async () => {
  const seen: IncomingMessage[] = [];
  const server = createServer((request: IncomingMessage, response: ServerResponse) => {
    seen.push(request);
    if (request.url === "/away") response.writeHead(302, { location: "/ok" }).end();
    else if (request.url === "/busy") response.writeHead(429).end("slow down");
    else if (request.url === "/endless") {
      response.writeHead(200);
      const more = (): void => {
        while (!response.destroyed && response.write("x".repeat(10_000)));
        if (!response.destroyed) response.once("drain", more);
      };
      more();
    } else response.writeHead(200, { "content-type": "text/plain" }).end("healthy");
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const real = { fetch: (request: Request) => fetch(request) };
  try {
    const ok = await run(http({ url: `${base}/ok`, headers: { "X-Check": ["1"] } }), real);
    assert.deepEqual([ok.status, ok.output], ["passing", `HTTP GET ${base}/ok: 200 OK Output: healthy`]);
    assert.deepEqual(
      [seen[0]?.headers["user-agent"], seen[0]?.headers["x-check"], seen[0]?.headers["connection"]],
      ["Consul Health Check", "1", "close"],
    );
    assert.equal((await run(http({ url: `${base}/busy` }), real)).status, "warning");
    assert.equal((await run(http({ url: `${base}/away` }), real)).status, "passing");
    assert.equal((await run(http({ url: `${base}/away`, disableRedirects: true }), real)).status, "critical");
    const endless = await run(http({ url: `${base}/endless` }), real);
    assert.equal(endless.output.length, `HTTP GET ${base}/endless: 200 OK Output: `.length + 4096);
    const put = await run(http({ url: `${base}/ok`, method: "PUT", body: "ping" }), real);
    assert.equal(put.status, "passing");
    assert.equal(seen.at(-1)?.headers["content-length"], "4");
  } finally {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
  const gone = await run(http({ url: `${base}/ok` }), real);
  assert.equal(gone.status, "critical");
  assert.ok(gone.output.startsWith(`Get "${base}/ok": `), gone.output);
});
