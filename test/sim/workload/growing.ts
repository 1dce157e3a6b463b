// Lists that grow by compare-and-swap in one key, and sets that grow by a key for each element: nothing that was
// acknowledged may be missing later, nothing may be there twice, and reads must agree on one order.
import type { Call } from "../linearizability.ts";
import { type ListOperation, listProblem, setProblem } from "../models.ts";
import type { Sim } from "../types.ts";
import { Clients, rowsOf, textOf } from "./clients.ts";

const CLIENTS = 4;
const ELEMENTS_MAX = 60;
const TRIES = 4;

interface Object {
  readonly key: string;
  readonly history: Call<ListOperation>[];
  appends: number;
  busy: number;
}

/** What lists and sets have in common: objects that are left when they have grown large. */
abstract class Growing extends Clients {
  #object: Object | null = null;
  #count = 0;
  checked = 0;

  constructor(pauseMs: number) {
    super(CLIENTS, pauseMs);
  }

  protected abstract problem(history: readonly Call<ListOperation>[]): string | null;
  protected abstract append(key: string, element: string): Promise<"done" | "undone" | "unknown">;
  protected abstract read(key: string): Promise<readonly string[] | null>;
  /** What to delete when nobody looks at it any more. */
  protected abstract rubbish(key: string): string;

  protected override async turn(client: number): Promise<void> {
    this.#object ??= { key: `${this.name}/${this.#count}`, history: [], appends: 0, busy: 0 };
    const object = this.#object;
    object.busy += 1;
    if (this.random.below(3) > 0) await this.#append(object, `${client}.${object.appends}`);
    else await this.#read(object);
    object.busy -= 1;
    if (object.appends >= ELEMENTS_MAX && this.#object === object) {
      this.#object = null;
      this.#count += 1;
    }
    if (this.#object === object || object.busy > 0) return;
    // What nobody writes any more must show all of it.
    if (!(await this.#read(object))) return;
    this.#check(this.sim, object);
    await this.ask(this.anyNode(), "DELETE", `/v1/kv/${this.rubbish(object.key)}`);
  }

  async #append(object: Object, element: string): Promise<void> {
    object.appends += 1;
    const call: Call<ListOperation> = {
      operation: { kind: "append", element },
      calledMs: this.moment(),
      returnedMs: null,
    };
    object.history.push(call);
    const outcome = await this.append(object.key, element);
    if (outcome === "done") call.returnedMs = this.moment();
    if (outcome === "undone") object.history.splice(object.history.indexOf(call), 1);
  }

  async #read(object: Object): Promise<boolean> {
    const calledMs = this.moment();
    const elements = await this.read(object.key);
    if (elements === null) return false;
    object.history.push({ operation: { kind: "read", elements }, calledMs, returnedMs: this.moment() });
    return true;
  }

  #check(sim: Sim, object: Object): void {
    this.checked += object.history.length;
    const problem = this.problem(object.history);
    if (problem !== null) sim.fail("acknowledged writes survive", `${object.key}: ${problem}`);
  }

  override finish(sim: Sim): void {
    if (this.#object !== null) this.#check(sim, this.#object);
  }
}

/** A list in one key. */
export class Lists extends Growing {
  readonly name = "list";

  protected override problem(history: readonly Call<ListOperation>[]): string | null {
    return listProblem(history);
  }

  protected override async read(key: string): Promise<readonly string[] | null> {
    const outcome = await this.ask(this.anyNode(), "GET", `/v1/kv/${key}`);
    return typeof outcome === "string" ? null : elementsOf(textOf(rowsOf(outcome)[0]?.Value ?? null));
  }

  protected override async append(key: string, element: string): Promise<"done" | "undone" | "unknown"> {
    for (let i = 0; i < TRIES; i += 1) {
      // Any mode will do for the index: what is out of date is refused.
      const read = await this.ask(this.anyNode(), "GET", `/v1/kv/${key}${this.pick(["", "?stale"])}`);
      if (typeof read === "string") continue;
      const row = rowsOf(read)[0];
      const list = [...elementsOf(textOf(row?.Value ?? null)), element].join(",");
      const outcome = await this.ask(this.anyNode(), "PUT", `/v1/kv/${key}?cas=${row?.ModifyIndex ?? 0}`, list);
      if (outcome === "unknown") return "unknown";
      if (outcome !== "undone" && outcome.body.trim() === "true") return "done";
    }
    return "undone";
  }

  protected override rubbish(key: string): string {
    return key;
  }
}

/** A set of keys below a prefix. */
export class Sets extends Growing {
  readonly name = "set";

  protected override problem(history: readonly Call<ListOperation>[]): string | null {
    return setProblem(history);
  }

  protected override async read(key: string): Promise<readonly string[] | null> {
    const outcome = await this.ask(this.anyNode(), "GET", `/v1/kv/${key}/?keys`);
    if (typeof outcome === "string") return null;
    if (outcome.status === 404) return [];
    return (JSON.parse(outcome.body) as string[]).map((name) => name.slice(key.length + 1));
  }

  protected override async append(key: string, element: string): Promise<"done" | "undone" | "unknown"> {
    const outcome = await this.ask(this.anyNode(), "PUT", `/v1/kv/${key}/${element}`, element);
    return typeof outcome === "string" ? outcome : "done";
  }

  protected override rubbish(key: string): string {
    return `${key}/?recurse`;
  }
}

const elementsOf = (text: string): string[] => (text === "" ? [] : text.split(","));
