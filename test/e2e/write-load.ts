// Writers that know what must be in the store. Each owns its keys, a node of the catalog and some services of the agent,
// writes one thing at a time, and notes for each what was acknowledged and what was sent without an answer: after a crash
// the store must hold the one or the other, and nothing else.
import { Random } from "../../src/util/random.ts";
import type { HttpConnection } from "./http-connection.ts";

/** What a thing may be: a text that occurs in no other write, or absent. */
type Content = string | null;

interface Thing {
  /** As acknowledged last. */
  sure: Content;
  /** What the write in flight would make of it; undefined when none is. */
  perhaps?: Content;
  /** The lowest ModifyIndex it can have, as far as was seen. */
  index: number;
}

export interface LoadCounts {
  acknowledged: number;
  /** Sent, and not answered when the agent died. */
  unanswered: number;
  /** Of those, how many had happened. */
  happened: number;
  /** Writes that were refused because of what they compared with. */
  declined: number;
}

/** Those of several writers. */
export function sumCounts(counts: readonly LoadCounts[]): LoadCounts {
  const total: LoadCounts = { acknowledged: 0, unanswered: 0, happened: 0, declined: 0 };
  for (const one of counts) for (const name of Object.keys(total) as (keyof LoadCounts)[]) total[name] += one[name];
  return total;
}

/** Keys of a writer. Few, so that each is overwritten and deleted often. */
const KEYS = 30;
const SERVICES = 5;
const LARGE_BYTES = 64 * 1024;

export class Writer {
  readonly counts: LoadCounts = { acknowledged: 0, unanswered: 0, happened: 0, declined: 0 };
  /** What went against the rules, in words. */
  readonly faults: string[] = [];
  readonly #name: string;
  readonly #random: Random;
  readonly #things = new Map<string, Thing>();
  readonly #keys: string[];
  readonly #catalogServices: string[];
  readonly #agentServices: string[];
  #sent = 0;
  #index = 0;

  constructor(name: string, seed: number) {
    this.#name = name;
    this.#random = new Random(seed);
    this.#keys = Array.from({ length: KEYS }, (_, n) => `rounds/${name}/${n}`);
    this.#catalogServices = Array.from({ length: SERVICES }, (_, n) => `catalog:${name}-${n}`);
    this.#agentServices = Array.from({ length: SERVICES }, (_, n) => `agent:${name}-${n}`);
    for (const id of [...this.#keys, ...this.#catalogServices, ...this.#agentServices])
      this.#things.set(id, { sure: null, index: 0 });
  }

  /** Writes until a request fails, or until it is over. */
  async write(connection: HttpConnection, isOver: () => boolean = () => false): Promise<void> {
    try {
      while (!isOver()) await this.#one(connection);
    } catch (error) {
      if (error instanceof Fault) this.faults.push(error.message);
      // Anything else is the agent's end.
    }
  }

  /**
   * Compares what is there with what must be, and takes what is there as sure from now on.
   * @throws Error, with nothing taken, when it cannot be read.
   */
  async check(connection: HttpConnection): Promise<void> {
    const listed = await connection.send("GET", `/v1/kv/rounds/${this.#name}/?recurse`);
    if (listed.status >= 500) throw new Error(listed.text);
    this.#sees("the list of keys", listed.index);
    const found = new Map<string, { text: string; index: number }>();
    if (listed.status === 200)
      for (const { Key, Value, ModifyIndex } of listed.json())
        found.set(Key, { text: Value === null ? "" : Buffer.from(Value, "base64").toString(), index: ModifyIndex });
    const node = await connection.send("GET", `/v1/catalog/node-services/rounds-${this.#name}`);
    for (const { ID, Meta, ModifyIndex } of node.json()?.Services ?? [])
      found.set(`catalog:${ID}`, { text: Meta.content, index: ModifyIndex });
    const own = (await connection.send("GET", "/v1/agent/services")).json() as Record<
      string,
      { ID: string; Meta: Record<string, string> }
    >;
    for (const { ID, Meta } of Object.values(own))
      if (ID.startsWith(`${this.#name}-`)) found.set(`agent:${ID}`, { text: Meta.content ?? "", index: 0 });
    // What one request changes is changed as a whole.
    const changed = new Set<boolean>();
    for (const [id, thing] of this.#things) {
      if (thing.perhaps !== undefined && thing.perhaps !== thing.sure)
        changed.add((found.get(id)?.text ?? null) === thing.perhaps);
      this.#settle(id, thing, found.get(id));
      found.delete(id);
    }
    if (changed.size > 1) this.faults.push(`a transaction of ${this.#name} happened by half`);
    for (const [id, { text }] of found) this.faults.push(`${id} holds ${short(text)}, and was never written`);
  }

  #settle(id: string, thing: Thing, found: { text: string; index: number } | undefined): void {
    const content = found?.text ?? null;
    const inFlight = thing.perhaps !== undefined;
    if (content !== thing.sure && !(inFlight && content === thing.perhaps)) {
      const also = inFlight ? ` or ${short(thing.perhaps as Content)}` : "";
      this.faults.push(`${id} holds ${short(content)}, and must hold ${short(thing.sure)}${also}`);
    }
    if (found !== undefined && found.index < thing.index)
      this.faults.push(`${id} went back from index ${thing.index} to ${found.index}`);
    if (inFlight) {
      this.counts.unanswered += 1;
      if (content === thing.perhaps) this.counts.happened += 1;
    }
    this.#things.set(id, { sure: content, index: Math.max(thing.index, found?.index ?? 0) });
  }

  async #one(connection: HttpConnection): Promise<void> {
    const dice = this.#random.below(100);
    const key = this.#pick(this.#keys);
    if (dice < 45) await this.#put(connection, key, this.#content());
    else if (dice < 57) await this.#cas(connection, key);
    else if (dice < 67) await this.#delete(connection, key);
    else if (dice < 77) await this.#transaction(connection);
    else if (dice < 87) await this.#catalog(connection, this.#pick(this.#catalogServices));
    else if (dice < 92) await this.#service(connection, this.#pick(this.#agentServices));
    else await this.#read(connection, key);
  }

  async #put(connection: HttpConnection, key: string, content: string): Promise<void> {
    await this.#change([[key, content]], async () =>
      answered(await connection.send("PUT", `/v1/kv/${key}`, content), 200, "true"),
    );
  }

  /** Reads, then writes or deletes only what was read; or creates only what is absent. */
  async #cas(connection: HttpConnection, key: string): Promise<void> {
    const thing = this.#thing(key);
    const stale = this.#random.below(5) === 0;
    const index = thing.sure === null ? 0 : (await connection.send("GET", `/v1/kv/${key}`)).json()[0].ModifyIndex;
    if (index > thing.index) thing.index = index;
    // The store's answer to a false compare must be no, and nothing may change.
    const asked = stale ? (index === 0 ? 1 : index - 1) : index;
    const removes = thing.sure !== null && asked !== 0 && this.#random.below(3) === 0;
    const content = removes ? null : this.#content();
    const ask = async (expected: string): Promise<void> =>
      answered(
        await (removes
          ? connection.send("DELETE", `/v1/kv/${key}?cas=${asked}`)
          : connection.send("PUT", `/v1/kv/${key}?cas=${asked}`, content as string)),
        200,
        expected,
      );
    if (stale) {
      await ask("false");
      this.counts.declined += 1;
    } else await this.#change([[key, content]], () => ask("true"));
  }

  async #delete(connection: HttpConnection, key: string): Promise<void> {
    await this.#change([[key, null]], async () =>
      answered(await connection.send("DELETE", `/v1/kv/${key}`), 200, "true"),
    );
  }

  /** Several keys at once: after a crash all of them, or none. */
  async #transaction(connection: HttpConnection): Promise<void> {
    const keys = new Set(Array.from({ length: 2 + this.#random.below(4) }, () => this.#pick(this.#keys)));
    const changes: [string, Content][] = [...keys].map((key) => [
      key,
      this.#random.below(4) === 0 ? null : this.#content(),
    ]);
    const operations = changes.map(([Key, content]) =>
      content === null
        ? { KV: { Verb: "delete", Key } }
        : { KV: { Verb: "set", Key, Value: Buffer.from(content).toString("base64") } },
    );
    await this.#change(changes, async () => {
      const received = await connection.send("PUT", "/v1/txn", JSON.stringify(operations));
      answered(received, 200);
      for (const { KV } of received.json().Results) this.#thing(KV.Key).index = KV.ModifyIndex;
    });
  }

  async #catalog(connection: HttpConnection, id: string): Promise<void> {
    const ID = id.slice("catalog:".length);
    const Node = `rounds-${this.#name}`;
    if (this.#thing(id).sure !== null && this.#random.below(3) === 0) {
      await this.#change([[id, null]], async () =>
        answered(await connection.send("PUT", "/v1/catalog/deregister", JSON.stringify({ Node, ServiceID: ID })), 200),
      );
      return;
    }
    const content = this.#content();
    const body = { Node, Address: "10.0.0.1", Service: { Service: "rounds", ID, Port: 80, Meta: { content } } };
    await this.#change([[id, content]], async () =>
      answered(await connection.send("PUT", "/v1/catalog/register", JSON.stringify(body)), 200),
    );
  }

  async #service(connection: HttpConnection, id: string): Promise<void> {
    const ID = id.slice("agent:".length);
    if (this.#thing(id).sure !== null && this.#random.below(3) === 0) {
      await this.#change([[id, null]], async () =>
        answered(await connection.send("PUT", `/v1/agent/service/deregister/${ID}`), 200),
      );
      return;
    }
    const content = this.#content(false);
    const body = { Name: "rounds-local", ID, Meta: { content } };
    await this.#change([[id, content]], async () =>
      answered(await connection.send("PUT", "/v1/agent/service/register", JSON.stringify(body)), 200),
    );
  }

  /** What was acknowledged is what is read, at once. */
  async #read(connection: HttpConnection, key: string): Promise<void> {
    const thing = this.#thing(key);
    const received = await connection.send("GET", `/v1/kv/${key}?raw`);
    const content = received.status === 404 ? null : received.text;
    if (received.status !== 404) answered(received, 200);
    if (content !== thing.sure)
      throw new Fault(`${key} was read as ${short(content)}, and was acknowledged as ${short(thing.sure)}`);
  }

  /** Notes what is about to be asked for, asks, and takes an answer for granted. A failure leaves it in flight. */
  async #change(changes: readonly (readonly [string, Content])[], ask: () => Promise<void>): Promise<void> {
    for (const [id, content] of changes) this.#thing(id).perhaps = content;
    await ask();
    for (const [id, content] of changes) {
      const thing = this.#thing(id);
      thing.sure = content;
      delete thing.perhaps;
    }
    this.counts.acknowledged += 1;
  }

  #sees(what: string, index: number): void {
    if (index < this.#index)
      this.faults.push(`${what} of ${this.#name} went back from index ${this.#index} to ${index}`);
    this.#index = Math.max(this.#index, index);
  }

  #thing(id: string): Thing {
    return this.#things.get(id) as Thing;
  }

  #pick<T>(list: readonly T[]): T {
    return list[this.#random.below(list.length)] as T;
  }

  /** A text that was never sent before; now and then a long one. */
  #content(long = true): string {
    const text = `${this.#name} ${++this.#sent} `;
    return long && this.#random.below(50) === 0
      ? text.padEnd(LARGE_BYTES, "x")
      : text.padEnd(20 + this.#random.below(300), ".");
  }
}

class Fault extends Error {}

/** @throws Fault for an answer that must not be; Error for one that leaves open what happened. */
function answered(received: { status: number; text: string }, status: number, text?: string): void {
  if (received.status >= 500) throw new Error(received.text);
  if (received.status !== status || (text !== undefined && received.text.trim() !== text))
    throw new Fault(`answered ${received.status} ${short(received.text)} instead of ${status} ${text ?? ""}`);
}

const short = (content: Content): string =>
  content === null ? "nothing" : JSON.stringify(content.length > 40 ? `${content.slice(0, 40)}…` : content);
