// What is replicated between datacenters: configuration entries from the primary, and keys, as a copy and in both directions.
// Whatever befell links and datacenters, soon after it has ended everybody holds the same.
import { text } from "../../../src/util/bytes.ts";
import type { Sim } from "../types.ts";
import { Clients } from "../workload/clients.ts";
import type { Place } from "./place.ts";
import { COPIED, COPY, SHARED } from "./replicated.ts";

const CLIENTS = 3;
const NAMES = 6;
const PROTOCOLS = ["http", "http2", "grpc", "tcp"];
export class Replicas extends Clients {
  readonly name = "replica";
  readonly #places: readonly Place[];
  #values = 0;

  constructor(places: readonly Place[], perSecond: number) {
    super(CLIENTS, (CLIENTS * 1000) / perSecond);
    this.#places = places;
  }

  protected override async turn(): Promise<void> {
    const [first] = this.#places as [Place];
    const { world } = this.pick(this.#places);
    const agent = this.pick(world.nodes);
    const name = `r${this.random.below(NAMES)}`;
    const isGone = this.random.below(4) === 0;
    this.#values += 1;
    const choice = this.random.below(3);
    if (choice === 0) {
      const entry = {
        Kind: "service-defaults",
        Name: name,
        Protocol: this.pick(PROTOCOLS),
        Meta: { v: `${this.#values}` },
      };
      if (isGone) await this.ask(agent, "DELETE", `/v1/config/service-defaults/${name}`);
      else await this.ask(agent, "PUT", "/v1/config", JSON.stringify(entry));
      return;
    }
    const to = choice === 1 ? first.world.datacenter : this.pick(this.#places).world.datacenter;
    const target = `/v1/kv/${choice === 1 ? COPIED : SHARED}${name}?dc=${to}`;
    if (isGone) await this.ask(agent, "DELETE", target);
    else await this.ask(agent, "PUT", target, `${this.#values}`);
  }

  /** What is not yet the same everywhere; null when all is. */
  difference(): string | null {
    const [first] = this.#places as [Place];
    const entries = (place: Place): string =>
      place.reference.state
        .configEntries("service-defaults")
        .value.map(({ CreateIndex: _created, ModifyIndex: _modified, ...entry }) => JSON.stringify(entry))
        .sort()
        .join(" ");
    const keys = ({ reference }: Place, prefix: string): string =>
      reference.state
        .kvList(prefix)
        .value.map(({ Key, Value }) => `${Key.slice(prefix.length)}=${text(Value)}`)
        .join(" ");
    for (const place of this.#places) {
      const { datacenter } = place.world;
      const pairs = [
        ["configuration entries", entries(place), entries(first)],
        ["keys that all write", keys(place, SHARED), keys(first, SHARED)],
        ...(place === first ? [] : [["copied keys", keys(place, COPY), keys(first, COPIED)]]),
      ] as const;
      for (const [what, here, there] of pairs)
        if (here !== there)
          return `${what}: ${datacenter} has ${here || "nothing"}, ${first.world.datacenter} ${there || "nothing"}`;
    }
    return null;
  }

  override finish(_sim: Sim): void {}
}
