// Puts, swaps and reads of single keys at all servers; what clients were told must be linearizable.
import { type Call, isLinearizable, type Operation } from "./linearizability.ts";
import { between, pick } from "./streams.ts";
import type { Sim, SimReply, Workload } from "./types.ts";

const PATIENCE_MS = 10_000;
const OPS_PER_KEY = 60;
const KEYS_AT_ONCE = 5;

export class RegisterWorkload implements Workload {
  readonly name = "register";
  answered = 0;
  readonly #clients: number;
  readonly #pauseMs: number;
  #working = 0;
  #isStopped = false;
  #keys = 0;
  #values = 0;
  readonly #open: { key: string; calls: Call[] }[] = [];

  constructor(opsPerSecond: number) {
    this.#clients = Math.max(2, Math.min(16, Math.round(opsPerSecond / 8)));
    this.#pauseMs = (this.#clients * 1000) / opsPerSecond;
  }

  start(sim: Sim): void {
    for (let client = 0; client < this.#clients; client += 1) void this.#work(sim);
  }

  stop(): void {
    this.#isStopped = true;
  }

  settled(): boolean {
    return this.#working === 0;
  }

  finish(sim: Sim): void {
    for (const { key, calls } of this.#open) this.#check(sim, key, calls);
  }

  #check(sim: Sim, key: string, calls: Call[]): void {
    if (!isLinearizable(calls)) sim.fail("linearizability", `key ${key}: ${JSON.stringify(calls)}`);
  }

  async #work(sim: Sim): Promise<void> {
    const random = sim.random("register");
    this.#working += 1;
    while (!this.#isStopped) {
      await sim.sleep(between(random, 0, 2 * this.#pauseMs));
      while (this.#open.length < KEYS_AT_ONCE) this.#open.push({ key: `r${this.#keys++}`, calls: [] });
      const register = pick(random, this.#open);
      if (register.calls.length >= OPS_PER_KEY) this.#open.splice(this.#open.indexOf(register), 1);
      await this.#operate(sim, register);
    }
    this.#working -= 1;
  }

  async #operate(sim: Sim, { key, calls }: { key: string; calls: Call[] }): Promise<void> {
    const random = sim.random("register");
    const node = pick(random, sim.nodes);
    const isWrite = random.below(2) === 0;
    const value = `v${++this.#values}`;
    const operation: Operation = isWrite ? { kind: "put", value } : { kind: "get", result: null };
    const call: Call = { operation, calledMs: sim.now, returnedMs: null };
    calls.push(call);
    const consistency = !isWrite && random.below(3) === 0 ? "?consistent" : "";
    const reply = await Promise.race([
      node
        .request(isWrite ? "PUT" : "GET", `/v1/kv/${key}${consistency}`, isWrite ? value : undefined)
        .catch(() => null),
      sim.sleep(PATIENCE_MS).then(() => null),
    ]);
    sim.trace(
      `${node.name} ${isWrite ? "put" : "get"} ${key} ${isWrite ? value : ""}: ${reply?.status ?? "no answer"}`,
    );
    if (reply === null) return;
    if (!this.#note(call, reply, isWrite)) return;
    call.returnedMs = sim.now;
    this.answered += 1;
  }

  #note(call: Call, reply: SimReply, isWrite: boolean): boolean {
    if (isWrite) return reply.status === 200;
    if (reply.status !== 200 && reply.status !== 404) return false;
    const [row] = reply.status === 200 ? (JSON.parse(reply.body) as { Value: string }[]) : [];
    call.operation = { kind: "get", result: row === undefined ? null : atob(row.Value) };
    return true;
  }
}
