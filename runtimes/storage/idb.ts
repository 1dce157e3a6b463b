// The client's second level in a browser's IndexedDB, by idb-keyval: in pages, workers and service workers. It outlives the
// page and the network, so that a page that is opened while every server is gone still knows what was known last.
import { createStore, get, set, type UseStore } from "idb-keyval";
import type { ClientStorage } from "../../src/client/index.ts";

/**
 * A second level in IndexedDB. The database is opened by the first use.
 * @param database of its own: idb-keyval makes one store a database
 */
export function fromIdb(database = "proconsul"): ClientStorage {
  let store: UseStore | undefined;
  const open = (): UseStore => (store ??= createStore(database, "answers"));
  return {
    async get(name) {
      const value = await get<unknown>(name, open());
      // Whatever else stands there is none of ours.
      return value instanceof Uint8Array ? value : null;
    },
    set: (name, value) => set(name, value, open()),
  };
}
