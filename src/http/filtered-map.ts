// `?filter=` on the agent's own maps, which are not replicated state: an error is a plain 500, as Consul has it.
import type { FieldSet } from "../filter/field.ts";
import { compileFilter } from "../filter/filter.ts";
import type { UserMap } from "../types/records.ts";
import { toUserMap } from "../util/user-map.ts";
import type { Context } from "./context.ts";

/** The entries whose values pass the request's filter. @throws OperationalError for a filter that is none. */
export function filteredMap<T extends object>(c: Context, map: UserMap<T>, fields: FieldSet): UserMap<T> {
  const filter = c.query.text === "" ? "" : (c.query.get("filter") ?? "");
  if (filter === "") return map;
  const matches = compileFilter(filter, fields);
  return toUserMap(Object.entries(map).filter(([, value]) => matches(value)));
}
