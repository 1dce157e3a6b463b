// The state on storage, where the platform has tables: what is applied is durable together with its entry, so a server
// starts where it was, without a snapshot to read or a log to apply again; and to compact the log it need not write one.
import { decode, encode } from "../codec/value.ts";
import type { SnapshotPoint } from "../raft/types.ts";
import { type StateMark, StateRestorer, StateStore } from "../state/store.ts";
import type { StateStorage, StoredTable, TableStorage } from "../state/stored-tables.ts";
import type { LoadedSnapshot } from "./snapshots.ts";

/** The one row of the table that says where the others stand. */
const MARK = "mark";

interface Mark {
  point: SnapshotPoint;
  state: StateMark;
}

/** The store of a server whose platform has tables. */
export class StoredState {
  readonly #tables: TableStorage;
  readonly #storage: StateStorage;
  readonly #marks: StoredTable;

  constructor(tables: TableStorage) {
    this.#tables = tables;
    this.#storage = { tables, encode, decode };
    this.#marks = tables.table("mark");
  }

  /** The store as it was left, and where in the log it stands; null when nothing was ever written. */
  load(): LoadedSnapshot | null {
    const bytes = this.#marks.get(MARK);
    if (bytes === undefined) return null;
    const { point, state } = decode(bytes) as Mark;
    return { point, store: new StateStore(this.#storage, state) };
  }

  /** An empty store. */
  create(): StateStore {
    return new StateStore(this.#storage);
  }

  /** Does what an entry says: all that it changes is written, or nothing of it. `run` gives the store as it is then, and where in the log. */
  apply(run: (stored: StoredState) => { store: StateStore; point: SnapshotPoint }): void {
    this.#tables.transaction(() => {
      const { store, point } = run(this);
      this.#marks.set(MARK, encode({ point, state: store.mark() } satisfies Mark), 0);
    });
  }

  /** Puts the records of another store in place of all that is there. */
  fill(from: StateStore): StateStore {
    this.#tables.clear();
    const restorer = new StateRestorer(this.#storage);
    for (const record of from.snapshot().records()) restorer.add(record);
    return restorer.finish();
  }
}
