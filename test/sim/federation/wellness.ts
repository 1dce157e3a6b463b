// Looks from time to time whether each datacenter is well: one leader that can answer, every server up and a voter, nothing left
// for the operator. The faults themselves tell `Weather` when they come and go; this sees what they leave behind.
import { raftOf } from "../check/reference.ts";
import type { Checker } from "../types.ts";
import { linkOf, type Weather } from "../weather.ts";
import type { World } from "../world.ts";

export class Wellness implements Checker {
  readonly name = "wellness";
  readonly everyMs = 200;
  readonly #weather: Weather;
  readonly #worlds: readonly World[];

  constructor(weather: Weather, worlds: readonly World[]) {
    this.#weather = weather;
    this.#worlds = worlds;
  }

  step(): void {
    for (const world of this.#worlds) {
      if (!isWell(world)) this.#weather.wrong(world.datacenter);
      for (const other of this.#worlds)
        if (other !== world && !world.knows(other)) this.#weather.wrong(linkOf(world.datacenter, other.datacenter));
    }
  }
}

function isWell({ operator, servers, group }: World): boolean {
  if (!operator.isIdle || group.servers.length !== servers.length) return false;
  let leaders = 0;
  for (const { server, retired, departing, frozen, id, disk } of servers) {
    if (raftOf(server) === null || retired || departing || frozen || disk.isLost) return false;
    if (!group.servers.some((member) => member.id === id && member.voter)) return false;
    if (server!.leading && server!.readable) leaders += 1;
  }
  return leaders === 1;
}
