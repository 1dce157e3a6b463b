import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { startTestAgent, type TestAgent } from "../support/agent.ts";
import { queryPacket } from "../dns/ask.ts";

const host = { hostname: "web1", facts: () => ({}), memory: () => ({ rss: 3000, heapUsed: 1000, heapTotal: 2000 }) };

let agent: TestAgent;
before(async () => {
  agent = await startTestAgent({ platform: { host } });
});
after(() => agent.stop());

/** The value of one line of the Prometheus text; NaN when there is none. */
async function prometheus(line: string): Promise<number> {
  const { text } = await agent.fetch("GET", "/v1/agent/metrics?format=prometheus");
  const found = text.split("\n").find((one) => one.startsWith(`${line} `));
  return found === undefined ? Number.NaN : Number(found.slice(line.length + 1));
}

test("/v1/agent/metrics has Consul's shape", async () => {
  await agent.fetch("PUT", "/v1/kv/shape", "1");
  await agent.advance(10_000);
  const reply = await agent.fetch("GET", "/v1/agent/metrics");
  assert.equal(reply.status, 200);
  assert.equal(reply.header("content-type"), "application/json");
  const body = reply.json();
  assert.deepEqual(Object.keys(body), ["Timestamp", "Gauges", "Points", "Counters", "Samples"]);
  assert.match(body.Timestamp, /^\d{4}-\d\d-\d\d \d\d:\d\d:\d0 \+0000 UTC$/);
  const gauges = new Map(body.Gauges.map((gauge: { Name: string; Value: number }) => [gauge.Name, gauge.Value]));
  assert.equal(gauges.get("consul.web1.runtime.alloc_bytes"), 1000);
  assert.equal(gauges.get("consul.web1.server.isLeader"), 1);
  assert.equal(gauges.get("consul.web1.state.kv_entries"), 1);
  assert.equal(gauges.get("consul.web1.members.servers"), 1);
  const applied = body.Samples.find(({ Name }: { Name: string }) => Name === "consul.kvs.apply");
  assert.deepEqual(Object.keys(applied), ["Name", "Count", "Rate", "Sum", "Min", "Max", "Mean", "Stddev", "Labels"]);
  assert.equal(applied.Count, 1);
});

test("api.http counts every request by method and route, one that is given a kept reply too", async () => {
  const line = 'consul_api_http_count{method="GET",path="v1.kv._"}';
  await agent.fetch("PUT", "/v1/kv/counted", "1");
  await agent.fetch("GET", "/v1/kv/counted");
  const first = await prometheus(line);
  for (let i = 0; i < 5; i++) await agent.fetch("GET", "/v1/kv/counted");
  await agent.fetch("GET", "/v1/kv/counted?index=x");
  assert.equal((await prometheus(line)) - first, 6);
});

test("a blocking query is timed whole", async () => {
  await agent.fetch("PUT", "/v1/kv/held", "1");
  const { text } = await agent.fetch("GET", "/v1/kv/held?raw");
  assert.equal(text, "1");
  const index = (await agent.fetch("GET", "/v1/kv/held")).header("x-consul-index");
  const line = 'consul_api_http_sum{method="GET",path="v1.kv._"}';
  const before = await prometheus(line);
  const { reply } = agent.send("GET", `/v1/kv/held?index=${index}&wait=5m`);
  await agent.settle();
  assert.equal(await prometheus("consul_rpc_queries_blocking"), 1);
  await agent.advance(3000);
  await agent.fetch("PUT", "/v1/kv/held", "2");
  await reply;
  assert.equal((await prometheus(line)) - before, 3000);
  assert.equal(await prometheus("consul_rpc_queries_blocking"), 0);
});

test("the operations of the store are counted by their names", async () => {
  const session = (await agent.fetch("PUT", "/v1/session/create", { TTL: "10s" })).json().ID;
  await agent.fetch("PUT", `/v1/session/renew/${session}`);
  assert.equal(await prometheus("consul_session_ttl_active"), 1);
  await agent.fetch("PUT", "/v1/catalog/register", { Node: "n2", Address: "10.0.0.2" });
  await agent.fetch("PUT", "/v1/txn", [{ KV: { Verb: "set", Key: "t", Value: "YQ==" } }]);
  await agent.fetch("PUT", "/v1/catalog/deregister", { Node: "n2" });
  for (const name of ["session_apply", "session_renew", "catalog_deregister", "txn_apply", "fsm_deregister", "fsm_txn"])
    assert.equal(await prometheus(`consul_${name}_count`), 1, name);
  assert.equal(await prometheus('consul_fsm_session_count{op="create"}'), 1);
  assert.ok((await prometheus("consul_raft_apply")) >= 4);
  assert.ok((await prometheus("consul_raft_commitTime_count")) >= 4);
  assert.ok((await prometheus("consul_raft_leader_dispatchLog_count")) >= 4);
  assert.equal(await prometheus("consul_raft_state_leader"), 1);
  assert.equal(await prometheus("consul_raft_applied_index"), await prometheus("consul_raft_last_index"));
  assert.ok((await prometheus("consul_rpc_query")) > 0);
});

test("DNS queries are counted, reverse ones by a name of their own", async () => {
  await agent.running.dns(queryPacket("A", "consul.service.consul"), "udp", "127.0.0.1");
  await agent.running.dns(queryPacket("A", "n1.node.consul"), "udp", "127.0.0.1");
  await agent.running.dns(queryPacket("PTR", "1.0.0.127.in-addr.arpa"), "udp", "127.0.0.1");
  assert.equal(await prometheus("consul_dns_domain_query_count"), 2);
  assert.equal(await prometheus("consul_dns_ptr_query_count"), 1);
});

test("Prometheus is served without a retention time, by its name or by what is accepted", async () => {
  for (const [path, accept, isPrometheus] of [
    ["?format=prometheus", "", true],
    ["", "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5", true],
    ["", "text/plain;version=0.4.0", true],
    ["", "text/plain; version=0.0.4", true],
    ["?format=json", "", false],
    ["", "text/plain", false],
    ["", "*/*", false],
  ] as const) {
    const reply = await agent.fetch("GET", `/v1/agent/metrics${path}`, undefined, accept === "" ? {} : { accept });
    const type = isPrometheus ? "text/plain; version=0.0.4; charset=utf-8" : "application/json";
    assert.equal(reply.header("content-type"), type, `${path} ${accept}`);
    assert.equal(reply.text.startsWith("# HELP consul_"), isPrometheus);
  }
});

test("every line of the Prometheus text is a comment or a sample, and no family comes twice", async () => {
  const { text } = await agent.fetch("GET", "/v1/agent/metrics?format=prometheus");
  const families = new Set<string>();
  assert.ok(text.endsWith("\n"));
  for (const line of text.trimEnd().split("\n")) {
    const type = /^# TYPE (\S+) (gauge|counter|summary)$/.exec(line);
    if (type !== null) {
      assert.ok(!families.has(type[1] as string), line);
      families.add(type[1] as string);
    } else if (!line.startsWith("# HELP "))
      assert.match(line, /^[a-zA-Z_:][\w:]*(\{[a-z_]+="[^"]*"(,[a-z_]+="[^"]*")*\})? (NaN|-?\d+(\.\d+)?(e[+-]?\d+)?)$/);
  }
});

test("the stream gives an object at the end of each interval, and stops when its reader goes", async () => {
  const stream = await startTestAgent();
  try {
    const response = await stream.running.fetch(new Request("http://127.0.0.1/v1/agent/metrics/stream"));
    assert.equal(response.headers.get("content-type"), "application/json");
    const reader = (response.body as ReadableStream<Uint8Array>).getReader();
    await stream.advance(20_000);
    const times: string[] = [];
    for (let i = 0; i < 2; i++) {
      const { value } = await reader.read();
      const line = new TextDecoder().decode(value);
      assert.ok(line.endsWith("}\n") && !line.slice(0, -1).includes("\n"));
      times.push((JSON.parse(line) as { Timestamp: string }).Timestamp);
    }
    assert.deepEqual(times, ["2030-01-01 00:00:00 +0000 UTC", "2030-01-01 00:00:10 +0000 UTC"]);
    await reader.cancel();
    await stream.advance(10_000);
  } finally {
    await stream.stop();
  }
});

test("a wake-up that is late shows as delay of the event loop", async () => {
  const late = await startTestAgent();
  try {
    await late.advance(1000);
    const wake = late.platform.wake;
    const due = late.agent.timers.next as number;
    late.platform.now = () => due + 250;
    wake();
    const { text } = await late.fetch("GET", "/v1/agent/metrics?format=prometheus");
    assert.match(text, /^consul_runtime_event_loop_delay_sum 250$/m);
  } finally {
    await late.stop();
  }
});

test("telemetry settings of a file hold", async () => {
  const named = await startTestAgent({
    settings: {
      telemetry: { metrics_prefix: "dc", disable_hostname: true, prefix_filter: ["-dc.raft", "+dc.raft.appl"] },
    },
    platform: { host },
  });
  try {
    const { text } = await named.fetch("GET", "/v1/agent/metrics?format=prometheus");
    assert.match(text, /^dc_raft_apply \d+$/m);
    assert.match(text, /^dc_raft_applied_index \d+$/m);
    assert.doesNotMatch(text, /^dc_raft_last_index/m);
    assert.match((await named.fetch("GET", "/v1/agent/metrics")).text, /"dc\.runtime\.alloc_bytes"/);
  } finally {
    await named.stop();
  }
});
