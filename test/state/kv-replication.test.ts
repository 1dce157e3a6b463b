// Keys between stores, without any network: what a source tells, what a target does with it, and that stores which have heard of
// the same writes hold the same, whatever the order.
import assert from "node:assert/strict";
import { test } from "node:test";
import { linkKey } from "../../src/state/federation.ts";
import type { Command, KVReplicated } from "../../src/state/command.ts";
import type { Feed } from "../../src/state/kv-feed.ts";
import { StateStore } from "../../src/state/store.ts";
import type { KVRuleInput } from "../../src/types/records.ts";
import { KVKind } from "../../src/replicator/kv.ts";
import { Random } from "../../src/util/random.ts";
import { bytes, kv, Log, session, register, text } from "./fixtures.ts";

const LIMITS = { versionsMax: 3, bytesMax: 1_000_000 };
const shown = ({ Versions }: Feed): string =>
  Versions.map(({ Key, Value }) => `${Key}=${text(Value) ?? "-"}`).join(" ");

test("changes since an index: in the order of the changes, deletions among them, a part at a time", () => {
  const log = new Log();
  for (const key of ["a/3", "a/1", "b", "a/2", "a/4"]) log.value(kv.set(key, key));
  log.value(kv.delete("a/1"));
  log.value(kv.set("a/3", "new"));
  const parts: string[] = [];
  let [index, after] = [1, ""];
  for (let more = true; more;) {
    const feed = log.store.kvChanges({ prefix: "a/", index, after, ...LIMITS }).value;
    parts.push(shown(feed));
    [index, after, more] = [feed.Index, feed.After, feed.More];
  }
  assert.deepEqual(parts, ["a/2=a/2 a/4=a/4 a/1=-", "a/3=new"]);
  assert.equal(index, log.index);
  assert.equal(shown(log.store.kvChanges({ prefix: "a/", index, after, ...LIMITS }).value), "");
});

test("changes since an index: those of one command are parted by key and none is missed", () => {
  const log = new Log();
  for (let i = 0; i < 8; i += 1) log.value(kv.set(`k${i}`));
  const since = log.index;
  log.value(kv.deleteTree("k"));
  const seen: string[] = [];
  let [index, after] = [since, ""];
  for (let more = true; more;) {
    const feed = log.store.kvChanges({ prefix: "k", index, after, ...LIMITS }).value;
    seen.push(...feed.Versions.map(({ Key }) => Key));
    [index, after, more] = [feed.Index, feed.After, feed.More];
  }
  assert.deepEqual(seen, ["k0", "k1", "k2", "k3", "k4", "k5", "k6", "k7"]);
});

test("changes since an index: says when deletions are forgotten that somebody has not seen", () => {
  const log = new Log();
  log.value(kv.set("a"));
  const since = log.index;
  log.value(kv.delete("a"));
  const known = (index: number): boolean =>
    log.store.kvChanges({ prefix: "a", index, after: "", ...LIMITS }).value.Known;
  assert.equal(known(since), true);
  log.value({ type: "tombstone.reap", index: log.index });
  assert.equal(known(since), false);
  assert.equal(known(log.index), true);
});

test("changes since an index: who is very far behind is sent to all keys", () => {
  const log = new Log();
  const known = (): boolean => log.store.kvChanges({ prefix: "", index: 1, after: "", ...LIMITS }).value.Known;
  for (let i = 0; i < 32_768; i += 1) log.apply(kv.set(`k${i}`));
  assert.equal(known(), true);
  log.apply(kv.set("one more"));
  assert.equal(known(), false);
});

test("an answer holds one version, however large, and no more bytes than it may", () => {
  const log = new Log();
  for (const key of ["a", "b", "c"]) log.value(kv.set(key, "x".repeat(100)));
  const feed = (bytesMax: number): string =>
    log.store
      .kvChanges({ prefix: "", index: 1, after: "", versionsMax: 10, bytesMax })
      .value.Versions.map(({ Key }) => Key)
      .join("");
  assert.deepEqual([feed(1), feed(250), feed(1000)], ["a", "ab", "abc"]);
});

test("all keys: a part at a time in the order of their names; of stamped ones the deleted are told too", () => {
  const log = new Log();
  log.value({
    type: "federation.set",
    datacenter: "dc1",
    rules: [{ From: "dc2", Prefix: "s/", ToPrefix: "s/", Mode: "two-way" }],
  });
  for (const key of ["s/5", "s/1", "s/3", "s/2", "s/4"]) log.value({ ...kv.set(key, key), atMs: 10 });
  log.value({ ...kv.delete("s/3"), atMs: 20 });
  const parts: string[] = [];
  let after = "";
  for (let more = true; more;) {
    const feed = log.store.kvRange({ prefix: "s/", after, versionsMax: 2, bytesMax: 1000 }).value;
    parts.push(shown(feed));
    [after, more] = [feed.After, feed.More];
  }
  assert.deepEqual(parts, ["s/1=s/1 s/2=s/2", "s/3=- s/4=s/4", "s/5=s/5"]);
});

test("stamps: the end of a session that deletes a key is a write of this datacenter, a lock alone is none", () => {
  const log = new Log();
  log.value(register("n"));
  log.value({ type: "session.create", session: session("s", "n", { Behavior: "delete" }) });
  log.value({
    type: "federation.set",
    datacenter: "dc1",
    rules: [{ From: "dc2", Prefix: "s/", ToPrefix: "s/", Mode: "two-way" }],
  });
  const stamp = () => {
    const { Ms, Origin, Value } = log.store.kvChanges({ prefix: "s/", index: 1, after: "", ...LIMITS }).value
      .Versions[0]!;
    return `${Origin} ${Ms} ${text(Value) ?? "-"}`;
  };
  log.value({ ...kv.set("s/a", "v"), atMs: 100 });
  assert.equal(stamp(), "dc1 100 v");
  log.value({ ...kv.lock("s/a", "s", "v"), atMs: 200 });
  assert.equal(stamp(), "dc1 100 v");
  log.value({ type: "session.destroy", id: "s", atMs: 300 });
  assert.equal(stamp(), "dc1 300 -");
});

test("stamps: a write is above what it replaced, whatever the clock says", () => {
  const log = new Log();
  log.value({
    type: "federation.set",
    datacenter: "dc1",
    rules: [{ From: "dc2", Prefix: "s/", ToPrefix: "s/", Mode: "two-way" }],
  });
  const ms = (): number => log.store.kvChanges({ prefix: "s/", index: 1, after: "", ...LIMITS }).value.Versions[0]!.Ms;
  log.value({ ...kv.set("s/a", "1"), atMs: 1000 });
  log.value({ ...kv.set("s/a", "2"), atMs: 500 });
  assert.equal(ms(), 1001);
  // A command of an older version says no time.
  log.value(kv.set("s/a", "3"));
  assert.equal(ms(), 1002);
});

// ----------------------------------------------------------------------------------- what is decided: a table

interface Row {
  title: string;
  /** What is here: value, time and writer. */
  local: [value: string | null, ms: number] | null;
  incoming: { value: string | null; ms: number; origin: string; seen: Record<string, number> };
  stays: string;
  result: Omit<KVReplicated, "ConflictKeys">;
}

const NOTHING = { Written: 0, Deleted: 0, Conflicts: 0 };
const TABLE: readonly Row[] = [
  {
    title: "a key that is not known",
    local: null,
    incoming: { value: "b", ms: 5, origin: "dc2", seen: { dc2: 5 } },
    stays: "b",
    result: { ...NOTHING, Written: 1 },
  },
  {
    title: "a deletion of a key that is not known",
    local: null,
    incoming: { value: null, ms: 5, origin: "dc2", seen: { dc2: 5 } },
    stays: "-",
    result: NOTHING,
  },
  {
    title: "a version that knew what is here",
    local: ["a", 10],
    incoming: { value: "b", ms: 20, origin: "dc2", seen: { dc1: 10, dc2: 20 } },
    stays: "b",
    result: { ...NOTHING, Written: 1 },
  },
  {
    title: "a deletion that knew what is here",
    local: ["a", 10],
    incoming: { value: null, ms: 20, origin: "dc2", seen: { dc1: 10, dc2: 20 } },
    stays: "-",
    result: { ...NOTHING, Deleted: 1 },
  },
  {
    title: "the version that is here, come back",
    local: ["a", 10],
    incoming: { value: "a", ms: 10, origin: "dc1", seen: { dc1: 10 } },
    stays: "a",
    result: NOTHING,
  },
  {
    title: "a later one that knew nothing of it",
    local: ["a", 10],
    incoming: { value: "b", ms: 20, origin: "dc2", seen: { dc2: 20 } },
    stays: "b",
    result: { ...NOTHING, Written: 1, Conflicts: 1 },
  },
  {
    title: "an earlier one that knew nothing of it",
    local: ["a", 10],
    incoming: { value: "b", ms: 5, origin: "dc2", seen: { dc2: 5 } },
    stays: "a",
    result: { ...NOTHING, Conflicts: 1 },
  },
  {
    title: "one of the same time: the greater name stays",
    local: ["a", 10],
    incoming: { value: "b", ms: 10, origin: "dc2", seen: { dc2: 10 } },
    stays: "b",
    result: { ...NOTHING, Written: 1, Conflicts: 1 },
  },
  {
    title: "a later deletion that knew nothing of it",
    local: ["a", 10],
    incoming: { value: null, ms: 20, origin: "dc2", seen: { dc2: 20 } },
    stays: "-",
    result: { ...NOTHING, Deleted: 1, Conflicts: 1 },
  },
  {
    title: "an earlier deletion that knew nothing of it",
    local: ["a", 10],
    incoming: { value: null, ms: 5, origin: "dc2", seen: { dc2: 5 } },
    stays: "a",
    result: { ...NOTHING, Conflicts: 1 },
  },
  {
    title: "a later write after a deletion here",
    local: [null, 10],
    incoming: { value: "b", ms: 20, origin: "dc2", seen: { dc2: 20 } },
    stays: "b",
    result: { ...NOTHING, Written: 1, Conflicts: 1 },
  },
  {
    title: "the same value, written by both",
    local: ["a", 10],
    incoming: { value: "a", ms: 20, origin: "dc2", seen: { dc2: 20 } },
    stays: "a",
    result: NOTHING,
  },
  {
    title: "both deleted it",
    local: [null, 10],
    incoming: { value: null, ms: 20, origin: "dc2", seen: { dc2: 20 } },
    stays: "-",
    result: NOTHING,
  },
];

const RULE: KVRuleInput = { From: "dc2", Prefix: "s/", ToPrefix: "s/", Mode: "two-way" };

for (const { title, local, incoming, stays, result } of TABLE)
  test(`of two versions: ${title}`, () => {
    const log = new Log();
    log.value({ type: "federation.set", datacenter: "dc1", rules: [RULE] });
    if (local !== null) log.value({ ...kv.set("s/k", local[0] ?? "gone"), atMs: local[0] === null ? 1 : local[1] });
    if (local !== null && local[0] === null) log.value({ ...kv.delete("s/k"), atMs: local[1] });
    const command: Command = {
      type: "kv.replicate",
      link: linkKey(RULE),
      on: 0,
      position: { Identity: "x", Phase: "follow", Index: 1, After: "", Via: [] },
      versions: [
        {
          Key: "s/k",
          Value: incoming.value === null ? null : bytes(incoming.value),
          Flags: 0,
          Ms: incoming.ms,
          Origin: incoming.origin,
          Seen: incoming.seen,
        },
      ],
    };
    const { ConflictKeys, ...counts } = log.value(command) as KVReplicated;
    assert.deepEqual(counts, result);
    assert.deepEqual(ConflictKeys, counts.Conflicts === 0 ? [] : ["s/k"]);
    const entry = log.store.kvGet("s/k").value;
    assert.equal(entry === null ? "-" : text(entry.Value), stays);
    // Once more: the link has moved on, and nothing is done.
    const hash = log.store.hash();
    assert.equal(log.value(command), false);
    assert.equal(log.store.hash(), hash);
  });

// ------------------------------------------------------------------- after any schedule all are equal

/** A datacenter: a store, the rules of its file, and a replicator's kind for each. */
class Place {
  readonly name: string;
  log = new Log();
  #store: StateStore = this.log.store;
  #index = 1;
  kinds: KVKind[] = [];

  constructor(name: string, rules: readonly KVRuleInput[]) {
    this.name = name;
    this.apply({ type: "federation.set", datacenter: name, storeId: name, rules: [...rules] });
    this.#lead();
  }
  get store(): StateStore {
    return this.#store;
  }
  apply(command: Command): unknown {
    const { result } = this.#store.apply(++this.#index, command);
    assert.ok(result.ok);
    return result.value;
  }
  #lead(): void {
    const rules = this.#store.federation().value?.Rules ?? [];
    this.kinds = rules.map((rule) => new KVKind({ datacenter: this.name, state: () => this.#store }, rule));
  }
  /** Another server leads: it has the store, by a snapshot, and nothing else. */
  elect(): void {
    this.#store = StateStore.restore(structuredClone([...this.#store.snapshot().records()]));
    this.#lead();
  }
  /** One question and its answer; `loses` the word of what was written. Gives whether anything is left to do. */
  pull(kind: KVKind, places: ReadonlyMap<string, Place>, loses: boolean): boolean {
    const question = kind.question();
    const source = places.get(question.datacenter)!;
    const read = question.endpoint.run(source.store, question.args);
    for (;;) {
      const plan = kind.plan({ value: structuredClone(read.value), index: read.index });
      assert.ok(!("problem" in plan), JSON.stringify(plan));
      if (plan.batch !== null) {
        const done = this.apply(structuredClone(plan.batch));
        assert.notEqual(done, false);
        if (loses) {
          kind.begin();
          return true;
        }
      }
      if (plan.next !== "plan") return plan.next === "ask" || plan.batch !== null;
    }
  }
}

const KEYS = ["s/a", "s/b", "s/c", "s/d/1", "s/d/2", "s/e"];
const content = ({ store }: Place): string =>
  store
    .kvList("s/")
    .value.map(({ Key, Value, Flags }) => `${Key}=${text(Value)}/${Flags}`)
    .join(" ");

/** Runs one schedule and gives what each place holds in the end. */
function schedule(seed: number, froms: Readonly<Record<string, readonly string[]>>): string[] {
  const random = new Random(seed);
  const places = new Map<string, Place>();
  for (const [name, from] of Object.entries(froms))
    places.set(
      name,
      new Place(
        name,
        from.map((From) => ({ ...RULE, From })),
      ),
    );
  const all = [...places.values()];
  const pick = <T>(from: readonly T[]): T => from[random.below(from.length)]!;
  let now = 1000;
  for (let step = 0; step < 120; step += 1) {
    const place = pick(all);
    // Clocks that differ by far more than the writes are apart.
    now += random.below(50);
    const atMs = now + (place.name.length * 7 + place.name.charCodeAt(2) * 13) * 5 - random.below(2000);
    switch (random.below(12)) {
      case 0:
      case 1:
      case 2:
        place.apply({ ...kv.set(pick(KEYS), `${place.name}-${step}`, random.below(3)), atMs });
        break;
      case 3:
        place.apply({ ...kv.delete(pick(KEYS)), atMs });
        break;
      case 4:
        place.apply({ ...kv.deleteTree("s/d/"), atMs });
        break;
      case 5:
        place.elect();
        break;
      case 6:
        // Tombstones are nothing that stamped keys rely on.
        place.apply({ type: "tombstone.reap", index: place.store.lastIndex });
        break;
      default:
        place.pull(pick(place.kinds), places, random.below(5) === 0);
    }
  }
  // The links heal: everybody pulls until nothing is left anywhere.
  for (let round = 0, left = true; left; round += 1) {
    assert.ok(round < 200, "it ends");
    left = false;
    for (const place of all) for (const kind of place.kinds) left = place.pull(kind, places, false) || left;
  }
  return all.map(content);
}

const SHAPES: readonly (readonly [string, Readonly<Record<string, readonly string[]>>])[] = [
  ["two datacenters", { dc1: ["dc2"], dc2: ["dc1"] }],
  ["three, each from both others", { dc1: ["dc2", "dc3"], dc2: ["dc1", "dc3"], dc3: ["dc1", "dc2"] }],
  ["three in a ring", { dc1: ["dc3"], dc2: ["dc1"], dc3: ["dc2"] }],
  ["three in a chain", { dc1: ["dc2"], dc2: ["dc1", "dc3"], dc3: ["dc2"] }],
];

for (const [title, froms] of SHAPES)
  test(`after any schedule all hold the same: ${title}`, () => {
    let distinct = 0;
    for (let seed = 1; seed <= 150; seed += 1) {
      const contents = schedule(seed, froms);
      for (const each of contents) assert.equal(each, contents[0], `seed ${seed}`);
      if (contents[0] !== "") distinct += 1;
    }
    assert.ok(distinct > 100, "they hold something");
  });

test("a copy is the same as its source after any schedule, with leaders that change, strays and forgotten tombstones", () => {
  const rule: KVRuleInput = { From: "dc1", Prefix: "s/", ToPrefix: "copy/", Mode: "one-way" };
  for (let seed = 1; seed <= 150; seed += 1) {
    const random = new Random(seed);
    const source = new Place("dc1", []);
    const target = new Place("dc2", [rule]);
    const places = new Map([
      ["dc1", source],
      ["dc2", target],
    ]);
    for (let step = 0; step < 150; step += 1) {
      const key = KEYS[random.below(KEYS.length)]!;
      switch (random.below(10)) {
        case 0:
        case 1:
        case 2:
          source.apply(kv.set(key, String(step), random.below(3)));
          break;
        case 3:
          source.apply(kv.delete(key));
          break;
        case 4:
          source.apply({ type: "tombstone.reap", index: source.store.lastIndex });
          break;
        case 5:
          target.elect();
          break;
        case 6:
          if (random.below(5) === 0) target.apply(kv.set(`copy/stray${random.below(3)}`));
          break;
        default:
          target.pull(target.kinds[0]!, places, random.below(5) === 0);
      }
    }
    for (let round = 0, left = true; left; round += 1) {
      assert.ok(round < 50, "it ends");
      left = target.pull(target.kinds[0]!, places, false);
    }
    const said = target.store
      .kvList("copy/")
      .value.map(({ Key, Value, Flags }) => `${Key.slice(5)}=${text(Value)}/${Flags}`);
    const there = source.store
      .kvList("s/")
      .value.map(({ Key, Value, Flags }) => `${Key.slice(2)}=${text(Value)}/${Flags}`);
    assert.deepEqual(said, there, `seed ${seed}`);
  }
});
