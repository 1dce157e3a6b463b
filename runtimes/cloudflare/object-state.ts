// The part of Cloudflare's API that this folder uses, in its own words, so that no package of types is needed:
// https://developers.cloudflare.com/durable-objects/api/.

/** What may be bound to a statement, and what a column gives. */
export type SqlValue = ArrayBuffer | Uint8Array | string | number | null;

/** The rows that a statement gave. Read them before any `await`. */
export interface SqlCursor extends Iterable<Record<string, SqlValue>> {
  toArray(): Record<string, SqlValue>[];
  /** The same without names, a row an array. */
  raw(): IterableIterator<SqlValue[]>;
  readonly rowsWritten: number;
  readonly rowsRead: number;
}

/** The object's SQLite: synchronous. */
export interface SqlStorage {
  exec(query: string, ...bindings: SqlValue[]): SqlCursor;
  readonly databaseSize: number;
}

/** The object's storage. What is written without an `await` between is durable together, and nothing leaves before. */
export interface ObjectStorage {
  readonly sql: SqlStorage;
  /** Runs it whole or, when it throws, not at all. */
  transactionSync<T>(run: () => T): T;
  /** Epoch milliseconds; null when no alarm is set. */
  getAlarm(): Promise<number | null>;
  setAlarm(atMs: number): Promise<void>;
  deleteAlarm(): Promise<void>;
}

/** An object's own state. */
export interface ObjectState {
  readonly storage: ObjectStorage;
  readonly id: { readonly name?: string };
  /** Ends this instance; the next event makes another one. */
  abort(reason?: string): void;
}

/** An object as a Worker reaches it. */
export interface ObjectStub {
  fetch(request: Request): Promise<Response>;
}

/** The objects of one class, by name. */
export interface ObjectNamespace {
  idFromName(name: string): unknown;
  get(id: unknown, options?: { locationHint?: string }): ObjectStub;
}
