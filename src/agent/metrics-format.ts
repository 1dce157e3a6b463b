// Metrics as they are shown: Consul's JSON of one interval, and the text format of Prometheus with the totals since the
// start (https://prometheus.io/docs/instrumenting/exposition_formats/).
import { assert } from "../util/assert.ts";
import type { Figures, Labels, Sample } from "../util/instrument.ts";
import { toUserMap } from "../util/user-map.ts";
import type { UserMap } from "../types/records.ts";
import type { GaugeReading, Interval, Metrics, Series } from "./metrics.ts";

/** Seconds of an interval: what rates are divided by. */
const INTERVAL_SECONDS = 10;
const QUANTILES = [0.5, 0.9, 0.99] as const;

/** The media type of the text format. */
export const PROMETHEUS_TYPE = "text/plain; version=0.0.4; charset=utf-8";

/** A gauge as JSON shows it. */
export interface GaugeSummary {
  Name: string;
  Value: number;
  Labels: UserMap;
}
/** A counter or a sample as JSON shows it. */
export interface SampleSummary {
  Name: string;
  Count: number;
  /** The sum per second. */
  Rate: number;
  Sum: number;
  Min: number;
  Max: number;
  Mean: number;
  Stddev: number;
  Labels: UserMap;
}
/** The body of /v1/agent/metrics. */
export interface MetricsSummary {
  Timestamp: string;
  Gauges: GaugeSummary[];
  Points: [];
  Counters: SampleSummary[];
  Samples: SampleSummary[];
}

/** One interval as /v1/agent/metrics shows it, sorted by name. */
export function metricsSummary(metrics: Metrics, interval: Interval): MetricsSummary {
  const { telemetry, hostname } = metrics;
  const prefix = telemetry.metricsPrefix === "" ? "" : `${telemetry.metricsPrefix}.`;
  const gaugePrefix = telemetry.disableHostname || hostname === "" ? prefix : `${prefix}${hostname}.`;
  const of = (kind: Series["kind"]): SampleSummary[] =>
    interval.series
      .filter(({ series }) => series.kind === kind)
      .map(({ series, figures }) => sampleSummary(prefix + series.name, figures, series.labels))
      .sort(byName);
  return {
    Timestamp: timestamp(interval.startMs),
    Gauges: interval.gauges
      // JSON has no way to say that there is no value.
      .filter(({ value }) => !Number.isNaN(value))
      .map(({ name, value, labels }) => ({ Name: gaugePrefix + name, Value: value, Labels: toUserMap(labels) }))
      .sort(byName),
    Points: [],
    Counters: of("counter"),
    Samples: of("sample"),
  };
}

function sampleSummary(name: string, figures: Figures, labels: Labels): SampleSummary {
  const { count, sum, sumOfSquares, min, max } = figures;
  const variance = count < 2 ? 0 : (count * sumOfSquares - sum * sum) / (count * (count - 1));
  return {
    Name: name,
    Count: count,
    Rate: sum / INTERVAL_SECONDS,
    Sum: sum,
    Min: min,
    Max: max,
    Mean: count === 0 ? 0 : sum / count,
    Stddev: Math.sqrt(Math.max(0, variance)),
    Labels: toUserMap(labels),
  };
}

function byName(a: { Name: string }, b: { Name: string }): number {
  return a.Name < b.Name ? -1 : a.Name > b.Name ? 1 : 0;
}

/** `2026-01-02 15:04:10 +0000 UTC`, as Go prints a time. */
function timestamp(ms: number): string {
  const [date, time] = new Date(ms).toISOString().split("T") as [string, string];
  return `${date} ${time.slice(0, 8)} +0000 UTC`;
}

/** Everything as a scrape of Prometheus takes it. No name has the host's: who scrapes knows whom he asked. */
export function prometheusText(metrics: Metrics): string {
  const families = new Map<string, Family>();
  const prefix = metrics.telemetry.metricsPrefix;
  const add = (name: string, help: string, type: Family["type"], lines: (name: string) => string[]): void => {
    const full = sanitised(prefix === "" ? name : `${prefix}.${name}`);
    let family = families.get(full);
    if (family === undefined) families.set(full, (family = { type, help, lines: [] }));
    assert(family.type === type, `${full} is a ${family.type} and a ${type}`);
    family.lines.push(...lines(full));
  };
  for (const gauge of metrics.readGauges()) add(gauge.name, gauge.help, "gauge", (name) => gaugeLines(name, gauge));
  for (const series of metrics.series) {
    const { kind, instrument, labels } = series;
    // What is told apart by labels appears with its first value.
    if ((labels.length > 0 && instrument.totalCount === 0) || metrics.isExpired(series)) continue;
    if (kind === "counter")
      add(series.name, series.help, "counter", (name) => [`${name}${labelled(labels)} ${number(instrument.totalSum)}`]);
    else add(series.name, series.help, "summary", (name) => summaryLines(name, labels, instrument as Sample));
  }
  let text = "";
  for (const name of [...families.keys()].sort()) {
    const { type, help, lines } = families.get(name) as Family;
    text += `# HELP ${name} ${escapedHelp(help)}\n# TYPE ${name} ${type}\n${lines.join("\n")}\n`;
  }
  return text;
}

interface Family {
  readonly type: "gauge" | "counter" | "summary";
  readonly help: string;
  readonly lines: string[];
}

function gaugeLines(name: string, { value, labels }: GaugeReading): string[] {
  return [`${name}${labelled(labels)} ${number(value)}`];
}

function summaryLines(name: string, labels: Labels, sample: Sample): string[] {
  const lines = QUANTILES.map(
    (q) => `${name}${labelled([...labels, ["quantile", String(q)]])} ${number(sample.quantile(q))}`,
  );
  lines.push(`${name}_sum${labelled(labels)} ${number(sample.totalSum)}`);
  lines.push(`${name}_count${labelled(labels)} ${number(sample.totalCount)}`);
  return lines;
}

function labelled(labels: Labels): string {
  if (labels.length === 0) return "";
  return `{${labels.map(([name, value]) => `${sanitised(name)}="${escapedValue(value)}"`).join(",")}}`;
}

/** Names as Consul's Prometheus sink makes them. */
const sanitised = (name: string): string => name.replace(/[^a-zA-Z0-9_:]/g, "_").replace(/^(?=\d)/, "_");
const escapedHelp = (help: string): string => help.replaceAll("\\", "\\\\").replaceAll("\n", String.raw`\n`);
const escapedValue = (value: string): string => escapedHelp(value).replaceAll('"', String.raw`\"`);
const number = (value: number): string =>
  value === Number.POSITIVE_INFINITY ? "+Inf" : value === Number.NEGATIVE_INFINITY ? "-Inf" : String(value);
