// Clients that put, delete, compare-and-set and read the same few keys at every server of a cluster at once, and note when each
// operation was called and answered; what they saw must be linearizable (test/sim/linearizability.ts), the default reads included.
// Every value is written once, so that an index and a value stand for each other.
import { setTimeout as sleep } from "node:timers/promises";
import { Random } from "../../src/util/random.ts";
import { type Call, isLinearizable, type Operation } from "../sim/linearizability.ts";
import type { ServerProcess } from "./group.ts";
import { HttpConnection, type Received } from "./http-connection.ts";

/** Keys in use at a time, and for how long: the search for an order grows with the operations on one key. */
const KEYS = 3;
const GENERATION_MS = 1200;
const PAUSE_MS_MAX = 25;
const RETRY_MS = 20;
/** A request was held and nobody was found to take it. */
const UNDONE = "No cluster leader";

interface Seen {
  readonly value: string | null;
  readonly index: number;
}

export class History {
  readonly #clients: Client[] = [];
  readonly #calls = new Map<string, Call[]>();
  readonly #random: Random;
  readonly #fromMs = performance.now();
  /** Of its keys, which must be absent at first. */
  readonly #prefix: string;
  #isOver = false;
  #ended: Promise<unknown> = Promise.resolve();

  constructor(seed: number) {
    this.#random = new Random(seed);
    this.#prefix = `history/${Date.now()}-${seed}`;
  }

  /** Begins, with so many clients at each server. */
  start(servers: readonly ServerProcess[], clients = 2): this {
    for (const server of servers)
      for (let n = 0; n < clients; n += 1)
        this.#clients.push(new Client(`${server.name}.${n}`, server, this.#random.next()));
    this.#ended = Promise.all(this.#clients.map((client) => this.#run(client)));
    return this;
  }

  async stop(): Promise<void> {
    this.#isOver = true;
    await this.#ended;
    for (const client of this.#clients) client.close();
  }

  /** How many operations were answered. */
  get answered(): number {
    let count = 0;
    for (const calls of this.#calls.values()) for (const { returnedMs } of calls) if (returnedMs !== null) count += 1;
    return count;
  }

  /** How many changes were sent without a clear answer. */
  get unknown(): number {
    let count = 0;
    for (const calls of this.#calls.values()) for (const { returnedMs } of calls) if (returnedMs === null) count += 1;
    return count;
  }

  /** The keys whose history is not linearizable, with it. */
  faults(): string[] {
    return [...this.#calls]
      .filter(([, calls]) => !isLinearizable(calls))
      .map(([key, calls]) => `${key} is not linearizable:\n${calls.map(print).join("\n")}`);
  }

  async #run(client: Client): Promise<void> {
    while (!this.#isOver) {
      const generation = Math.floor((performance.now() - this.#fromMs) / GENERATION_MS);
      const key = `${this.#prefix}/${generation}/${this.#random.below(KEYS)}`;
      const call = await client.one(key);
      if (call !== null) {
        const calls = this.#calls.get(key);
        if (calls === undefined) this.#calls.set(key, [call]);
        else calls.push(call);
      }
      await sleep(call?.returnedMs === null || call === null ? RETRY_MS : this.#random.below(PAUSE_MS_MAX));
    }
  }
}

class Client {
  readonly #name: string;
  readonly #server: ServerProcess;
  readonly #random: Random;
  #connection: HttpConnection;
  #sent = 0;
  #seen: { key: string; seen: Seen } | null = null;

  constructor(name: string, server: ServerProcess, seed: number) {
    this.#name = name;
    this.#server = server;
    this.#random = new Random(seed);
    this.#connection = this.#connect();
  }

  close(): void {
    this.#connection.close();
  }

  /** Does one thing; null when it says nothing: a read without an answer, or a change that certainly was not made. */
  async one(key: string): Promise<Call | null> {
    const operation = this.#choose(key);
    const calledMs = performance.now();
    try {
      const { status, text, json } = await this.#send(key, operation);
      const returnedMs = performance.now();
      if (operation.kind === "get") {
        if (status !== 200 && status !== 404) return null;
        const [entry] = status === 404 ? [] : (json() as { Value: string; ModifyIndex: number }[]);
        const value = entry === undefined ? null : Buffer.from(entry.Value, "base64").toString();
        this.#seen = { key, seen: { value, index: entry?.ModifyIndex ?? 0 } };
        return { operation: { kind: "get", result: value }, calledMs, returnedMs };
      }
      if (status !== 200) return text.includes(UNDONE) ? null : { operation, calledMs, returnedMs: null };
      if (operation.kind === "cas") return { operation: { ...operation, ok: text === "true" }, calledMs, returnedMs };
      return { operation, calledMs, returnedMs: text === "true" ? returnedMs : null };
    } catch (error) {
      this.#connection.close();
      this.#connection = this.#connect();
      const isUndone = operation.kind === "get" || (error as NodeJS.ErrnoException).code === "ECONNREFUSED";
      return isUndone ? null : { operation, calledMs, returnedMs: null };
    }
  }

  #choose(key: string): Operation {
    const dice = this.#random.below(10);
    const value = `${this.#name}-${++this.#sent}`;
    if (dice < 3) return { kind: "put", value };
    if (dice < 4) return { kind: "delete" };
    if (dice < 6 && this.#seen?.key === key) return { kind: "cas", expected: this.#seen.seen.value, value, ok: false };
    return { kind: "get", result: null };
  }

  #send(key: string, operation: Operation): Promise<Received> {
    const path = `/v1/kv/${key}`;
    switch (operation.kind) {
      case "put":
        return this.#connection.send("PUT", path, operation.value);
      case "delete":
        return this.#connection.send("DELETE", path);
      case "cas":
        return this.#connection.send("PUT", `${path}?cas=${this.#seen?.seen.index ?? 0}`, operation.value);
      default:
        return this.#connection.send("GET", this.#random.below(4) === 0 ? `${path}?consistent` : path);
    }
  }

  #connect(): HttpConnection {
    return new HttpConnection(this.#server.httpPort, this.#server.host);
  }
}

function print({ operation, calledMs, returnedMs }: Call): string {
  return `${calledMs.toFixed(1)}..${returnedMs?.toFixed(1) ?? "?"} ${JSON.stringify(operation)}`;
}
