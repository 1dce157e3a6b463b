// Each example does what its page says, against a real agent.
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { fileURLToPath, pathToFileURL } from "node:url";
import { build } from "esbuild";
import { Miniflare } from "miniflare";
import { createClient, type Registration } from "../../src/client/index.ts";
import { type AgentProcess, eventually, startAgent } from "../support/process.ts";

const root = fileURLToPath(new URL("../../", import.meta.url));

/** An example as one module; the package is its sources. */
async function bundle(path: string): Promise<string> {
  const { outputFiles } = await build({
    entryPoints: [join(root, "examples", path)],
    bundle: true,
    format: "esm",
    platform: "neutral",
    external: ["node:*"],
    alias: { "proconsul/client": join(root, "src/client/index.ts") },
    write: false,
  });
  return outputFiles[0]?.text ?? "";
}

describe("examples", () => {
  let agent: AgentProcess;
  let dir: string;
  const children: ChildProcess[] = [];
  /** Answers "GET /price/x by POST body" and the like. */
  const service = createServer(async (request, response) => {
    if (request.url?.startsWith("/price/")) return response.end("42");
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    return response.end(`${request.method} ${request.url} ${Buffer.concat(chunks).toString()}`);
  });
  const register = async (name: string): Promise<Registration> => {
    const { port } = service.address() as AddressInfo;
    const consul = createClient({ address: agent.base });
    return consul.register({ Name: name, Address: "127.0.0.1", Port: port }, { ttlMs: 60_000 });
  };
  before(async () => {
    dir = mkdtempSync(join(tmpdir(), "proconsul-examples-"));
    agent = await startAgent();
    process.env.CONSUL_HTTP_ADDR = agent.base;
    await new Promise<void>((resolve) => service.listen(0, "127.0.0.1", resolve));
  });
  after(async () => {
    for (const child of children) child.kill("SIGKILL");
    service.closeAllConnections();
    service.close();
    await agent?.kill9();
    rmSync(dir, { recursive: true, force: true });
  });

  test("examples: each is on the page, and what the page names is there", () => {
    const page = readFileSync(join(root, "examples/README.md"), "utf8");
    const folders = readdirSync(join(root, "examples"), { withFileTypes: true }).filter((entry) => entry.isDirectory());
    assert.equal(folders.length, 4);
    for (const { name } of folders) assert.ok(page.includes(`](${name}/`), name);
    for (const [, path = ""] of page.matchAll(/\]\(([^)]+)\)/g))
      assert.ok(existsSync(join(root, "examples", path)), path);
    for (const [path = ""] of page.matchAll(/examples\/[\w./-]+/g)) assert.ok(existsSync(join(root, path)), path);
  });

  test("examples: the Worker finds the service and calls it, and says when there is none", async () => {
    const registration = await register("web");
    const worker = new Miniflare({
      modules: true,
      script: await bundle("worker/worker.ts"),
      compatibilityDate: "2026-04-01",
      bindings: { CONSUL_HTTP_ADDR: agent.base },
    });
    const down = new Miniflare({
      modules: true,
      script: await bundle("worker/worker.ts"),
      compatibilityDate: "2026-04-01",
      bindings: { CONSUL_HTTP_ADDR: agent.base, SERVICE: "none" },
    });
    try {
      const get = await worker.dispatchFetch("http://worker/a?b=1");
      assert.deepEqual([get.status, await get.text()], [200, "GET /a?b=1 "]);
      const post = await worker.dispatchFetch("http://worker/a", { method: "POST", body: "text" });
      assert.deepEqual([post.status, await post.text()], [200, "POST /a text"]);
      const none = await down.dispatchFetch("http://worker/");
      assert.deepEqual([none.status, await none.text()], [503, "NoInstanceError: no instance of none is known\n"]);
      await registration.close();
    } finally {
      await worker.dispose();
      await down.dispose();
    }
  });

  test("examples: the feature flag follows its key, and keeps what it knows", async () => {
    const file = join(dir, "flag.mjs");
    writeFileSync(file, await bundle("feature-flag/flag.ts"));
    const child = spawn(
      process.execPath,
      [
        "--input-type=module",
        "-e",
        `import example from ${JSON.stringify(pathToFileURL(file).href)};
         import { createServer } from "node:http";
         const server = createServer(async (request, response) => {
           const answer = await example.fetch(new Request("http://localhost" + request.url));
           response.end(await answer.text());
         }).listen(0, "127.0.0.1", () => console.log(server.address().port));`,
      ],
      { stdio: ["ignore", "pipe", "inherit"] },
    );
    children.push(child);
    const port = await new Promise<string>((resolve) =>
      child.stdout.once("data", (data) => resolve(String(data).trim())),
    );
    const ask = async (visitor = "alice"): Promise<{ checkout: string; stale: boolean; ageMs: number | null }> =>
      (await (await fetch(`http://127.0.0.1:${port}/?visitor=${visitor}`)).json()) as never;
    const set = (value: string): Promise<unknown> => agent.send("PUT", "/v1/kv/flags/new-checkout", value);
    assert.deepEqual((await ask()).checkout, "old");
    await set('{"on": true}');
    await eventually("the flag is on", async () => (await ask()).checkout === "new");
    await set('{"on": "yes"}');
    await eventually("the flag says that it cannot be read", async () => (await ask()).stale);
    assert.equal((await ask()).checkout, "new");
    await set('{"on": true, "percent": 50}');
    await eventually("half of the visitors get it", async () => {
      const answers = await Promise.all(Array.from({ length: 40 }, (_, at) => ask(`visitor-${at}`)));
      const share = answers.filter(({ checkout }) => checkout === "new").length;
      return share > 5 && share < 35;
    });
    child.kill("SIGKILL");
  });

  test("examples: one copy leads; when it stops another does, with a greater fence", async () => {
    const file = join(dir, "leader.mjs");
    writeFileSync(file, await bundle("leader-election/main.ts"));
    const start = (name: string): { child: ChildProcess; fence(): number | null } => {
      const child = spawn(process.execPath, [file, name], { stdio: ["ignore", "pipe", "inherit"] });
      children.push(child);
      let out = "";
      child.stdout?.on("data", (data: Buffer) => (out += data.toString()));
      const fence = (): number | null => {
        const found = new RegExp(`${name} leads with fence (\\d+)`).exec(out)?.[1];
        return found === undefined ? null : Number(found);
      };
      return { child, fence };
    };
    const copies = [start("a"), start("b")];
    const leader = await eventually("one leads", () => copies.find(({ fence }) => fence() !== null) ?? null);
    const other = copies.find((copy) => copy !== leader);
    await eventually("it works", async () =>
      (await agent.send("GET", "/v1/kv/example/work?raw")).text.endsWith(` at fence ${leader.fence()}`),
    );
    assert.equal(other?.fence(), null);
    leader.child.kill("SIGTERM");
    await eventually("the other leads", () => other?.fence() !== null, 30_000);
    assert.ok((other?.fence() ?? 0) > (leader.fence() ?? Infinity));
    other?.child.kill("SIGKILL");
  });

  test("examples: the edge handler answers from a setting and a service", async () => {
    const registration = await register("prices");
    await agent.send("PUT", "/v1/kv/shop/settings", '{"currency": "CHF"}');
    const file = join(dir, "route.mjs");
    writeFileSync(file, await bundle("edge-handler/route.ts"));
    const { GET, runtime } = (await import(pathToFileURL(file).href)) as {
      GET(request: Request, context: { waitUntil(promise: Promise<unknown>): void }): Promise<Response>;
      runtime: string;
    };
    assert.equal(runtime, "edge");
    const pending: Promise<unknown>[] = [];
    const response = await GET(new Request("http://edge/api/price?article=tea"), {
      waitUntil: (promise) => void pending.push(promise),
    });
    assert.deepEqual(await response.json(), { article: "tea", price: 42, currency: "CHF", stale: false });
    await Promise.all(pending);
    await registration.close();
  });
});
