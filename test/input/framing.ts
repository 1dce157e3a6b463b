// Requests whose parts do not fit together: what one reader takes for a body, another may take for a request
// (RFC 9112 §11.2). None of them may do anything.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { AgentProcess, RuntimeName } from "../support/process.ts";
import { exchange, RawConnection, requestBytes } from "../support/raw-http.ts";

const HEAD = "PUT /v1/kv/input/framed HTTP/1.1\r\nHost: h\r\n";
const SMUGGLED = "PUT /v1/kv/input/smuggled HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\nx";
const CHUNKED = "1\r\na\r\n0\r\n\r\n";

const REFUSED: readonly (readonly [what: string, bytes: string])[] = [
  [
    "Content-Length and Transfer-Encoding",
    `${HEAD}Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n${SMUGGLED}`,
  ],
  [
    "Transfer-Encoding and Content-Length",
    `${HEAD}Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n${SMUGGLED}`,
  ],
  ["two lengths", `${HEAD}Content-Length: 0\r\nContent-Length: ${SMUGGLED.length}\r\n\r\n${SMUGGLED}`],
  ["two lengths in one header", `${HEAD}Content-Length: 0, ${SMUGGLED.length}\r\n\r\n${SMUGGLED}`],
  ["a length with a sign", `${HEAD}Content-Length: +1\r\n\r\na`],
  ["a negative length", `${HEAD}Content-Length: -1\r\n\r\n${SMUGGLED}`],
  ["a hexadecimal length", `${HEAD}Content-Length: 0x1\r\n\r\na`],
  ["a length past 2^64", `${HEAD}Content-Length: 18446744073709551617\r\n\r\na`],
  ["a blank before the colon", `${HEAD}Content-Length : 1\r\n\r\na`],
  ["an encoding that is not chunked", `${HEAD}Transfer-Encoding: identity\r\n\r\n${SMUGGLED}`],
  ["an encoding that nearly is", `${HEAD}Transfer-Encoding: xchunked\r\n\r\n${SMUGGLED}`],
  ["an encoding after chunked", `${HEAD}Transfer-Encoding: chunked, gzip\r\n\r\n${CHUNKED}${SMUGGLED}`],
  ["a vertical tab before chunked", `${HEAD}Transfer-Encoding: \x0bchunked\r\n\r\n${CHUNKED}${SMUGGLED}`],
  [
    "a chunk's length past 2^64",
    `${HEAD}Transfer-Encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFFF\r\na\r\n0\r\n\r\n${SMUGGLED}`,
  ],
  ["a negative chunk", `${HEAD}Transfer-Encoding: chunked\r\n\r\n-1\r\na\r\n0\r\n\r\n${SMUGGLED}`],
  ["a chunk's length that is no number", `${HEAD}Transfer-Encoding: chunked\r\n\r\nzz\r\n${SMUGGLED}`],
  ["a chunk longer than its length", `${HEAD}Transfer-Encoding: chunked\r\n\r\n1\r\naX0\r\n\r\n${SMUGGLED}`],
  ["a folded header", `${HEAD}X: a\r\n Content-Length: 1\r\n\r\na`],
  ["a bare CR in a header", `${HEAD}X: a\rTransfer-Encoding: chunked\r\n\r\n${SMUGGLED}`],
  ["a NUL in a header", `${HEAD}X: a\0b\r\n\r\n`],
  ["a header without a name", `${HEAD}: x\r\n\r\n`],
  ["a header without a colon", `${HEAD}Xfoo\r\n\r\n`],
  ["a blank in a header's name", `${HEAD}X Y: z\r\n\r\n`],
  ["two targets", "GET /v1/kv/a /v1/kv/b HTTP/1.1\r\nHost: h\r\n\r\n"],
  ["a target without a slash", "PUT v1/kv/input/framed HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\na"],
  ["a blank before the method", " GET / HTTP/1.1\r\nHost: h\r\n\r\n"],
  ["a version that nobody has", "GET / HTTP/3.7\r\nHost: h\r\n\r\n"],
  ["TLS", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 and so on, long enough to look like a line\r\n\r\n"],
];

/** Declares the tests; `agent` is asked for when they run. */
export function framingTests(agent: () => AgentProcess, runtime: RuntimeName): void {
  const absent = async (key: string): Promise<boolean> =>
    (await agent().send("GET", `/v1/kv/input/${key}`)).status === 404;

  test("framing: what can be read in two ways is refused, closes the connection and does nothing", async () => {
    const wrong: string[] = [];
    for (const [what, bytes] of REFUSED) {
      const client = new RawConnection(agent().ports.http);
      client.write(bytes);
      const answer = await client.next(2000);
      // Of a body that breaks off, some runtimes say nothing and close.
      const refused = answer === null ? client.closed : [400, 431, 501, 505].includes(answer.status);
      if (!refused) wrong.push(`${what}: ${answer === null ? "neither answered nor closed" : answer.status}`);
      else if (!(await client.ended(2000))) wrong.push(`${what}: the connection stays open`);
      client.close();
      if (!(await absent("smuggled"))) wrong.push(`${what}: what was hidden in it has happened`);
    }
    assert.deepEqual(wrong, []);
  });

  test("framing: chunks in HTTP/1.0, which has none, are the last thing that a connection says", async () => {
    const client = new RawConnection(agent().ports.http);
    client.write(`PUT /v1/kv/input/framed HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n${CHUNKED}${SMUGGLED}`);
    assert.equal(await client.ended(2000), true);
    assert.equal(await absent("smuggled"), true);
  });

  test("framing: what is only unusual is taken", async () => {
    for (const [what, bytes] of [
      ["headers in capitals", `${HEAD}CONTENT-LENGTH: 1\r\n\r\na`],
      ["chunked in capitals", `${HEAD}tRANSFER-eNCODING: CHUNKED\r\n\r\n${CHUNKED}`],
      ["a tab before chunked", `${HEAD}Transfer-Encoding:\tchunked\r\n\r\n${CHUNKED}`],
      ["a chunk with an extension", `${HEAD}Transfer-Encoding: chunked\r\n\r\n1;a=b\r\na\r\n0\r\n\r\n`],
      ["a trailer", `${HEAD}Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nX: y\r\n\r\n`],
      [
        "an upgrade that nobody takes",
        "GET /v1/status/leader HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
      ],
    ] as const)
      assert.equal((await exchange(agent().ports.http, bytes))?.status, 200, what);
  });

  test("framing: pipelined requests are answered in order, each after what was asked before it", async () => {
    const client = new RawConnection(agent().ports.http);
    let bytes = "";
    for (let i = 0; i < 100; i++)
      bytes +=
        requestBytes("PUT", "/v1/kv/input/pipelined", String(i)) + requestBytes("GET", "/v1/kv/input/pipelined?raw");
    client.write(bytes);
    for (let i = 0; i < 100; i++) {
      assert.match((await client.next())?.body.toString() ?? "", /^true/, String(i));
      assert.equal((await client.next())?.body.toString(), String(i));
    }
    client.close();
  });

  test("framing: what is pipelined behind a held request waits for it, or ends the connection", async () => {
    const index = (await agent().send("GET", "/v1/kv/input/held")).headers.get("x-consul-index");
    const client = new RawConnection(agent().ports.http);
    client.write(
      requestBytes("GET", `/v1/kv/input/held?raw&index=${index}&wait=10s`) +
        requestBytes("PUT", "/v1/kv/input/behind", "x") +
        requestBytes("GET", "/v1/kv/input/behind?raw"),
    );
    assert.equal(await client.next(200), null);
    // Bun's server takes nothing behind a request that it has not answered.
    if (runtime === "bun") assert.equal(await client.ended(), true);
    else {
      assert.equal((await agent().send("GET", "/v1/kv/input/behind")).status, 404);
      await agent().send("PUT", "/v1/kv/input/held", "now");
      assert.equal((await client.next())?.body.toString(), "now");
      assert.match((await client.next())?.body.toString() ?? "", /^true/);
      assert.equal((await client.next())?.body.toString(), "x");
    }
    client.close();
  });

  test("framing: a header of 2 MiB is refused, one of 50 KiB is taken", async () => {
    const withHeader = (bytes: number): string =>
      requestBytes("GET", "/v1/status/leader", "", [`X-Long: ${"x".repeat(bytes)}`]);
    const refused = await exchange(agent().ports.http, withHeader(2 * 1024 * 1024));
    // Deno has one status for all that its parser does not take.
    assert.equal(refused?.status, runtime === "deno" ? 400 : 431);
    assert.equal((await exchange(agent().ports.http, withHeader(50 * 1024)))?.status, 200);
    // Deno's own limit is lower than Consul's megabyte, and cannot be changed.
    if (runtime !== "deno") assert.equal((await exchange(agent().ports.http, withHeader(900 * 1024)))?.status, 200);
    const long = await exchange(
      agent().ports.http,
      requestBytes("GET", `/v1/catalog/nodes?filter=${"x".repeat(50 * 1024)}`),
    );
    assert.ok(long !== null && long.status >= 400 && long.status < 501);
  });

  test("framing: methods that no route has are refused", async () => {
    for (const method of ["TRACE", "PATCH", "PROPFIND", "FROB"]) {
      const answer = await exchange(agent().ports.http, requestBytes(method, "/v1/kv/input/framed"), 2000);
      assert.ok(answer === null || [400, 405, 501].includes(answer.status), `${method}: ${answer?.status}`);
    }
  });
}
