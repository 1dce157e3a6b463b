// Clients of the simulated cluster: each asks some agent, waits for the answer or gives up, and goes on. A workload is some
// of them and what they know together.
import type { Random } from "../../../src/util/random.ts";
import { type Call, checkAll, type Model, Search } from "../linearizability.ts";
import type { Sim, SimNode, SimReply, Workload } from "../types.ts";

/** Longer than an agent holds a request while there is no leader. */
const PATIENCE_MS = 12_000;
/** What the agent says when it has given up before doing anything, here or in another datacenter. */
const NOTHING_DONE =
  /^No cluster leader(?: in datacenter '[^']*')?$|^No path to datacenter$|\. Nothing was done there\. /;
/** Done, not there, and a transaction that did nothing. */
const ANSWERS = new Set([200, 404, 409]);
/** The mean of pauses at most: who pauses ends late. */
const PAUSE_MS = 15_000;
const STEPS_AT_ONCE = 20_000;
const STEPS_MAX = 500_000;

/** An answer; `undone`: nothing happened, certainly; `unknown`: it may have happened, or happen yet. */
export type Outcome = SimReply | "undone" | "unknown";

/** Some clients at work. */
export abstract class Clients implements Workload {
  abstract readonly name: string;
  readonly #clients: number;
  readonly #pauseMs: number;
  #order = 0;
  #working = 0;
  #sim: Sim | null = null;
  protected isStopped = false;
  /** Operations that were answered. */
  answered = 0;
  /** What was last said to a request that was not carried out, for people. */
  protected refusal = "";

  /** @param pauseMs the mean of the pauses between two turns of a client. */
  constructor(clients: number, pauseMs: number) {
    this.#clients = clients;
    this.#pauseMs = Math.min(pauseMs, PAUSE_MS);
  }

  /** One turn of a client, to its end. */
  protected abstract turn(client: number): Promise<void>;

  /** What remains to be checked when all is over. */
  abstract finish(sim: Sim): void;

  start(sim: Sim): void {
    this.#sim = sim;
    for (let client = 0; client < this.#clients; client += 1) this.run(() => this.#live(client));
  }

  stop(): void {
    this.isStopped = true;
  }

  settled(): boolean {
    return this.#working === 0;
  }

  protected get sim(): Sim {
    return this.#sim as Sim;
  }

  protected get random(): Random {
    return this.sim.random(`workload ${this.name}`);
  }

  /** Counts moments: two operations of which one ended before the other began are told apart within one millisecond. */
  protected moment(): number {
    this.#order += 1;
    return this.#order;
  }

  protected pick<T>(list: readonly T[]): T {
    return list[this.random.below(list.length)] as T;
  }

  protected anyNode(): SimNode {
    return this.pick(this.sim.doors ?? this.sim.nodes);
  }

  /** Runs something beside the clients. */
  protected run(work: () => Promise<void>): void {
    this.#working += 1;
    const done = (): void => {
      this.#working -= 1;
    };
    work().then(done, (error: unknown) => {
      done();
      // A violation has ended the run already; whatever else is thrown is a mistake of the workload.
      fail(this.sim, this.name, error);
    });
  }

  async #live(client: number): Promise<void> {
    // So that not all begin at once.
    await this.pause();
    while (!this.isStopped) {
      await this.turn(client);
      await this.pause();
    }
  }

  protected pause(): Promise<void> {
    return this.sim.sleep(this.random.float() * 2 * this.#pauseMs);
  }

  /** Asks an agent. After a refusal nothing was done; without an answer in time nobody knows. */
  protected async ask(
    node: SimNode,
    method: string,
    target: string,
    body?: string,
    patienceMs: number = PATIENCE_MS,
  ): Promise<Outcome> {
    const late = this.sim.sleep(patienceMs).then((): Outcome => "unknown");
    const outcome = await Promise.race([
      answer(this.sim, node, method, target, body, (text) => (this.refusal = text)),
      late,
    ]);
    if (typeof outcome !== "string") this.answered += 1;
    return outcome;
  }
}

async function answer(
  sim: Sim,
  node: SimNode,
  method: string,
  target: string,
  body: string | undefined,
  refused: (text: string) => void,
): Promise<Outcome> {
  try {
    const reply = await node.request(method, target, body);
    if (ANSWERS.has(reply.status)) return reply;
    // Whatever befell it on its way between agents, the request itself is in order.
    if (reply.status === 400)
      sim.found?.("nobody is blamed", `${node.name}: ${method} ${target}: ${reply.status} ${reply.body}`);
    refused(`${reply.status} ${reply.body}`);
    return NOTHING_DONE.test(reply.body) ? "undone" : "unknown";
  } catch (error) {
    refused(String(error));
    return isRefused(error) ? "undone" : "unknown";
  }
}

/** The connection was refused, so nothing was sent. */
function isRefused(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "unreachable" && error.message.includes("refused");
}

/** Ends the run with what was thrown, unless a violation has ended it already. */
function fail(sim: Sim, name: string, error: unknown): void {
  try {
    sim.fail(name, error instanceof Error ? (error.stack ?? error.message) : String(error));
  } catch {
    // It is noted.
  }
}

/** The histories of independent objects, each checked when it has come to its end. */
export class Histories<S, O> {
  readonly #name: string;
  readonly #model: Model<S, O>;
  readonly #open = new Map<string, Call<O>[]>();
  /** Those that took more than a few steps. */
  readonly #hard = new Map<string, { search: Search<S, O>; history: readonly Call<O>[] }>();
  /** Operations checked, and histories about which nothing could be said. */
  checked = 0;
  undecided = 0;

  constructor(name: string, model: Model<S, O>) {
    this.#name = name;
    this.#model = model;
  }

  /** Notes that an operation begins. An answer is written into what is given back; without one its outcome is unknown. */
  begin(object: string, operation: O, calledMs: number): Call<O> {
    const call: Call<O> = { operation, calledMs, returnedMs: null };
    const history = this.#open.get(object);
    if (history === undefined) this.#open.set(object, [call]);
    else history.push(call);
    return call;
  }

  /** It never happened. */
  drop(object: string, call: Call<O>): void {
    const history = this.#open.get(object) ?? [];
    const at = history.lastIndexOf(call);
    if (at >= 0) history.splice(at, 1);
  }

  size(object: string): number {
    return this.#open.get(object)?.length ?? 0;
  }

  /** Nothing more happens with the object. */
  end(sim: Sim, object: string): void {
    const history = this.#open.get(object) ?? [];
    this.#open.delete(object);
    this.checked += history.length;
    const search = new Search(this.#model, history);
    const verdict = search.run(STEPS_AT_ONCE);
    if (verdict === "violation") this.#fail(sim, object, history);
    if (verdict === null) this.#hard.set(object, { search, history });
  }

  finish(sim: Sim): void {
    for (const object of Array.from(this.#open.keys())) this.end(sim, object);
    const searches = new Map([...this.#hard].map(([object, { search }]) => [object, search]));
    const { violations, undecided } = checkAll(searches, STEPS_MAX);
    for (const object of violations) this.#fail(sim, object, this.#hard.get(object)!.history);
    this.undecided += undecided.length;
    this.#hard.clear();
  }

  #fail(sim: Sim, object: string, history: readonly Call<O>[]): never {
    const lines = history.map(
      ({ operation, calledMs, returnedMs }) => `  ${calledMs}..${returnedMs ?? "?"} ${JSON.stringify(operation)}`,
    );
    return sim.fail("linearizability", `${this.#name} ${object} has no order that explains it:\n${lines.join("\n")}`);
  }
}

/** The rows of a KV answer. */
export interface KVRow {
  Key: string;
  Value: string | null;
  ModifyIndex: number;
  LockIndex: number;
  Session?: string;
}

export function rowsOf(reply: SimReply): KVRow[] {
  return reply.status === 404 ? [] : (JSON.parse(reply.body) as KVRow[]);
}

/** The text of a KV value. */
export function textOf(value: string | null): string {
  return value === null ? "" : atob(value);
}

/** The index of an answer. */
export function indexOf(reply: SimReply): number {
  return Number(reply.headers.get("x-consul-index") ?? 0);
}
