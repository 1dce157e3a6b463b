// /v1/agent/metrics: https://developer.hashicorp.com/consul/api-docs/agent#view-metrics.
import { metricsSummary, PROMETHEUS_TYPE, prometheusText } from "../agent/metrics-format.ts";
import { utf8 } from "../util/bytes.ts";
import { stringifyJson } from "../util/json.ts";
import type { Context } from "./context.ts";
import { JSON_TYPE, reply, type Reply } from "./reply.ts";
import type { RouteRow } from "./route-table.ts";

/** The routes of the metrics. */
export const metricsRoutes: readonly RouteRow[] = [
  {
    method: "GET",
    path: "/v1/agent/metrics",
    params: ["format"],
    permission: "agent:read",
    summary: "The metrics of the last ten seconds, or all of them for Prometheus",
    handle: metrics,
  },
  {
    method: "GET",
    path: "/v1/agent/metrics/stream",
    params: [],
    permission: "agent:read",
    summary: "Streams the metrics, one object at the end of each interval",
    handle: stream,
  },
];

/** Consul serves Prometheus only with `prometheus_retention_time`; here that says how long a series without news stays. */
function metrics(c: Context): Reply {
  const { metrics } = c.agent;
  if (wantsPrometheus(c)) return reply(200, ["Content-Type", PROMETHEUS_TYPE], prometheusText(metrics));
  return c.reply(metricsSummary(metrics, metrics.interval));
}

function wantsPrometheus(c: Context): boolean {
  if (c.query.get("format") === "prometheus") return true;
  const accept = c.request.header("accept") ?? "";
  return accept.includes("application/openmetrics-text") || /text\/plain; *version=0\.(4\.0|0\.4)/.test(accept);
}

/** How many intervals wait for a slow reader before the next ones are left out. */
const INTERVALS_MAX = 6;

function stream(c: Context): Reply {
  const { metrics } = c.agent;
  let off: () => void = () => {};
  const body = new ReadableStream<Uint8Array<ArrayBuffer>>(
    {
      start(controller) {
        off = metrics.follow((interval) => {
          if ((controller.desiredSize ?? 0) <= 0) return;
          controller.enqueue(utf8(`${stringifyJson(metricsSummary(metrics, interval))}\n`) as Uint8Array<ArrayBuffer>);
        });
      },
      cancel: () => off(),
    },
    { highWaterMark: INTERVALS_MAX },
  );
  return reply(200, ["Content-Type", JSON_TYPE], body);
}
