import assert from "node:assert/strict";
import { test } from "node:test";
import { metricsSummary, prometheusText } from "../../src/agent/metrics-format.ts";
import { type Interval, Metrics } from "../../src/agent/metrics.ts";
import type { TelemetryConfig } from "../../src/config/config-types.ts";
import { Timers } from "../../src/host/timers.ts";
import { toUserMap } from "../../src/util/user-map.ts";

const START_MS = Date.UTC(2026, 0, 2, 15, 4, 3);

/** Metrics on a clock that is turned by hand. */
function metricsAt(telemetry: Partial<TelemetryConfig> = {}) {
  let nowMs = 0;
  const platform = {
    now: () => nowMs,
    wall: () => START_MS + nowMs,
    wakeAt: () => {},
  };
  const timers = new Timers(platform);
  const metrics = new Metrics({
    platform,
    timers,
    hostname: "web1",
    telemetry: {
      metricsPrefix: "consul",
      disableHostname: false,
      filterDefault: true,
      allowedPrefixes: [],
      blockedPrefixes: [],
      prometheusRetentionMs: 0,
      ...telemetry,
    },
  });
  metrics.start();
  return {
    metrics,
    summary: () => metricsSummary(metrics, metrics.interval),
    advance: (ms: number) => {
      const endMs = nowMs + ms;
      for (let next = timers.next; next !== null && next <= endMs; next = timers.next) {
        nowMs = next;
        timers.wake();
      }
      nowMs = endMs;
    },
  };
}

test("metrics before the first interval has ended are those of the interval under way", () => {
  const { metrics, summary } = metricsAt();
  metrics.counter("a.count", "A").add(2);
  assert.deepEqual(summary(), {
    Timestamp: "2026-01-02 15:04:00 +0000 UTC",
    Gauges: [],
    Points: [],
    Counters: [
      {
        Name: "consul.a.count",
        Count: 1,
        Rate: 0.2,
        Sum: 2,
        Min: 2,
        Max: 2,
        Mean: 2,
        Stddev: 0,
        Labels: toUserMap([]),
      },
    ],
    Samples: [],
  });
});

test("metrics show the last interval that has ended, aligned to ten seconds of the clock", () => {
  const { metrics, summary, advance } = metricsAt();
  const sample = metrics.sample("kvs.apply", "A", [["op", "set"]]);
  for (const value of [1, 3]) sample.add(value);
  advance(7000);
  sample.add(100);
  const shown = summary();
  assert.equal(shown.Timestamp, "2026-01-02 15:04:00 +0000 UTC");
  assert.deepEqual(shown.Samples, [
    {
      Name: "consul.kvs.apply",
      Count: 2,
      Rate: 0.4,
      Sum: 4,
      Min: 1,
      Max: 3,
      Mean: 2,
      Stddev: Math.SQRT2,
      Labels: toUserMap([["op", "set"]]),
    },
  ]);
  advance(10_000);
  assert.equal(summary().Timestamp, "2026-01-02 15:04:10 +0000 UTC");
  assert.equal(summary().Samples[0]?.Sum, 100);
  advance(10_000);
  assert.deepEqual(summary().Samples, [], "an interval without a value leaves the series out");
});

test("an instrument is made once for its name and labels", () => {
  const { metrics } = metricsAt();
  assert.equal(metrics.counter("a", "A", [["l", "1"]]), metrics.counter("a", "A", [["l", "1"]]));
  assert.notEqual(metrics.counter("a", "A", [["l", "1"]]), metrics.counter("a", "A", [["l", "2"]]));
});

test("gauges have the host's name in theirs unless it is disabled, in JSON", () => {
  for (const [disableHostname, name] of [
    [false, "consul.web1.raft.last_index"],
    [true, "consul.raft.last_index"],
  ] as const) {
    const { metrics, summary } = metricsAt({ disableHostname });
    metrics.gauges((gauge) => gauge("raft.last_index", 7, "A"));
    metrics.gauges((gauge) => gauge("autopilot.healthy", Number.NaN, "B"));
    assert.deepEqual(
      summary().Gauges.map(({ Name, Value }) => [Name, Value]),
      [[name, 7]],
      "a gauge without a value is left out",
    );
    assert.match(prometheusText(metrics), /^consul_raft_last_index 7$/m);
    assert.match(prometheusText(metrics), /^consul_autopilot_healthy NaN$/m);
  }
});

test("a metrics prefix of one's own, or none, is what names begin with", () => {
  for (const [metricsPrefix, name, text] of [
    ["my.prefix", "my.prefix.a.b", "my_prefix_a_b 1"],
    ["", "a.b", "a_b 1"],
  ] as const) {
    const { metrics, summary } = metricsAt({ metricsPrefix });
    metrics.counter("a.b", "A").add(1);
    assert.equal(summary().Counters[0]?.Name, name);
    assert.ok(prometheusText(metrics).split("\n").includes(text));
  }
});

test("of the filter's prefixes the longest that matches says it", () => {
  const names = (telemetry: Partial<TelemetryConfig>): string[] => {
    const { metrics, summary } = metricsAt(telemetry);
    for (const name of ["raft.apply", "raft.apply.more", "rpc.query"]) metrics.counter(name, "A").add(1);
    return summary().Counters.map(({ Name }) => Name.slice("consul.".length));
  };
  const cases: [Partial<TelemetryConfig>, string[]][] = [
    [{}, ["raft.apply", "raft.apply.more", "rpc.query"]],
    [{ blockedPrefixes: ["consul.raft"] }, ["rpc.query"]],
    [{ blockedPrefixes: ["consul.raft"], allowedPrefixes: ["consul.raft.apply.m"] }, ["raft.apply.more", "rpc.query"]],
    [{ filterDefault: false, allowedPrefixes: ["consul.rpc"] }, ["rpc.query"]],
    [{ filterDefault: false }, []],
  ];
  for (const [telemetry, expected] of cases) assert.deepEqual(names(telemetry), expected, JSON.stringify(telemetry));
});

test("a reload changes the filter and nothing else", () => {
  const { metrics, summary } = metricsAt();
  metrics.counter("raft.apply", "A").add(1);
  metrics.reload({ ...metrics.telemetry, metricsPrefix: "other", blockedPrefixes: ["consul.raft"] });
  assert.deepEqual(summary().Counters, []);
  metrics.reload({ ...metrics.telemetry, blockedPrefixes: [] });
  assert.equal(summary().Counters[0]?.Name, "consul.raft.apply");
});

test("the Prometheus text has every total since the start, a family under its HELP and TYPE", () => {
  const { metrics, advance } = metricsAt();
  const get = metrics.sample("api.http", "Time\nit takes", [["path", 'v1.kv."_\\']]);
  metrics.sample("api.http", "Time\nit takes", [["path", "unused"]]);
  metrics.counter("rpc.query", "Counts queries").add(5);
  metrics.sample("txn.apply", "Never used");
  get.add(0);
  advance(10_000);
  get.add(0);
  metrics.counter("rpc.query", "Counts queries").add(1);
  assert.equal(
    prometheusText(metrics),
    String.raw`# HELP consul_api_http Time\nit takes
# TYPE consul_api_http summary
consul_api_http{path="v1.kv.\"_\\",quantile="0.5"} 0
consul_api_http{path="v1.kv.\"_\\",quantile="0.9"} 0
consul_api_http{path="v1.kv.\"_\\",quantile="0.99"} 0
consul_api_http_sum{path="v1.kv.\"_\\"} 0
consul_api_http_count{path="v1.kv.\"_\\"} 2
# HELP consul_rpc_query Counts queries
# TYPE consul_rpc_query counter
consul_rpc_query 6
# HELP consul_txn_apply Never used
# TYPE consul_txn_apply summary
consul_txn_apply{quantile="0.5"} NaN
consul_txn_apply{quantile="0.9"} NaN
consul_txn_apply{quantile="0.99"} NaN
consul_txn_apply_sum 0
consul_txn_apply_count 0
`,
  );
});

test("a labelled series without news for the retention time leaves the Prometheus text, and comes back", () => {
  const { metrics, advance } = metricsAt({ prometheusRetentionMs: 60_000 });
  const sample = metrics.sample("api.http", "A", [["path", "v1.kv._"]]);
  sample.add(1);
  metrics.counter("rpc.query", "B").add(1);
  advance(60_000);
  assert.match(prometheusText(metrics), /consul_api_http_count/);
  advance(60_000);
  assert.doesNotMatch(prometheusText(metrics), /consul_api_http/);
  assert.match(prometheusText(metrics), /consul_rpc_query 1/);
  sample.add(1);
  assert.match(prometheusText(metrics), /consul_api_http_count\{path="v1.kv._"\} 2/);
});

test("whoever follows gets each interval as it ends, until he stops", () => {
  const { metrics, advance } = metricsAt();
  const seen: Interval[] = [];
  const off = metrics.follow((interval) => seen.push(interval));
  metrics.counter("a", "A").add(1);
  advance(20_000);
  off();
  advance(20_000);
  assert.deepEqual(
    seen.map(({ startMs, series }) => [startMs - START_MS, series.length]),
    [
      [-3000, 1],
      [7000, 0],
    ],
  );
});

test("a wake-up that comes late makes one long interval, and the next begins where the clock is", () => {
  const { metrics, advance, summary } = metricsAt();
  const counter = metrics.counter("a", "A");
  advance(7000);
  counter.add(1);
  metrics.stop();
  advance(3_600_000);
  metrics.start();
  counter.add(1);
  advance(10_000);
  assert.equal(summary().Counters[0]?.Count, 2);
  assert.equal(summary().Timestamp, "2026-01-02 16:04:10 +0000 UTC");
});
