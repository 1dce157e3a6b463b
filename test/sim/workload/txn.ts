// Transactions over a few keys, with single puts and reads among them: checked as one object that holds all keys, so that
// half a transaction, or a read of half of one, is found.
import { TABLE, type TxnOperation, type TxnStep } from "../models.ts";
import type { Sim } from "../types.ts";
import { Clients, Histories, type KVRow, rowsOf, textOf } from "./clients.ts";

const CLIENTS = 4;
const KEYS = ["a", "b", "c", "d"];
const OPERATIONS_MAX = 80;
const CONFLICT = 409;

interface Known {
  value: string;
  index: number;
}

interface Table {
  readonly prefix: string;
  operations: number;
  busy: number;
  /** What each client read last, by key. */
  readonly known: Map<number, Map<string, Known>>;
}

interface TxnBody {
  Results: { KV: KVRow }[] | null;
}

export class Transactions extends Clients {
  readonly name = "txn";
  readonly #histories = new Histories<Readonly<Record<string, string>>, TxnOperation>("txn", TABLE);
  #table: Table | null = null;
  #tables = 0;
  #values = 0;

  constructor(pauseMs = 200) {
    super(CLIENTS, pauseMs);
  }

  get checked(): { operations: number; undecided: number } {
    return { operations: this.#histories.checked, undecided: this.#histories.undecided };
  }

  protected override async turn(client: number): Promise<void> {
    this.#table ??= { prefix: `txn/${this.#tables}/`, operations: 0, busy: 0, known: new Map() };
    const table = this.#table;
    table.busy += 1;
    table.operations += 1;
    const choice = this.random.below(10);
    if (choice < 3) await this.#read(table, client);
    else if (choice < 4) await this.#list(table);
    else if (choice < 5) await this.#put(table, client);
    else await this.#transact(table, client);
    table.busy -= 1;
    if (table.operations >= OPERATIONS_MAX && this.#table === table) {
      this.#table = null;
      this.#tables += 1;
    }
    if (this.#table === table || table.busy > 0) return;
    this.#histories.end(this.sim, table.prefix);
    await this.ask(this.anyNode(), "DELETE", `/v1/kv/${table.prefix}?recurse`);
  }

  /** Writes some keys, often only if others are as they were read. */
  async #transact(table: Table, client: number): Promise<void> {
    const known = table.known.get(client) ?? new Map<string, Known>();
    const steps: TxnStep[] = [];
    const verbs: object[] = [];
    for (const key of KEYS) {
      const choice = this.random.below(6);
      if (choice < 2) this.#write(client, table, key, steps, verbs);
      else if (choice < 3) this.#check(table, key, known.get(key), steps, verbs);
    }
    // At least one that writes: a transaction that only reads goes another way.
    if (!steps.some(({ kind }) => kind === "set" || kind === "delete")) this.#write(client, table, "a", steps, verbs);
    const call = this.#histories.begin(table.prefix, { steps, ok: true }, this.moment());
    const outcome = await this.ask(this.anyNode(), "PUT", "/v1/txn", JSON.stringify(verbs));
    if (outcome === "undone") this.#histories.drop(table.prefix, call);
    else if (outcome !== "unknown") {
      call.operation = { steps, ok: outcome.status !== CONFLICT };
      call.returnedMs = this.moment();
    }
  }

  #write(client: number, table: Table, key: string, steps: TxnStep[], verbs: object[]): void {
    if (this.random.below(8) === 0) {
      steps.push({ kind: "delete", key });
      verbs.push({ KV: { Verb: "delete", Key: table.prefix + key } });
      return;
    }
    this.#values += 1;
    const value = `${client}.${this.#values}`;
    steps.push({ kind: "set", key, value });
    verbs.push({ KV: { Verb: "set", Key: table.prefix + key, Value: btoa(value) } });
  }

  #check(table: Table, key: string, known: Known | undefined, steps: TxnStep[], verbs: object[]): void {
    steps.push({ kind: "check", key, expected: known?.value ?? null });
    verbs.push({
      KV:
        known === undefined
          ? { Verb: "check-not-exists", Key: table.prefix + key }
          : { Verb: "check-index", Key: table.prefix + key, Index: known.index },
    });
  }

  /** A transaction that only reads. */
  async #read(table: Table, client: number): Promise<void> {
    const verbs = JSON.stringify([{ KV: { Verb: "get-tree", Key: table.prefix } }]);
    const query = this.pick(["", "?consistent"]);
    const rows = await this.#rows(table, async () => {
      const outcome = await this.ask(this.anyNode(), "PUT", `/v1/txn${query}`, verbs);
      return typeof outcome === "string"
        ? null
        : ((JSON.parse(outcome.body) as TxnBody).Results ?? []).map(({ KV }) => KV);
    });
    if (rows === null) return;
    const known = new Map<string, Known>();
    for (const { Key, Value, ModifyIndex } of rows)
      known.set(Key.slice(table.prefix.length), { value: textOf(Value), index: ModifyIndex });
    table.known.set(client, known);
  }

  async #list(table: Table): Promise<void> {
    await this.#rows(table, async () => {
      const outcome = await this.ask(this.anyNode(), "GET", `/v1/kv/${table.prefix}?recurse`);
      return typeof outcome === "string" ? null : rowsOf(outcome);
    });
  }

  /** Notes a read of all keys. */
  async #rows(table: Table, read: () => Promise<KVRow[] | null>): Promise<KVRow[] | null> {
    const steps: TxnStep[] = [];
    const call = this.#histories.begin(table.prefix, { steps, ok: true }, this.moment());
    const rows = await read();
    if (rows === null) {
      this.#histories.drop(table.prefix, call);
      return null;
    }
    for (const key of KEYS) {
      const row = rows.find(({ Key }) => Key === table.prefix + key);
      steps.push({ kind: "get", key, result: row === undefined ? null : textOf(row.Value) });
    }
    call.returnedMs = this.moment();
    return rows;
  }

  async #put(table: Table, client: number): Promise<void> {
    const key = this.pick(KEYS);
    this.#values += 1;
    const value = `${client}.${this.#values}`;
    const call = this.#histories.begin(table.prefix, { steps: [{ kind: "set", key, value }], ok: true }, this.moment());
    const outcome = await this.ask(this.anyNode(), "PUT", `/v1/kv/${table.prefix}${key}`, value);
    if (outcome === "undone") this.#histories.drop(table.prefix, call);
    else if (outcome !== "unknown") call.returnedMs = this.moment();
  }

  override finish(sim: Sim): void {
    this.#histories.finish(sim);
  }
}
