// The agent's metrics, aggregated in memory as Consul's are: intervals of ten seconds, of which the last that has ended is
// shown, and the totals that Prometheus asks for. Counters and samples are held by whoever feeds them; gauges are read
// when somebody looks or an interval ends. https://developer.hashicorp.com/consul/docs/monitor/telemetry/agent
import type { TelemetryConfig } from "../config/config-types.ts";
import type { Timer, Timers } from "../host/timers.ts";
import type { Platform } from "../platform.ts";
import { Counter, type Figures, type Labels, type Meter, Sample } from "../util/instrument.ts";

/** Milliseconds of an interval. */
const INTERVAL_MS = 10_000;

/** What is shown of one instrument: its name without the prefix, and what it is. */
export interface Series {
  readonly kind: "counter" | "sample";
  readonly name: string;
  readonly help: string;
  readonly labels: Labels;
  readonly instrument: Counter | Sample;
  /** When, in monotonic milliseconds, the last interval ended that had something in it. */
  activeAtMs: number;
}

/** A gauge as it stands; NaN when there is no value now. */
export interface GaugeReading {
  readonly name: string;
  readonly help: string;
  readonly value: number;
  readonly labels: Labels;
}

/** A series and what one interval of it came to. */
export interface SeriesFigures {
  readonly series: Series;
  readonly figures: Figures;
}

/** All that one interval came to. */
export interface Interval {
  /** When it began, in milliseconds since the epoch: a whole number of intervals. */
  readonly startMs: number;
  readonly gauges: readonly GaugeReading[];
  /** What had nothing in it is left out. */
  readonly series: readonly SeriesFigures[];
}

/** Gives the gauges of one part of the agent, as they stand. */
export type GaugeSource = (gauge: (name: string, value: number, help: string, labels?: Labels) => void) => void;

/** What metrics are made with. */
export interface MetricsOptions {
  platform: Pick<Platform, "now" | "wall">;
  timers: Timers;
  telemetry: TelemetryConfig;
  /** Part of the names of gauges, unless `disable_hostname`; "" when it is not known. */
  hostname: string;
}

const NO_LABELS: Labels = [];

/** Every metric of an agent. */
export class Metrics implements Meter {
  readonly #options: MetricsOptions;
  readonly #series = new Map<string, Series>();
  readonly #sources: GaugeSource[] = [];
  readonly #followers = new Set<(interval: Interval) => void>();
  #telemetry: TelemetryConfig;
  #startMs: number;
  #last: Interval | null = null;
  #timer: Timer | null = null;

  constructor(options: MetricsOptions) {
    this.#options = options;
    this.#telemetry = options.telemetry;
    this.#startMs = this.#intervalStart();
  }

  get telemetry(): TelemetryConfig {
    return this.#telemetry;
  }

  get hostname(): string {
    return this.#options.hostname;
  }

  /** Begins to divide time. */
  start(): void {
    this.#startMs = this.#intervalStart();
    this.#wait();
  }

  stop(): void {
    this.#options.timers.cancel(this.#timer);
    this.#timer = null;
    this.#followers.clear();
  }

  /** A reload may change the filter of names. */
  reload({ filterDefault, allowedPrefixes, blockedPrefixes }: TelemetryConfig): void {
    this.#telemetry = { ...this.#telemetry, filterDefault, allowedPrefixes, blockedPrefixes };
  }

  counter(name: string, help: string, labels: Labels = NO_LABELS): Counter {
    return this.#instrument("counter", name, help, labels);
  }

  sample(name: string, help: string, labels: Labels = NO_LABELS): Sample {
    return this.#instrument("sample", name, help, labels) as Sample;
  }

  /** Asks `source` for gauges whenever they are wanted. */
  gauges(source: GaugeSource): void {
    this.#sources.push(source);
  }

  /** Every counter and sample there is that the filter lets through. */
  get series(): Series[] {
    return [...this.#series.values()].filter(({ name }) => this.#isAllowed(name));
  }

  /** Every gauge as it stands that the filter lets through. */
  readGauges(): GaugeReading[] {
    const readings: GaugeReading[] = [];
    for (const source of this.#sources)
      source((name, value, help, labels = NO_LABELS) => {
        if (this.#isAllowed(name)) readings.push({ name, value, help, labels });
      });
    return readings;
  }

  /** The last interval that has ended; the one under way until there is one. */
  get interval(): Interval {
    return this.#last ?? this.#interval((instrument) => instrument.figures);
  }

  /** True when nothing was added to `series` for so long that Prometheus is told of it no more. */
  isExpired({ labels, instrument, activeAtMs }: Series): boolean {
    const { prometheusRetentionMs } = this.#telemetry;
    // What has no labels is there for good, as the definitions of Consul's metrics are.
    if (prometheusRetentionMs <= 0 || labels.length === 0 || instrument.figures.count > 0) return false;
    return this.#options.platform.now() - activeAtMs > prometheusRetentionMs;
  }

  /** Hands every interval to `take` as it ends, until the returned function is called. */
  follow(take: (interval: Interval) => void): () => void {
    this.#followers.add(take);
    return () => this.#followers.delete(take);
  }

  #instrument(kind: Series["kind"], name: string, help: string, labels: Labels): Counter {
    const key = JSON.stringify([name, labels]);
    const known = this.#series.get(key);
    if (known !== undefined) return known.instrument;
    const instrument = kind === "sample" ? new Sample() : new Counter();
    this.#series.set(key, { kind, name, help, labels, instrument, activeAtMs: this.#options.platform.now() });
    return instrument;
  }

  #intervalStart(): number {
    return Math.floor(this.#options.platform.wall() / INTERVAL_MS) * INTERVAL_MS;
  }

  #wait(): void {
    const { timers, platform } = this.#options;
    this.#timer = timers.after(INTERVAL_MS - (platform.wall() % INTERVAL_MS), () => this.#end());
  }

  #end(): void {
    const nowMs = this.#options.platform.now();
    for (const series of this.#series.values()) if (series.instrument.figures.count > 0) series.activeAtMs = nowMs;
    this.#last = this.#interval((instrument) => instrument.end());
    // A late wake-up (a lid that was closed) makes one long interval, named after its beginning.
    this.#startMs = this.#intervalStart();
    this.#wait();
    for (const take of this.#followers) take(this.#last);
  }

  #interval(figuresOf: (instrument: Counter) => Figures): Interval {
    const series: SeriesFigures[] = [];
    for (const one of this.#series.values()) {
      const figures = figuresOf(one.instrument);
      if (figures.count > 0 && this.#isAllowed(one.name)) series.push({ series: one, figures });
    }
    return { startMs: this.#startMs, gauges: this.readGauges(), series };
  }

  /** `prefix_filter`: the longest prefix that matches says it. */
  #isAllowed(name: string): boolean {
    const { metricsPrefix, filterDefault, allowedPrefixes, blockedPrefixes } = this.#telemetry;
    const full = metricsPrefix === "" ? name : `${metricsPrefix}.${name}`;
    const longest = (prefixes: readonly string[]): number =>
      prefixes.reduce((most, prefix) => (full.startsWith(prefix) ? Math.max(most, prefix.length) : most), -1);
    const allowed = longest(allowedPrefixes);
    const blocked = longest(blockedPrefixes);
    return allowed === blocked ? (allowed === -1 ? filterDefault : false) : allowed > blocked;
  }
}
