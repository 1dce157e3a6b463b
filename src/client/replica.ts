// An answer of the API kept in memory: looked up in microseconds, refreshed behind the reader's back, and kept on every
// error without end, with its age in plain sight. In a process that lives on, a watch feeds it. Where nothing runs between
// requests (Workers and their like) a look-up revalidates it: served at once while fresh, served and refreshed while young,
// waited for when old, and served all the same when the refresh fails.
import type { Uint64 } from "../types/records.ts";
import type { Clock } from "./clock.ts";
import { within } from "./clock.ts";
import { stringifyJson } from "./json.ts";
import type { ClientStorage } from "./storage.ts";
import { readKept, storageName, writeKept } from "./storage.ts";
import type { Read } from "./transport.ts";
import type { Watched, WatchSource, WatchTarget } from "./watch.ts";

/** The first pause after a failure; each is twice the one before, up to the last, and half of it is chance. */
const RETRY_MS = 500;
const RETRY_MAX_MS = 30_000;
/** Of a watch: how long a query waits, less or more a tenth, and what it may take beyond that and Consul's own sixteenth. */
const WAIT_MS = 60_000;
const WAIT_GRACE_MS = 10_000;
/** A value that changes all the time is not asked for more often than this. */
const INTERVAL_MS = 100;
/** An answer that is confirmed, not changed, is written again after this, so that its age is known. */
const KEEP_MS = 60_000;

/** How a replica is kept up to date. */
export interface ReplicaOptions {
  /** Whether a watch runs in the background; when not given, wherever the runtime lets one live. */
  background?: boolean;
  /** Without a background: how old a value is served without a look at the server (5 s), ... */
  freshMs?: number;
  /** ... and how old it is served while the server is asked (60 s); an older one waits for the answer. */
  youngMs?: number;
  /** How long a look-up waits for a server at most: 5 s. */
  timeoutMs?: number;
}

/** How to wait, for a look-up that may. */
export interface LookupOptions {
  signal?: AbortSignal;
  /** Keeps a refresh alive after the response: `ctx.waitUntil` of a Worker's request. */
  waitUntil?(promise: Promise<unknown>): void;
}

/** What is known, and how well. */
export interface Lookup<T> {
  readonly value: T;
  /** Since a server last confirmed the value; Infinity when none has yet. */
  readonly ageMs: number;
  /** The value may be out of date: the last attempt failed, or none has succeeded for longer than should be. */
  readonly stale: boolean;
  /** Why the last attempt failed, or the value could not be read; null when all is well. */
  readonly error: unknown;
  readonly index: Uint64;
  /** Where the value is from; "none": there is none yet, and `value` is the empty one. */
  readonly source: "none" | "storage" | "server";
}

/** What a replica is made of besides its options. */
export interface ReplicaParts<W, T> {
  target: WatchTarget<W>;
  /** What cannot be read in part is reported; what cannot be read at all is thrown. `before` is the value until now. */
  decode(wire: W, before: T, report: (error: unknown) => void): T;
  empty: T;
  /** Names the answer in the storage, together with the secret. */
  question: string;
  secret: string;
  clock: Clock;
  source: WatchSource;
  storage?: ClientStorage;
  waitUntil?(promise: Promise<unknown>): void;
  closed(): void;
}

/** An answer in memory. */
export class Replica<W, T> {
  readonly #parts: ReplicaParts<W, T>;
  readonly #background: boolean;
  readonly #freshMs: number;
  readonly #youngMs: number;
  readonly #timeoutMs: number;
  readonly #storageName: string;
  readonly #listeners = new Set<() => void>();
  #stop: AbortController | null = null;
  #isClosed = false;
  #value: T;
  #wire: W | undefined;
  #index: Uint64 = 0;
  #source: Lookup<T>["source"] = "none";
  /** Of the clock's `now`: the value was right then. */
  #confirmedAt = -Infinity;
  #error: unknown = null;
  #decodeError: unknown = null;
  #failures = 0;
  /** Without a background: when the attempt under way began, and when the next may. */
  #askedAt = -Infinity;
  #retryAt = -Infinity;
  #keptAt = -Infinity;
  #keeping: Promise<void> | null = null;

  constructor(parts: ReplicaParts<W, T>, options: ReplicaOptions = {}) {
    this.#parts = parts;
    this.#value = parts.empty;
    this.#background = options.background ?? lives();
    this.#freshMs = options.freshMs ?? 5_000;
    this.#youngMs = options.youngMs ?? 60_000;
    this.#timeoutMs = options.timeoutMs ?? 5_000;
    this.#storageName = storageName(parts.question, parts.secret);
    if (this.#background) {
      this.#stop = new AbortController();
      if (parts.storage !== undefined) void this.#recall();
      void this.#follow(this.#stop.signal);
    }
  }

  /** From memory, at once; never fails. Without a background it also starts a refresh that is due, given a `waitUntil`. */
  lookup(options?: LookupOptions): Lookup<T> {
    if (!this.#background) {
      const waitUntil = options?.waitUntil ?? this.#parts.waitUntil;
      if (waitUntil !== undefined && this.#isDue()) waitUntil(this.#refresh(options?.signal));
    }
    const ageMs = Math.max(0, this.#parts.clock.now() - this.#confirmedAt);
    const error = this.#error ?? this.#decodeError;
    return {
      value: this.#value,
      ageMs,
      stale: error !== null || this.#source !== "server" || ageMs > (this.#background ? WAIT_MAX_MS : this.#freshMs),
      error,
      index: this.#index,
      source: this.#source,
    };
  }

  /**
   * The same once there is a value, or, without a background, one that is young enough. What is known is served however old
   * it is when no server can be asked.
   * @throws why there is no value: the server's error, a TimeoutError, or the signal's reason
   */
  async ready(options: LookupOptions = {}): Promise<Lookup<T>> {
    if (this.#background) {
      if (this.#source === "none") await this.#first(options.signal);
      return this.lookup();
    }
    if (this.#source === "none") await this.#recall();
    // A failure is waited out also where nothing is known.
    if (this.#source === "none" && this.#parts.clock.now() < this.#retryAt) throw this.#error;
    const ageMs = this.#parts.clock.now() - this.#confirmedAt;
    const mayWait = (options.waitUntil ?? this.#parts.waitUntil) === undefined || ageMs > this.#youngMs;
    if (this.#source === "none" || (mayWait && this.#isDue())) await this.#refresh(options.signal);
    if (this.#source === "none") throw this.#error ?? this.#decodeError;
    return this.lookup(options);
  }

  /** What is known now, then anew whenever the value changes, until the signal is aborted or the replica closed. */
  async *changes(options: { signal?: AbortSignal } = {}): AsyncGenerator<Lookup<T>, void, undefined> {
    const { signal } = options;
    let shown: W | undefined;
    for (;;) {
      if (signal?.aborted || this.#isClosed) return;
      if (!this.#background) await this.ready({ signal }).catch(() => {});
      if (this.#source !== "none" && this.#wire !== shown) {
        shown = this.#wire;
        yield this.lookup();
      } else if (this.#background) await this.#next(signal);
      else await this.#parts.clock.sleep(this.#freshMs, signal);
    }
  }

  /** Ends the watch. What is known stays to be looked up. */
  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#stop?.abort(new Error("closed"));
    this.#parts.closed();
    this.#changed();
    await this.#keeping;
  }

  async #follow(signal: AbortSignal): Promise<void> {
    const { target, clock, source } = this.#parts;
    const read: Watched<W> = (options) => {
      const waitMs = Math.round(WAIT_MS * (0.9 + 0.2 * clock.random()));
      const limitMs = waitMs + waitMs / 16 + WAIT_GRACE_MS;
      return within(clock, limitMs, options.signal, (inner) =>
        target.read({ ...options, wait: `${waitMs}ms`, signal: inner }),
      );
    };
    const options = {
      signal,
      sleep: clock.sleep,
      now: clock.now,
      intervalMs: INTERVAL_MS,
      retryMs: (failures: number) => this.#backoffMs(failures),
      onAnswer: (answer: Read<unknown>) => this.#confirmed(answer),
      onError: (error: unknown) => this.#failed(error),
    };
    try {
      for await (const answer of source({ path: target.path, read }, options)) this.#take(answer.value, answer.index);
    } catch (error) {
      this.#failed(error);
    }
  }

  async #refresh(signal?: AbortSignal): Promise<void> {
    const { target, clock } = this.#parts;
    const start = clock.now();
    this.#askedAt = start;
    try {
      const answer = await within(clock, this.#timeoutMs, signal, (inner) => target.read({ signal: inner }));
      this.#confirmed(answer);
      if (this.#wire === undefined || stringifyJson(this.#wire) !== stringifyJson(answer.value))
        this.#take(answer.value, answer.index);
      await this.#keeping;
    } catch (error) {
      if (signal?.aborted) {
        // The caller gave up, not the server: whoever is next may ask.
        if (this.#source === "none") throw error;
      } else {
        this.#failed(error);
        this.#retryAt = clock.now() + this.#backoffMs(this.#failures);
      }
    } finally {
      if (this.#askedAt === start) this.#askedAt = -Infinity;
    }
  }

  /** Nobody else is asking, or whoever was has been cut off with their request; and no failure is waited out. */
  #isDue(): boolean {
    const now = this.#parts.clock.now();
    if (this.#isClosed || now - this.#confirmedAt <= this.#freshMs) return false;
    return now >= this.#retryAt && now - this.#askedAt > this.#timeoutMs;
  }

  /** Reads the second level; a server's answer that came first stands. */
  async #recall(): Promise<void> {
    const { storage, question, clock } = this.#parts;
    if (storage === undefined) return;
    const read = within(clock, this.#timeoutMs, null, () => readKept(storage, this.#storageName, question));
    const kept = await read.catch(() => null);
    if (kept === null || this.#source !== "none") return;
    this.#confirmedAt = clock.now() - Math.max(0, clock.wall() - kept.at);
    this.#source = "storage";
    this.#take(kept.wire as W, kept.index);
  }

  #confirmed(answer: Read<unknown>): void {
    const { clock } = this.#parts;
    this.#failures = 0;
    this.#error = null;
    this.#retryAt = -Infinity;
    // A server that answers without its leader knows no more than that one last told it.
    this.#confirmedAt = clock.now() - answer.lastContactMs;
    this.#source = "server";
    this.#index = answer.index;
    if (this.#wire !== undefined && clock.now() - this.#keptAt >= KEEP_MS) this.#keep();
  }

  #failed(error: unknown): void {
    this.#failures += 1;
    this.#error = error;
    this.#changed();
  }

  #take(wire: W, index: Uint64): void {
    this.#wire = wire;
    this.#decodeError = null;
    const report = (error: unknown): void => void (this.#decodeError ??= error);
    try {
      this.#value = this.#parts.decode(wire, this.#value, report);
    } catch (error) {
      // What could be read last stands.
      report(error);
    }
    this.#index = index;
    if (this.#source === "server") this.#keep();
    this.#changed();
  }

  /** Writes what is known; while that is under way, the latest follows when it is done. */
  #keep(): void {
    const { storage, question, clock } = this.#parts;
    if (storage === undefined) return;
    this.#keptAt = clock.now();
    if (this.#keeping !== null) {
      this.#keptAt = -Infinity;
      return;
    }
    const at = clock.wall() - Math.max(0, clock.now() - this.#confirmedAt);
    const answer = { at, index: this.#index, wire: this.#wire };
    this.#keeping = within(clock, this.#timeoutMs, null, () => writeKept(storage, this.#storageName, question, answer))
      .catch(() => {})
      .then(() => {
        this.#keeping = null;
        if (this.#keptAt === -Infinity) this.#keep();
      });
  }

  #backoffMs(failures: number): number {
    return Math.min(RETRY_MS * 2 ** (failures - 1), RETRY_MAX_MS) * (0.5 + 0.5 * this.#parts.clock.random());
  }

  #changed(): void {
    for (const listener of this.#listeners) listener();
  }

  /** Waits for the next change. */
  async #next(signal?: AbortSignal): Promise<void> {
    if (signal?.aborted) return;
    let listener = (): void => {};
    const changed = new Promise<void>((resolve) => {
      listener = resolve;
    });
    this.#listeners.add(listener);
    signal?.addEventListener("abort", listener);
    await changed;
    this.#listeners.delete(listener);
    signal?.removeEventListener("abort", listener);
  }

  /** Waits for the first value. */
  async #first(signal?: AbortSignal): Promise<void> {
    try {
      await within(this.#parts.clock, this.#timeoutMs, signal, async (inner) => {
        while (this.#source === "none" && !this.#isClosed) {
          inner.throwIfAborted();
          await this.#next(inner);
        }
      });
    } catch (error) {
      if (signal?.aborted || this.#error === null) throw error;
    }
    if (this.#source === "none") throw this.#error ?? new Error("closed");
  }
}

/** Longer than this, no query of a watch may last. */
const WAIT_MAX_MS = WAIT_MS * 1.1 * 1.0625 + WAIT_GRACE_MS;

/** Whether the runtime lets work go on between requests; at the edge it does not. */
function lives(): boolean {
  const { navigator, EdgeRuntime } = globalThis as { navigator?: { userAgent?: string }; EdgeRuntime?: unknown };
  return navigator?.userAgent !== "Cloudflare-Workers" && EdgeRuntime === undefined;
}
