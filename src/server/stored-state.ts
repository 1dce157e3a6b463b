// The state on storage, where the platform has tables: what is applied is durable together with its entry, so a server
// starts where it was, without a snapshot to read or a log to apply again; and to compact the log it need not write one.
import { decode, encode } from "../codec/value.ts";
import type { Blobs, Platform } from "../platform.ts";
import type { SnapshotPoint } from "../raft/types.ts";
import { type StateMark, StateRestorer, StateStore } from "../state/store.ts";
import { STATE_TABLES, type StateStorage, type StoredTable, type TableStorage } from "../state/stored-tables.ts";
import { type LoadedSnapshot, loadSnapshot } from "./snapshots.ts";

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

  /** Null where the platform has no tables. */
  static of({ tables }: Pick<Platform, "tables">): StoredState | null {
    return tables === undefined ? null : new StoredState(tables);
  }

  private constructor(tables: TableStorage) {
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

  /** Makes a change of the store: all of it is written, or nothing. `after` says where the store stands then. */
  apply(change: () => void, after: () => { store: StateStore; point: SnapshotPoint }): void {
    this.#tables.transaction(() => {
      change();
      const { store, point } = after();
      this.#marks.set(MARK, encode({ point, state: store.mark() } satisfies Mark), 0);
    });
  }

  /** Puts the records of another store in place of all that is there. */
  fill(from: StateStore): StateStore {
    for (const name of STATE_TABLES) this.#tables.table(name).clear();
    const restorer = new StateRestorer(this.#storage);
    for (const record of from.snapshot().records()) restorer.add(record);
    return restorer.finish();
  }
}

/** What a server starts with: what is on storage, else the newest snapshot; a point of null when there is nothing. */
export async function startingState(
  stored: StoredState | null,
  blobs: Blobs,
  damaged: (name: string, error: unknown) => void,
): Promise<{ point: SnapshotPoint | null; store: StateStore }> {
  if (stored !== null) return stored.load() ?? { point: null, store: stored.create() };
  return (await loadSnapshot(blobs, damaged)) ?? { point: null, store: new StateStore() };
}
