// A datacenter as those see it who look at several: its machines, and what was committed in it.
import type { Reference } from "../check/reference.ts";
import type { World } from "../world.ts";

export interface Place {
  readonly world: World;
  readonly reference: Reference;
}
