// The writers of kill-rounds.ts against stores that lose, invent and turn back: they must notice.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { HttpConnection, Received } from "./http-connection.ts";
import { Writer } from "./write-load.ts";

interface Kept {
  text: string;
  index: number;
}

/** As much of an agent as a writer asks. Dies after so many answers. */
class FakeAgent {
  keys = new Map<string, Kept>();
  catalog = new Map<string, Kept>();
  services = new Map<string, Kept>();
  index = 10;
  answersLeft: number;

  constructor(answersLeft: number) {
    this.answersLeft = answersLeft;
  }

  send(method: string, path: string, body = ""): Promise<Received> {
    if (this.answersLeft-- <= 0) return Promise.reject(new Error("killed"));
    const [status, value] = this.#answer(method, path, body);
    const text = typeof value === "string" ? value : JSON.stringify(value);
    return Promise.resolve({ status, text, index: this.index, json: () => JSON.parse(text) as unknown });
  }

  #answer(method: string, target: string, body: string): [status: number, value: unknown] {
    const [path, query = ""] = target.split("?") as [string, string?];
    if (path === "/v1/txn") return [200, { Results: this.#txn(JSON.parse(body) as Operation[]) }];
    if (path.startsWith("/v1/catalog/node-services")) return [200, { Services: this.#shown(this.catalog) }];
    if (path === "/v1/agent/services")
      return [200, Object.fromEntries(this.#shown(this.services).map((row) => [row.ID, row]))];
    if (path === "/v1/catalog/register") {
      const { Service } = JSON.parse(body) as { Service: { ID: string; Meta: { content: string } } };
      return this.#set(this.catalog, Service.ID, Service.Meta.content);
    }
    if (path === "/v1/catalog/deregister")
      return this.#set(this.catalog, (JSON.parse(body) as { ServiceID: string }).ServiceID, null);
    if (path === "/v1/agent/service/register") {
      const { ID, Meta } = JSON.parse(body) as { ID: string; Meta: { content: string } };
      return this.#set(this.services, ID, Meta.content);
    }
    if (path.startsWith("/v1/agent/service/deregister/"))
      return this.#set(this.services, path.slice("/v1/agent/service/deregister/".length), null);
    return this.#kv(method, path.slice("/v1/kv/".length), query, body);
  }

  #kv(method: string, key: string, query: string, body: string): [status: number, value: unknown] {
    const entry = (name: string, { text, index }: Kept): object => ({
      Key: name,
      Value: Buffer.from(text).toString("base64"),
      ModifyIndex: index,
    });
    if (query === "recurse")
      return this.keys.size === 0 ? [404, ""] : [200, [...this.keys].map(([name, kept]) => entry(name, kept))];
    const found = this.keys.get(key);
    if (method === "GET" && query === "raw") return found === undefined ? [404, ""] : [200, found.text];
    if (method === "GET") return found === undefined ? [404, ""] : [200, [entry(key, found)]];
    const cas = /cas=(\d+)/.exec(query);
    if (cas !== null && Number(cas[1]) !== (found?.index ?? 0)) return [200, "false"];
    return this.#set(this.keys, key, method === "DELETE" ? null : body);
  }

  #txn(operations: Operation[]): object[] {
    const results: object[] = [];
    for (const { KV } of operations) {
      this.#set(this.keys, KV.Key, KV.Verb === "delete" ? null : Buffer.from(KV.Value as string, "base64").toString());
      if (KV.Verb !== "delete") results.push({ KV: { Key: KV.Key, ModifyIndex: this.index } });
    }
    return results;
  }

  #set(table: Map<string, Kept>, id: string, text: string | null): [status: number, value: unknown] {
    this.index += 1;
    if (text === null) table.delete(id);
    else table.set(id, { text, index: this.index });
    return [200, "true"];
  }

  #shown(table: Map<string, Kept>): { ID: string; Meta: object; ModifyIndex: number }[] {
    return [...table].map(([ID, { text, index }]) => ({ ID, Meta: { content: text }, ModifyIndex: index }));
  }
}

interface Operation {
  KV: { Verb: string; Key: string; Value?: string };
}

/** A writer that has written to an agent until it died; then something happens to what the agent keeps. */
async function faultsAfter(happens: (agent: FakeAgent) => void): Promise<string[]> {
  const writer = new Writer("w0", 5);
  const agent = new FakeAgent(500);
  await writer.write(agent as unknown as HttpConnection);
  assert.deepEqual(writer.faults, [], "an honest agent has no faults");
  assert.ok(writer.counts.acknowledged > 300);
  happens(agent);
  agent.answersLeft = 100;
  await writer.check(agent as unknown as HttpConnection);
  return writer.faults;
}

const first = <T>(table: Map<string, T>): [string, T] => [...table][0] as [string, T];

test("writers find nothing wrong with a store that keeps what it acknowledged", async () => {
  assert.deepEqual(await faultsAfter(() => {}), []);
});

const FAULTS: readonly (readonly [what: string, happens: (agent: FakeAgent) => void, fault: RegExp])[] = [
  ["loses a key", ({ keys }) => keys.delete(first(keys)[0]), /holds nothing, and must hold/],
  ["loses a service of the catalog", ({ catalog }) => catalog.delete(first(catalog)[0]), /^catalog:.* holds nothing/],
  ["loses a service of the agent", ({ services }) => services.delete(first(services)[0]), /^agent:.* holds nothing/],
  ["has an older value", ({ keys }) => (first(keys)[1].text = "w0 1 ..."), /and must hold/],
  ["has half a value", ({ keys }) => (first(keys)[1].text = first(keys)[1].text.slice(0, 8)), /and must hold/],
  [
    "has a key that nobody wrote",
    ({ keys }) => keys.set("rounds/w0/999", { text: "x", index: 1 }),
    /was never written/,
  ],
  [
    "has a key that was deleted",
    ({ keys }) =>
      [...Array(30).keys()].forEach((n) =>
        keys.set(`rounds/w0/${n}`, keys.get(`rounds/w0/${n}`) ?? { text: "back", index: 1e6 }),
      ),
    /must hold nothing/,
  ],
  [
    "has an entry of an older index",
    ({ keys }) => [...keys.values()].forEach((kept) => (kept.index = 1)),
    /went back from index/,
  ],
];
for (const [what, happens, fault] of FAULTS)
  test(`writers notice a store that ${what}`, async () => {
    const faults = await faultsAfter((agent) => void happens(agent));
    assert.ok(
      faults.some((text) => fault.test(text)),
      faults.join("\n"),
    );
  });

test("a transaction that is there by half is a fault, all of it or none is not", async () => {
  for (const keep of [0, 1, 2]) {
    // The first write is a transaction if its seed is this one; its answer never comes.
    const writer = new Writer("w0", seedOfTransaction());
    const agent = new FakeAgent(0);
    const sent: Operation[] = [];
    agent.send = (_method, path, body = "") => {
      assert.equal(path, "/v1/txn");
      sent.push(...(JSON.parse(body) as Operation[]));
      return Promise.reject(new Error("killed"));
    };
    await writer.write(agent as unknown as HttpConnection);
    const restarted = new FakeAgent(100);
    for (const { KV } of keep === 2 ? sent : sent.slice(0, keep))
      restarted.keys.set(KV.Key, { text: Buffer.from(KV.Value ?? "", "base64").toString(), index: 50 });
    await writer.check(restarted as unknown as HttpConnection);
    assert.equal(writer.faults.length > 0, keep === 1, writer.faults.join("\n"));
  }
});

/** A seed with which a writer begins with a transaction that only sets keys, two at least. */
function seedOfTransaction(): number {
  for (let seed = 1; ; seed++) {
    const agent = new FakeAgent(0);
    let fits = false;
    agent.send = (_method, path, body = "") => {
      fits =
        path === "/v1/txn" &&
        (JSON.parse(body) as Operation[]).length > 1 &&
        (JSON.parse(body) as Operation[]).every(({ KV }) => KV.Verb === "set");
      return Promise.reject(new Error("killed"));
    };
    void new Writer("w0", seed).write(agent as unknown as HttpConnection);
    if (fits) return seed;
  }
}
