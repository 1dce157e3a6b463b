// Random order.
import type { Random } from "./random.ts";

/** The items in random order (Fisher and Yates); the list given stays as it is. */
export function shuffled<T>(items: readonly T[], random: Random): T[] {
  const list = [...items];
  for (let at = list.length - 1; at > 0; at--) {
    const other = random.below(at + 1);
    const item = list[at] as T;
    list[at] = list[other] as T;
    list[other] = item;
  }
  return list;
}
