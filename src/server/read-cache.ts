// Answers of query endpoints, kept and shared by all who ask the same until a change touches what they show. A thousand
// clients that wait for one service cost one run of its query and one encoding for each change of it.
import type { QueryEndpoint } from "../endpoint/endpoint.ts";
import type { SharedRead } from "../rpc/authority.ts";
import type { Read } from "../state/read.ts";
import type { StateStore } from "../state/store.ts";
import type { WatchHandle, Watches } from "../state/watch.ts";
import { Generations } from "../util/generations.ts";

class Kept<R> implements SharedRead<R> {
  readonly read: Read<R>;
  readonly encodings = new Map<string, unknown>();
  fresh = true;
  handle: WatchHandle | null = null;

  constructor(read: Read<R>) {
    this.read = read;
  }

  /** Ends its life: from now on nobody may give this answer as the present one. */
  drop(): void {
    this.fresh = false;
    this.handle?.cancel();
    this.handle = null;
  }
}

export class ReadCache {
  readonly #watches: Watches;
  readonly #kept: Generations<string, Kept<unknown>>;

  /** @param answersMax how many answers are kept; the least recently used goes first. */
  constructor(watches: Watches, answersMax: number) {
    this.#watches = watches;
    this.#kept = new Generations(answersMax, (kept) => kept.drop());
  }

  /** The answer as of now: a kept one while it is fresh, else a new one. */
  run<A, R>(state: StateStore, endpoint: QueryEndpoint<A, R>, args: A): SharedRead<R> {
    const key = endpoint.key(args);
    // Nobody follows what it was read from, so nobody may give it a second time.
    if (key === null) return { read: endpoint.run(state, args), fresh: false, encodings: new Map() };
    const found = this.#kept.get(key) as Kept<R> | undefined;
    if (found?.fresh) return found;
    const kept = new Kept(endpoint.run(state, args));
    kept.handle = this.#watches.onTouch(kept.read.topics, () => kept.drop());
    this.#kept.set(key, kept);
    return kept;
  }

  /** Forgets everything: the store was replaced, or this server may no longer vouch for what it says. */
  clear(): void {
    this.#kept.clear();
  }
}
