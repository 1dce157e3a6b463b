// The requests of HTTP checks by `node:http`, against real servers. Passes on Node, Bun and Deno.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { createServer as createTlsServer } from "node:https";
import { createServer as createTcpServer, type AddressInfo, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { httpProbe } from "../../runtimes/node/http-probe.ts";
import type { HttpProbeRequest } from "../../src/platform.ts";

let plain: string;
let secure: string;
const open: { close(): void; closeAllConnections?(): void }[] = [];

before(async () => {
  plain = `http://127.0.0.1:${await listening(createServer(serve))}`;
  secure = `https://127.0.0.1:${await listening(createTlsServer(certificate(), serve))}`;
});
after(() => {
  for (const server of open) {
    server.close();
    server.closeAllConnections?.();
  }
});

async function listening(server: Server | ReturnType<typeof createTlsServer>): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  open.push(server);
  return (server.address() as AddressInfo).port;
}

/** A key and a certificate that nobody vouches for, for svc.test. */
function certificate(): { key: string; cert: string } {
  const folder = mkdtempSync(join(tmpdir(), "probe-tls-"));
  const key = join(folder, "key.pem");
  const cert = join(folder, "cert.pem");
  try {
    // prettier-ignore
    const args = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
      "-keyout", key, "-out", cert, "-subj", "/CN=svc.test", "-addext", "subjectAltName=DNS:svc.test"];
    execFileSync("openssl", args, { stdio: "ignore" });
    return { key: readFileSync(key, "utf8"), cert: readFileSync(cert, "utf8") };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Says what it was sent, redirects, or does as the path says. */
function serve(request: IncomingMessage, response: ServerResponse): void {
  const chunks: Uint8Array[] = [];
  request.on("data", (chunk: Uint8Array) => chunks.push(chunk));
  request.on("end", () => {
    const { method, url = "", headers } = request;
    const [, code, to] = /^\/redirect\/(\d+)(\/.*)$/.exec(url) ?? [];
    const hops = /^\/hops\/(\d+)$/.exec(url)?.[1];
    if (url === "/silent") return;
    if (code !== undefined) response.writeHead(Number(code), { location: to }).end("moved");
    else if (hops !== undefined && hops !== "0")
      response.writeHead(302, { location: `/hops/${Number(hops) - 1}` }).end();
    else if (url.startsWith("/elsewhere/"))
      response.writeHead(302, { location: `http://localhost:${url.slice("/elsewhere/".length)}/` }).end();
    else if (url === "/endless") {
      response.writeHead(200);
      response.write("begins");
    } else {
      const said = { method, url, headers, body: Buffer.concat(chunks).toString() };
      response.writeHead(url === "/busy" ? 429 : 200, url === "/busy" ? "Too Busy" : "Fine").end(JSON.stringify(said));
    }
  });
}

interface Said {
  method: string;
  url: string;
  headers: Record<string, string>;
  body: string;
}

const asked = (path: string, more: Partial<HttpProbeRequest> = {}): HttpProbeRequest => ({
  url: path.includes("://") ? path : plain + path,
  method: "GET",
  headers: [],
  body: "",
  followRedirects: true,
  tlsServerName: "",
  tlsSkipVerify: false,
  signal: new AbortController().signal,
  ...more,
});

/** The whole answer. */
async function ask(
  path: string,
  more: Partial<HttpProbeRequest> = {},
): Promise<{ status: number; reason: string; said: Said }> {
  const { status, reason, body } = await httpProbe.request(asked(path, more));
  const text = body === null ? "" : await new Response(body).text();
  return { status, reason, said: text.startsWith("{") ? (JSON.parse(text) as Said) : ({ body: text } as Said) };
}

test("a request goes out as it was asked for: Host, repeated headers, and a body with GET", async () => {
  const headers: [string, string][] = [
    ["Host", "svc.test"],
    ["X-A", "1"],
    ["X-A", "2"],
    ["User-Agent", "Consul Health Check"],
  ];
  const { status, reason, said } = await ask("/path?q=1", { headers, body: "héllo" });
  assert.deepEqual([status, reason, said.method, said.url, said.body], [200, "Fine", "GET", "/path?q=1", "héllo"]);
  assert.equal(said.headers["host"], "svc.test");
  assert.equal(said.headers["x-a"], "1, 2");
  assert.equal(said.headers["user-agent"], "Consul Health Check");
  assert.equal(said.headers["content-length"], "6");
  assert.equal(said.headers["transfer-encoding"], undefined);
});

test("status and reason come as the server gave them", async () => {
  const { status, reason } = await ask("/busy", { method: "POST", body: "x" });
  assert.deepEqual([status, reason], [429, "Too Busy"]);
});

test("the head of an answer is there before its body has ended, and a reader may go", async () => {
  const { status, body } = await httpProbe.request(asked("/endless"));
  assert.equal(status, 200);
  const reader = (body as ReadableStream<Uint8Array>).getReader();
  assert.equal(new TextDecoder().decode((await reader.read()).value), "begins");
  await reader.cancel();
});

test("redirects are followed, some as GET without the body", async () => {
  for (const [code, method, then, body] of [
    [301, "POST", "GET", ""],
    [302, "PUT", "GET", ""],
    [303, "POST", "GET", ""],
    [307, "POST", "POST", "b"],
    [308, "PUT", "PUT", "b"],
    [302, "HEAD", "HEAD", ""],
  ] as const) {
    const given = method === "HEAD" ? "" : "b";
    const { status, said } = await ask(`/redirect/${code}/there`, { method, body: given });
    assert.equal(status, 200, `${code} ${method}`);
    if (method !== "HEAD")
      assert.deepEqual([said.method, said.url, said.body], [then, "/there", body], `${code} ${method}`);
  }
});

test("a redirect is the answer where redirects are disabled", async () => {
  const { status, said } = await ask("/redirect/302/there", { followRedirects: false });
  assert.deepEqual([status, said.body], [302, "moved"]);
});

test("nine redirects are followed, the tenth is one too many", async () => {
  assert.equal((await ask("/hops/9")).status, 200);
  await assert.rejects(ask("/hops/10"), /stopped after 10 redirects/);
});

test("what is meant for one host is not told to another by a redirect", async () => {
  const port = new URL(plain).port;
  const headers: [string, string][] = [
    ["Host", "svc.test"],
    ["Authorization", "Basic eA=="],
    ["X-Kept", "1"],
  ];
  const { said } = await ask(`/elsewhere/${port}`, { headers });
  assert.equal(said.headers["host"], `localhost:${port}`);
  assert.equal(said.headers["authorization"], undefined);
  assert.equal(said.headers["x-kept"], "1");
});

test("what cannot be asked is a rejection that says why", async () => {
  await assert.rejects(ask("http://127.0.0.1:1/"), /ECONNREFUSED|[Rr]efused|Unable to connect/);
  await assert.rejects(ask("ftp://127.0.0.1/"), /unsupported protocol scheme "ftp"/);
  await assert.rejects(ask("http://"), /Invalid URL/);
  await assert.rejects(ask("/", { headers: [["bad name", "x"]] }), Error);
});

test("a server that breaks off before its head is a rejection, and one after it an end of the body", async () => {
  const sockets = new Set<Socket>();
  const broken = createTcpServer((socket) => {
    sockets.add(socket);
    socket.once("data", (data) => {
      if (String(data).includes("GET /head")) socket.write("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf");
      setTimeout(() => socket.destroy(), 20);
    });
    socket.on("error", () => {});
  });
  await new Promise<void>((resolve) => broken.listen(0, "127.0.0.1", resolve));
  open.push(broken);
  const base = `http://127.0.0.1:${(broken.address() as AddressInfo).port}`;
  await assert.rejects(httpProbe.request(asked(`${base}/none`)));
  const { status, body } = await httpProbe.request(asked(`${base}/head`));
  assert.equal(status, 200);
  await assert.rejects(new Response(body).text());
});

test("an abort ends a request that waits, and the reading of an answer", async () => {
  const waiting = new AbortController();
  const request = httpProbe.request(asked("/silent", { signal: waiting.signal }));
  setTimeout(() => waiting.abort(), 20);
  await assert.rejects(request);
  const reading = new AbortController();
  const { body } = await httpProbe.request(asked("/endless", { signal: reading.signal }));
  setTimeout(() => reading.abort(), 20);
  await assert.rejects(new Response(body).text());
});

test("a certificate that nobody vouches for is refused, unless the check skips verification", async () => {
  await assert.rejects(ask(secure), /self.?signed|certificate|UnknownIssuer|CERT/i);
  const { status, said } = await ask(secure, { tlsSkipVerify: true });
  assert.deepEqual([status, said.url], [200, "/"]);
});

test("the name for TLS is the one that the check gives, else the URL's, whatever Host says", async () => {
  const names: (string | false | null)[] = [];
  const server = createTlsServer(certificate(), serve);
  server.on("secureConnection", (socket) =>
    names.push((socket as { servername?: string | false | null }).servername ?? null),
  );
  const port = await listening(server);
  const headers: [string, string][] = [["Host", "other.test"]];
  const skip = { tlsSkipVerify: true, headers };
  assert.equal((await ask(`https://localhost:${port}/`, { ...skip, tlsServerName: "svc.test" })).status, 200);
  const { said } = await ask(`https://localhost:${port}/`, skip);
  assert.equal(said.headers["host"], "other.test");
  assert.deepEqual(names, ["svc.test", "localhost"]);
});
