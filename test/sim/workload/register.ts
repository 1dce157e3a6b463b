// Keys as registers: put, get in the three modes of consistency, delete, compare-and-swap, at any agent. Default and
// consistent reads must be linearizable, without exemption; stale ones are judged by stale.ts. A key is left after some
// operations, so that its history stays short enough to search.
import type { Call, Operation } from "../linearizability.ts";
import { REGISTER } from "../linearizability.ts";
import type { Sim, SimNode } from "../types.ts";
import { READ_PREFIX, type Reads } from "../check/reads.ts";
import { Clients, Histories, indexOf, rowsOf, textOf } from "./clients.ts";

const CLIENTS = 6;
const KEYS = 4;
const OPERATIONS_MAX = 120;
const TRUE = "true";

interface Slot {
  key: string;
  /** Operations under way. */
  busy: number;
  /** What each client read last: what its swaps build on. */
  known: Map<number, { value: string | null; index: number }>;
}

export class Registers extends Clients {
  readonly name: string = "register";
  readonly #reads: Reads;
  readonly #histories: Histories<string | null, Operation> = new Histories("register", REGISTER);
  readonly #slots: Slot[] = [];
  #keys = 0;
  #values = 0;

  constructor(reads: Reads, pauseMs = 150) {
    super(CLIENTS, pauseMs);
    this.#reads = reads;
    for (let at = 0; at < KEYS; at += 1) this.#slots.push(this.#slot());
  }

  get checked(): { operations: number; undecided: number } {
    return { operations: this.#histories.checked, undecided: this.#histories.undecided };
  }

  #slot(): Slot {
    this.#keys += 1;
    return { key: `${READ_PREFIX}${this.#keys}`, busy: 0, known: new Map() };
  }

  protected override async turn(client: number): Promise<void> {
    const at = this.random.below(KEYS);
    const slot = this.#slots[at]!;
    slot.busy += 1;
    await this.#operate(slot, client);
    slot.busy -= 1;
    if (this.#slots[at] === slot && this.#histories.size(slot.key) >= OPERATIONS_MAX) this.#slots[at] = this.#slot();
    if (this.#slots[at] !== slot && slot.busy === 0) {
      this.#histories.end(this.sim, slot.key);
      this.#reads.end(slot.key);
      // Whether it succeeds does not matter: nobody looks at this key again.
      await this.ask(this.anyNode(), "DELETE", `/v1/kv/${slot.key}`);
    }
  }

  async #operate(slot: Slot, client: number): Promise<void> {
    const { key, known } = slot;
    const node = this.anyNode();
    this.#values += 1;
    const value = `${client}.${this.#values}`;
    const seen = known.get(client);
    const choice = this.random.below(20);
    if (choice < 4) return this.#write(node, key, "PUT", "", value, () => ({ kind: "put", value }));
    if (choice < 5) return this.#write(node, key, "DELETE", "", undefined, () => ({ kind: "delete" }));
    if (choice < 11 && seen !== undefined) {
      // An index stands for a value: no two writes of one key write the same one.
      const { value: expected, index } = seen;
      if (choice < 6 && expected !== null)
        return this.#write(node, key, "DELETE", `?cas=${index}`, undefined, (ok) => ({
          kind: "delete-cas",
          expected,
          ok,
        }));
      return this.#write(node, key, "PUT", `?cas=${index}`, value, (ok) => ({ kind: "cas", expected, value, ok }));
    }
    if (choice < 13) return this.#stale(node, key);
    return this.#get(slot, node, client, choice < 16 ? "?consistent" : "");
  }

  async #write(
    node: SimNode,
    key: string,
    method: string,
    query: string,
    body: string | undefined,
    operation: (ok: boolean) => Operation,
  ): Promise<void> {
    const call = this.#histories.begin(key, operation(true), this.moment());
    const outcome = await this.ask(node, method, `/v1/kv/${key}${query}`, body);
    if (outcome === "undone") this.#histories.drop(key, call);
    else if (outcome !== "unknown") {
      call.operation = operation(outcome.body.trim() === TRUE);
      call.returnedMs = this.moment();
    }
  }

  async #get({ key, known }: Slot, node: SimNode, client: number, query: string): Promise<void> {
    const call: Call = this.#histories.begin(key, { kind: "get", result: null }, this.moment());
    const read = this.#reads.begin(this.sim, key, node);
    const outcome = await this.ask(node, "GET", `/v1/kv/${key}${query}`);
    if (typeof outcome === "string") {
      this.#histories.drop(key, call);
      return;
    }
    const row = rowsOf(outcome)[0];
    const value = row === undefined ? null : textOf(row.Value);
    known.set(client, { value, index: row?.ModifyIndex ?? 0 });
    call.operation = { kind: "get", result: value };
    call.returnedMs = this.moment();
    this.#reads.current(this.sim, read, row?.ModifyIndex ?? 0, value, indexOf(outcome));
  }

  async #stale(node: SimNode, key: string): Promise<void> {
    const read = this.#reads.begin(this.sim, key, node);
    const outcome = await this.ask(node, "GET", `/v1/kv/${key}?stale`);
    if (typeof outcome === "string") return;
    const row = rowsOf(outcome)[0];
    this.#reads.stale(
      this.sim,
      read,
      row?.ModifyIndex ?? 0,
      row === undefined ? null : textOf(row.Value),
      indexOf(outcome),
    );
  }

  override finish(sim: Sim): void {
    this.#histories.finish(sim);
  }
}
