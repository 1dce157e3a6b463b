// A client agent in a page of Chromium: it joins a real server, answers the API, and is the same agent when it starts again.
import assert from "node:assert/strict";
import { test } from "node:test";
import { findChromium, page, reporting, visit } from "../../client/runtimes/chromium.ts";
import { bundle, startHarness } from "../../client/runtimes/harness.ts";
import { eventually } from "../../support/process.ts";

/** Between the agents nothing goes in the clear; a page has Web Crypto for it, being of this machine. */
const KEY = "cg8StVXbQJ0gPvMd9o7yrg==";

const browser = await findChromium();

test(
  "an agent in a page joins, answers from there, and keeps its id and services in IndexedDB",
  { skip: browser === null && "there is no Chromium here: apt-get install chromium" },
  async () => {
    const script = await bundle(`
      import { startBrowserAgent } from "../../../runtimes/browser/index.ts";
      import { fromIdb } from "../../../runtimes/storage/idb.ts";
      import { createClient } from "../../../src/client/client.ts";
      ${reporting}
      const until = async (what: string, holds: () => Promise<boolean>) => {
        for (const end = Date.now() + 30_000; !(await holds().catch(() => false)); ) {
          if (Date.now() > end) throw new Error("not within 30 s: " + what);
          await new Promise((resolve) => setTimeout(resolve, 100));
        }
      };
      const start = async () => {
        const { serf } = await (await fetch("/ports")).json();
        return startBrowserAgent({
          nodeName: "page",
          retryJoin: [serf],
          peerUrl: (address, path) => "/peers/" + address + path,
          config: { encrypt: ${JSON.stringify(KEY)} },
        });
      };
      const run = async () => {
        const first = await start();
        const consul = createClient({ fetch: (url, init) => first.fetch(new Request(url, init)), storage: fromIdb() });
        await until("it has joined", async () => (await consul.agent.members()).value.length === 2);
        await until("it writes", () => consul.kv.put("from", "page"));
        await consul.agent.registerService({ Name: "in-page", Port: 1, Check: { TTL: "60s", Status: "passing" } });
        const web = consul.discover("in-page", { background: true });
        await until("the service is in the catalog", async () => web.lookup().value.length === 1);
        const id = (await consul.agent.self()).value.Config.NodeID;
        await consul.close();
        await first.stop();
        const second = await start();
        const again = createClient({ fetch: (url, init) => second.fetch(new Request(url, init)) });
        const services = Object.keys((await again.agent.services()).value);
        const sameId = (await again.agent.self()).value.Config.NodeID === id;
        await until("it has joined again", async () => (await again.agent.members()).value.length === 2);
        return { services, sameId, id };
      };
      run().then(report, (error) => report({ error: String(error) + error.stack }));`);
    const pages = page(script);
    const harness = await startHarness(pages, { encrypt: KEY });
    pages["/ports"] = {
      type: "application/json",
      body: JSON.stringify({ serf: `127.0.0.1:${harness.agent.ports.serfLan}` }),
    };
    try {
      const report = (await visit(browser as string, harness)) as { id: string };
      assert.deepEqual(report, { services: ["in-page"], sameId: true, id: report.id });
      assert.match(report.id, /^[\da-f-]{36}$/);
      assert.equal((await harness.agent.send("GET", "/v1/kv/from?raw")).text, "page");
      await eventually("the server knows the node and its service", async () => {
        const { Node, Services } = (await harness.agent.send("GET", "/v1/catalog/node/page")).json() ?? {};
        return Node?.ID === report.id && "in-page" in (Services ?? {});
      });
    } finally {
      await harness.close();
    }
  },
);
