// A small key-value store with sessions and blocking queries, enough of /v1 for locks and semaphores to meet in.
import { FakeAgent, never } from "./fake-agent.ts";
import type { Answer, Asked } from "./fake-agent.ts";

export interface StoredEntry {
  Key: string;
  Value: string;
  Flags: string;
  Session?: string;
  LockIndex: number;
  CreateIndex: number;
  ModifyIndex: number;
}

export class FakeStore {
  readonly entries: Map<string, StoredEntry> = new Map();
  readonly sessions: Map<string, Record<string, unknown>> = new Map();
  /** Keys that nobody gets although they are free: a lock delay. */
  readonly delayed: Set<string> = new Set();
  /** When set, every read of keys is answered with this status. */
  failReads = 0;
  /** Nothing is answered any more. */
  isSilent = false;
  /** Called when a session has got a key. */
  onAcquired: (key: string) => void = () => {};
  /** Requests that wait for a change. */
  blocked = 0;
  #index = 10;
  #waiters = new Set<() => void>();
  #sessionCount = 0;
  readonly agent: FakeAgent = new FakeAgent((asked) => this.#answer(asked));

  /** Ends a session as its TTL would: its keys are free. */
  expire(session: string): void {
    this.sessions.delete(session);
    for (const entry of this.entries.values()) if (entry.Session === session) this.#free(entry);
    this.changed();
  }

  changed(): void {
    this.#index += 1;
    for (const wake of this.#waiters) wake();
  }

  put(key: string, value: string, more: Partial<StoredEntry> = {}): void {
    this.changed();
    const before = this.entries.get(key);
    const entry = { Key: key, Flags: "0", LockIndex: 0, CreateIndex: this.#index, ...before, ...more };
    this.entries.set(key, { ...entry, Value: btoa(value), ModifyIndex: this.#index });
  }

  #free(entry: StoredEntry): void {
    delete entry.Session;
    entry.ModifyIndex = this.#index + 1;
  }

  async #answer(asked: Asked): Promise<Answer | Response> {
    if (this.isSilent) return never(asked);
    const [, area, ...rest] = asked.url.pathname.slice(1).split("/");
    const path = decodeURIComponent(rest.join("/"));
    if (area === "session") return this.#session(asked, rest);
    if (area !== "kv") return { status: 404 };
    if (asked.method === "GET") return this.#read(asked, path);
    return { body: String(asked.method === "DELETE" ? this.#delete(asked, path) : this.#put(asked, path)) };
  }

  #session(asked: Asked, [verb = "", id = ""]: string[]): Answer {
    if (verb === "create") {
      this.#sessionCount += 1;
      const ID = `session-${this.#sessionCount}`;
      this.sessions.set(ID, JSON.parse(asked.body) as Record<string, unknown>);
      return { body: { ID } };
    }
    if (verb === "renew") return this.sessions.has(id) ? { body: [{ ID: id }] } : { status: 404 };
    if (this.sessions.has(id)) this.expire(id);
    return { body: "true" };
  }

  async #read(asked: Asked, path: string): Promise<Answer> {
    if (this.failReads > 0) return { status: this.failReads, body: "no" };
    const { searchParams } = asked.url;
    const index = Number(searchParams.get("index") ?? 0);
    while (index >= this.#index) await this.#wait(asked);
    if (this.failReads > 0) return { status: this.failReads, body: "no" };
    const found = [...this.entries.values()]
      .filter(({ Key }) => (searchParams.has("recurse") ? Key.startsWith(path) : Key === path))
      .map(({ Flags, ...entry }) => JSON.stringify(entry).replace("{", `{"Flags":${Flags},`));
    const headers = { "X-Consul-Index": String(this.#index) };
    return found.length === 0 ? { status: 404, headers } : { headers, body: `[${found.join(",")}]` };
  }

  #wait({ signal }: Asked): Promise<void> {
    this.blocked += 1;
    return new Promise<void>((resolve, reject) => {
      const done = (): void => {
        if (!this.#waiters.delete(done)) return;
        this.blocked -= 1;
        if (signal?.aborted) reject(signal.reason as Error);
        else resolve();
      };
      this.#waiters.add(done);
      if (signal?.aborted) done();
      signal?.addEventListener("abort", done);
    });
  }

  #put({ url, body }: Asked, key: string): boolean {
    const { searchParams } = url;
    const entry = this.entries.get(key);
    const cas = searchParams.get("cas");
    const acquire = searchParams.get("acquire");
    const release = searchParams.get("release");
    if (cas !== null && Number(cas) !== (entry?.ModifyIndex ?? 0)) return false;
    if (acquire !== null) {
      const taken = entry?.Session !== undefined && entry.Session !== acquire;
      if (taken || this.delayed.has(key) || !this.sessions.has(acquire)) return false;
    }
    if (release !== null && entry?.Session !== release) return false;
    const Session = acquire ?? (release === null ? entry?.Session : undefined);
    this.put(key, body, { Flags: searchParams.get("flags") ?? "0", Session });
    if (acquire !== null) this.onAcquired(key);
    return true;
  }

  #delete({ url }: Asked, key: string): boolean {
    const cas = url.searchParams.get("cas");
    const entry = this.entries.get(key);
    if (cas !== null && entry !== undefined && Number(cas) !== entry.ModifyIndex) return false;
    if (url.searchParams.has("recurse")) {
      for (const name of this.entries.keys()) if (name.startsWith(key)) this.entries.delete(name);
    } else this.entries.delete(key);
    this.changed();
    return true;
  }
}
