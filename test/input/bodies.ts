// Bodies that are too large, and lengths that lie about them.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { AgentProcess } from "../support/process.ts";
import { RawConnection, requestBytes } from "../support/raw-http.ts";

const KIB_512 = 512 * 1024;
/** What each kind of route takes at most. */
const ROUTES: readonly (readonly [method: string, path: string, bytesMax: number])[] = [
  ["PUT", "/v1/kv/input/large", KIB_512],
  ["PUT", "/v1/catalog/register", KIB_512],
  ["PUT", "/v1/catalog/deregister", KIB_512],
  ["PUT", "/v1/agent/service/register", KIB_512],
  ["PUT", "/v1/agent/check/register", KIB_512],
  ["PUT", "/v1/agent/check/update/c", KIB_512],
  ["PUT", "/v1/session/create", KIB_512],
  ["POST", "/v1/query", KIB_512],
  ["PUT", "/v1/coordinate/update", KIB_512],
  ["PUT", "/v1/config", KIB_512],
  ["PUT", "/v1/txn", 2 * KIB_512],
  ["PUT", "/v1/event/fire/e", 300],
];

/** Declares the tests; `agent` is asked for when they run. */
export function bodyTests(agent: () => AgentProcess): void {
  const connection = (): RawConnection => new RawConnection(agent().ports.http);

  for (const [method, path, bytesMax] of ROUTES) {
    test(`bodies: ${method} ${path}: one byte more than ${bytesMax} is 413, declared and chunked`, async () => {
      const body = Buffer.alloc(bytesMax + 1, " ");
      for (const headers of ["Content-Length: ", "Transfer-Encoding: chunked"]) {
        const chunked = headers.startsWith("T");
        const client = connection();
        client.write(`${method} ${path} HTTP/1.1\r\nHost: h\r\n${headers}${chunked ? "" : body.length}\r\n\r\n`);
        if (chunked) client.write(`${body.length.toString(16)}\r\n`);
        client.write(body);
        if (chunked) client.write("\r\n0\r\n\r\n");
        const answer = await client.next();
        client.close();
        assert.equal(answer?.status, 413, headers);
        assert.match(answer.body.toString(), /too large/, headers);
      }
    });
  }

  test("bodies: a body at its limit is taken", async () => {
    assert.equal((await agent().send("PUT", "/v1/kv/input/largest", Buffer.alloc(KIB_512, "x"))).text.trim(), "true");
    assert.equal((await agent().send("PUT", "/v1/event/fire/largest", "x".repeat(300))).status, 200);
    await agent().send("DELETE", "/v1/kv/input/largest");
  });

  test("bodies: ten declared gigabytes are refused before they come", async () => {
    for (const path of ["/v1/kv/input/large", "/v1/catalog/register", "/v1/txn"]) {
      const client = connection();
      client.write(`PUT ${path} HTTP/1.1\r\nHost: h\r\nContent-Length: 10737418240\r\n\r\nten bytes.`);
      assert.equal((await client.next(3000))?.status, 413, path);
      client.close();
    }
  });

  test("bodies: chunks without end are refused at the limit, and cost no memory", async () => {
    const client = connection();
    client.write("PUT /v1/kv/input/endless HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n");
    const chunk = Buffer.concat([Buffer.from("10000\r\n"), Buffer.alloc(65_536, "x"), Buffer.from("\r\n")]);
    let sent = 0;
    while (!client.closed && sent < 128 * 1024 * 1024) {
      sent += 65_536;
      if (!client.socket.write(chunk))
        await new Promise<void>((resolve) => void client.socket.once("drain", resolve).once("close", resolve));
    }
    assert.equal((await client.next())?.status, 413);
    client.close();
    assert.equal((await agent().send("GET", "/v1/kv/input/endless")).status, 404);
  });

  test("bodies: a length that is too small ends the request there, and what follows is no part of it", async () => {
    const client = connection();
    client.write(
      "PUT /v1/kv/input/short HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello, and this is no request\r\n\r\n",
    );
    assert.equal((await client.next())?.status, 200);
    const second = await client.next();
    assert.ok(second === null || second.status >= 400, String(second?.status));
    assert.equal(await client.ended(), true);
    assert.equal((await agent().send("GET", "/v1/kv/input/short?raw")).text, "hello");
  });

  test("bodies: a client that sends less than it declared and goes away has written nothing", async () => {
    for (const path of ["/v1/kv/input/cut", "/v1/txn", "/v1/catalog/register"]) {
      const declared = connection();
      declared.write(`PUT ${path} HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\n\r\nhalf`);
      const chunked = connection();
      chunked.write(`PUT ${path} HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n`);
      // Both have certainly arrived when a request after them is answered.
      await agent().send("GET", "/v1/status/leader");
      declared.close();
      chunked.close();
    }
    assert.equal((await agent().send("GET", "/v1/kv/input/cut")).status, 404);
  });

  test("bodies: a GET with a body is a GET, and the body is not the next request", async () => {
    const client = connection();
    client.write(
      requestBytes(
        "GET",
        "/v1/status/leader",
        "PUT /v1/kv/input/smuggled HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\nx",
      ),
    );
    assert.equal((await client.next())?.status, 200);
    client.write(requestBytes("GET", "/v1/kv/input/smuggled"));
    assert.equal((await client.next())?.status, 404);
    client.close();
  });
}
