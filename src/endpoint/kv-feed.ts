// The key-value store as another datacenter follows it: all keys under a prefix, a part at a time, and what changed since an
// index. For agents; there is no way to them by HTTP.
import type { ChangesArgs, Feed, RangeArgs } from "../state/kv-feed.ts";
import type { QueryEndpoint } from "./endpoint.ts";

/** What changed under a prefix, deletions among it. Waits for changes like any read. */
export const kvChanges: QueryEndpoint<ChangesArgs, Feed> = {
  kind: "query",
  name: "kv.changes",
  run: (state, args) => state.kvChanges(args),
  // Whoever follows is alone at his place.
  key: () => null,
};

/** The keys under a prefix after another one. */
export const kvRange: QueryEndpoint<RangeArgs, Feed> = {
  kind: "query",
  name: "kv.range",
  run: (state, args) => state.kvRange(args),
  key: () => null,
};
