// A datacenter of one Node server and one of a Worker know each other by one address each, and answer for each other.
import assert from "node:assert/strict";
import { test } from "node:test";
import { freePorts, startAgentProcess, toolCommand } from "../../conformance/agent-process.ts";
import { bundle, HARNESS, LocalWorker } from "./local-worker.ts";

const TOKEN = "a-token-of-the-worker";
const GATEWAY_TOKEN = "a-token-of-the-gateway";

test("a Node datacenter and a Worker datacenter: ?dc= both ways, by HTTP alone; another token is refused", async (t) => {
  const [port] = (await freePorts(1)) as [number];
  const remote = [{ name: "home", address: `http://127.0.0.1:${port}`, token: GATEWAY_TOKEN }];
  const worker = await LocalWorker.start({
    code: (await bundle(HARNESS)).code,
    bindings: {
      DATACENTERS: "edge",
      PROCONSUL_TOKEN: TOKEN,
      CONFIG: JSON.stringify({ remote_datacenters: remote }),
    },
  });
  t.after(() => worker.stop());
  const agent = await startAgentProcess(toolCommand("node"), {
    dc: "home",
    config: {
      ports: { gateway: port },
      gateway_token: GATEWAY_TOKEN,
      remote_datacenters: [{ name: "edge", address: worker.base, token: TOKEN }],
    },
  });
  t.after(() => agent.stop());
  const headers = { "X-Consul-Token": TOKEN };

  const put = await fetch(`${agent.base}/v1/kv/a?dc=edge`, { method: "PUT", body: "from home" });
  assert.equal(await put.text(), "true");
  assert.equal(await worker.text("/v1/kv/a?raw", { headers }), "from home");
  const back = await worker.fetch("/v1/kv/b?dc=home", { method: "PUT", body: "from the edge", headers });
  assert.equal(await back.text(), "true");
  assert.equal(await (await fetch(`${agent.base}/v1/kv/b?raw`)).text(), "from the edge");
  assert.deepEqual(await worker.json("/v1/catalog/datacenters", { headers }), ["edge", "home"]);

  const refused = await worker.fetch("/rpc/1/forward", {
    method: "POST",
    body: "x",
    headers: { Authorization: "Bearer no" },
  });
  assert.equal(refused.status, 403);
});
