// What datacenters take over from each other: keys that all of them write, and the configuration entries of the primary, which
// any of them is asked to write. While links are lost everybody goes on; once all is healed and nobody writes any more, all hold
// the same: what was acknowledged last stays unless somebody else wrote meanwhile, and a deletion stays a deletion.
import { text } from "../../../src/util/bytes.ts";
import type { StateStore } from "../../../src/state/store.ts";
import type { Sim } from "../types.ts";
import { Clients } from "../workload/clients.ts";
import type { Place } from "./place.ts";

const CLIENTS = 4;
const KEYS = 12;
const ENTRIES = 6;

/** The prefix of the keys that all datacenters write. */
export const REPLICATED_PREFIX = "replicated/";

export class Replicas extends Clients {
  readonly name = "replication";
  readonly #places: readonly Place[];
  #values = 0;

  constructor(places: readonly Place[], perSecond: number) {
    super(CLIENTS, (CLIENTS * 1000) / perSecond);
    this.#places = places;
  }

  protected override async turn(): Promise<void> {
    const agent = this.pick(this.pick(this.#places).world.nodes);
    this.#values += 1;
    const choice = this.random.below(10);
    const key = `${REPLICATED_PREFIX}${this.random.below(KEYS)}`;
    const entry = `entry-${this.random.below(ENTRIES)}`;
    if (choice < 5) await this.ask(agent, "PUT", `/v1/kv/${key}?flags=${choice}`, `v${this.#values}`);
    else if (choice < 7) await this.ask(agent, "DELETE", `/v1/kv/${key}`);
    else if (choice < 9) {
      const Meta = { by: `v${this.#values}` };
      await this.ask(agent, "PUT", "/v1/config", JSON.stringify({ Kind: "service-defaults", Name: entry, Meta }));
    } else await this.ask(agent, "DELETE", `/v1/config/service-defaults/${entry}`);
  }

  /** All have come to hold the same. */
  agreed(): boolean {
    return this.#difference() === null;
  }

  override finish(sim: Sim): void {
    const difference = this.#difference();
    if (difference !== null) sim.fail("datacenters come to hold the same", difference);
  }

  #difference(): string | null {
    const held = this.#places.map(({ world }) => {
      const leader = world.servers.find(({ server }) => server?.leading === true)?.server ?? null;
      return leader === null ? `no leader in ${world.datacenter}` : contentOf(leader.state);
    });
    const [first] = held;
    return held.every((content) => content === first) ? null : held.join(" | ");
  }
}

function contentOf(state: StateStore): string {
  const keys = state
    .kvList(REPLICATED_PREFIX)
    .value.map(({ Key, Value, Flags }) => `${Key.slice(REPLICATED_PREFIX.length)}=${text(Value)}/${Flags}`);
  const entries = state
    .configEntries(null)
    .value.map(({ CreateIndex: _create, ModifyIndex: _modify, ...entry }) => JSON.stringify(entry));
  return [...keys, ...entries].join(" ");
}
