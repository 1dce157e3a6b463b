// The store under random commands, held against the naive model: results, answers, indexes, wake-ups, changes,
// snapshots and hashes. A failure names its seed and step.

import assert from "node:assert/strict";
import { test } from "node:test";
import type { Change } from "../../src/state/change.ts";
import type { Read } from "../../src/state/read.ts";
import { StateStore } from "../../src/state/store.ts";
import { topicsOf } from "../../src/state/topic.ts";
import { Watches } from "../../src/state/watch.ts";
import type { HealthCheck } from "../../src/types/records.ts";
import { canonical, freeze, random } from "./fixtures.ts";
import { Generator, KEYS, NODES, PREFIXES, QUERIES, SERVICES, SESSIONS } from "./generator.ts";
import { Model } from "./model.ts";

/** One question, asked of the store and of the model. */
interface Question {
  name: string;
  ask(store: StateStore): Read<unknown>;
  expect(model: Model): unknown;
}

const low = (name: string): string => name.toLowerCase();

/** In the order of the store's keys. */
function ordered<T>(records: Iterable<T>, ...parts: ((record: T) => string)[]): T[] {
  return [...records].sort((a, b) => {
    for (const part of parts) {
      const [x, y] = [low(part(a)), low(part(b))];
      if (x !== y) return x < y ? -1 : 1;
    }
    return 0;
  });
}

function nodeNamed(model: Model, name: string) {
  return model.state.nodes.get(low(name)) ?? null;
}

function instances(model: Model, name: string, connect: boolean, tags: string[]) {
  const found = ordered(
    model.state.services.values(),
    (record) => record.Node,
    (record) => record.ID,
  ).filter((record) => {
    const target = record.Kind === "connect-proxy" ? record.Proxy["DestinationServiceName"] : record.Service;
    const offers = record.Kind === "connect-proxy" || record.Connect["Native"] === true;
    if (connect && !(offers && low(String(target)) === low(name))) return false;
    if (!connect && low(record.Service) !== low(name)) return false;
    return tags.every((tag) => record.Tags.some((own) => low(own) === low(tag)));
  });
  return found.map((record) => ({ Node: nodeNamed(model, record.Node), Service: record }));
}

function checksOf(model: Model, which: (check: HealthCheck) => boolean): HealthCheck[] {
  return ordered(
    model.state.checks.values(),
    (record) => record.Node,
    (record) => record.CheckID,
  ).filter(which);
}

function health(model: Model, name: string, connect: boolean) {
  return instances(model, name, connect, []).map(({ Node, Service }) => {
    const onNode = (record: HealthCheck): boolean => low(record.Node) === low(Service.Node);
    return {
      Node,
      Service,
      Checks: [
        ...checksOf(model, (record) => onNode(record) && record.ServiceID === ""),
        ...checksOf(
          model,
          (record) => onNode(record) && low(record.ServiceID) === low(Service.ID) && record.ServiceID !== "",
        ),
      ],
    };
  });
}

function names(model: Model): [string, string[]][] {
  const all = ordered(
    model.state.services.values(),
    (record) => record.Service,
    (record) => record.Node,
    (record) => record.ID,
  );
  const byName = new Map<string, { name: string; tags: Set<string> }>();
  for (const record of all) {
    const found = byName.get(low(record.Service)) ?? { name: record.Service, tags: new Set() };
    for (const tag of record.Tags) found.tags.add(tag);
    byName.set(low(record.Service), found);
  }
  return [...byName.values()].map(({ name, tags }) => [name, [...tags].sort()]);
}

function underPrefix(model: Model, prefix: string) {
  return [...model.state.kv.values()]
    .filter(({ Key }) => Key.startsWith(prefix))
    .sort((a, b) => (a.Key < b.Key ? -1 : 1));
}

function folders(model: Model, prefix: string): string[] {
  const found = underPrefix(model, prefix).map(({ Key }) => {
    const at = Key.indexOf("/", prefix.length);
    return at < 0 ? Key : Key.slice(0, at + 1);
  });
  return [...new Set(found)];
}

function questions(): Question[] {
  const list: Question[] = [];
  const add = (name: string, ask: Question["ask"], expect: Question["expect"]): void => {
    list.push({ name, ask, expect });
  };
  for (const key of [...KEYS, "never"]) {
    add(
      `kvGet ${key}`,
      (store) => store.kvGet(key),
      (model) => model.state.kv.get(key) ?? null,
    );
  }
  for (const prefix of PREFIXES) {
    add(
      `kvList ${prefix}`,
      (store) => store.kvList(prefix),
      (model) => underPrefix(model, prefix),
    );
    add(
      `kvKeys ${prefix}`,
      (store) => store.kvKeys(prefix, ""),
      (model) => underPrefix(model, prefix).map(({ Key }) => Key),
    );
    add(
      `kvKeys ${prefix} /`,
      (store) => store.kvKeys(prefix, "/"),
      (model) => folders(model, prefix),
    );
  }
  add(
    "nodes",
    (store) => store.nodes(),
    (model) => ordered(model.state.nodes.values(), ({ Node }) => Node),
  );
  for (const name of [...NODES, "N1", "never"]) {
    add(
      `node ${name}`,
      (store) => store.node(name),
      (model) => nodeNamed(model, name),
    );
    add(
      `nodeServices ${name}`,
      (store) => store.nodeServices(name),
      (model) => {
        const found = nodeNamed(model, name);
        const on = ordered(model.state.services.values(), ({ ID }) => ID).filter(({ Node }) => low(Node) === low(name));
        return found === null ? null : { Node: found, Services: on };
      },
    );
    add(
      `nodeChecks ${name}`,
      (store) => store.nodeChecks(name),
      (model) => checksOf(model, ({ Node }) => low(Node) === low(name)),
    );
    add(
      `nodeSessions ${name}`,
      (store) => store.nodeSessions(name),
      (model) => ordered(model.state.sessions.values(), ({ ID }) => ID).filter(({ Node }) => low(Node) === low(name)),
    );
    add(
      `coordinates ${name}`,
      (store) => store.coordinates(name),
      (model) =>
        ordered(model.state.coordinates.values(), ({ Segment }) => Segment).filter(
          ({ Node }) => low(Node) === low(name),
        ),
    );
  }
  add(
    "services",
    (store) => store.services(),
    (model) => names(model),
  );
  add(
    "serviceInstances",
    (store) => store.serviceInstances(),
    (model) =>
      ordered(
        model.state.services.values(),
        ({ Service }) => Service,
        ({ Node }) => Node,
        ({ ID }) => ID,
      ).map((Service) => ({ Node: nodeNamed(model, Service.Node), Service })),
  );
  for (const name of [...SERVICES, "WEB", "proxy", "never"]) {
    for (const connect of [false, true]) {
      add(
        `serviceNodes ${name} ${connect}`,
        (store) => store.serviceNodes(name, { connect }),
        (model) => instances(model, name, connect, []),
      );
      add(
        `healthService ${name} ${connect}`,
        (store) => store.healthService(name, { connect }),
        (model) => health(model, name, connect),
      );
    }
    add(
      `serviceNodes ${name} tagged`,
      (store) => store.serviceNodes(name, { tags: ["V1", "v2"] }),
      (model) => instances(model, name, false, ["v1", "v2"]),
    );
    add(
      `serviceChecks ${name}`,
      (store) => store.serviceChecks(name),
      (model) => checksOf(model, ({ ServiceName }) => low(ServiceName) === low(name)),
    );
    add(
      `configEntry ${name}`,
      (store) => store.configEntry("service-defaults", name),
      (model) => model.state.config.get(`service-defaults|${low(name)}`) ?? null,
    );
  }
  for (const address of ["10.0.0.0", "10.0.0.1"]) {
    add(
      `nodeByAddress ${address}`,
      (store) => store.nodeByAddress(address),
      (model) =>
        ordered(model.state.nodes.values(), ({ Node }) => Node).find(({ Address }) => Address === address) ?? null,
    );
  }
  add(
    "serviceByAddress",
    (store) => store.serviceByAddress("10.1.0.1"),
    (model) =>
      ordered(
        model.state.services.values(),
        ({ Node }) => Node,
        ({ ID }) => ID,
      ).find(({ Address }) => Address === "10.1.0.1") ?? null,
  );
  for (const state of ["passing", "warning", "critical", "odd"]) {
    add(
      `checksInState ${state}`,
      (store) => store.checksInState(state),
      (model) => checksOf(model, ({ Status }) => Status === state),
    );
  }
  add(
    "checksInState any",
    (store) => store.checksInState("any"),
    (model) => checksOf(model, () => true),
  );
  add(
    "sessions",
    (store) => store.sessions(),
    (model) => ordered(model.state.sessions.values(), ({ ID }) => ID),
  );
  for (const id of SESSIONS) {
    add(
      `session ${id}`,
      (store) => store.session(id),
      (model) => model.state.sessions.get(id) ?? null,
    );
  }
  add(
    "queries",
    (store) => store.queries(),
    (model) => ordered(model.state.queries.values(), ({ ID }) => ID),
  );
  for (const name of [...QUERIES, "find", "geo-", "geo-x", "other"]) {
    add(
      `queryResolve ${name}`,
      (store) => store.queryResolve(name),
      (model) => {
        const all = [...model.state.queries.values()];
        const byId = model.state.queries.get(name);
        const prefixed = all.filter((found) => found.Template.Type !== "" && name.startsWith(found.Name));
        const longest = prefixed.sort((a, b) => b.Name.length - a.Name.length)[0];
        const found = byId ?? all.find(({ Name }) => Name === name) ?? longest;
        return found === undefined
          ? null
          : { query: found, template: found.Template.Type !== "", byId: found === byId };
      },
    );
    add(
      `query ${name}`,
      (store) => store.query(name),
      (model) =>
        model.state.queries.get(name) ?? [...model.state.queries.values()].find(({ Name }) => Name === name) ?? null,
    );
  }
  for (const kind of ["service-defaults", null]) {
    add(
      `configEntries ${kind}`,
      (store) => store.configEntries(kind),
      (model) => ordered(model.state.config.values(), ({ Name }) => Name),
    );
  }
  add(
    "coordinates",
    (store) => store.coordinates(),
    (model) =>
      ordered(
        model.state.coordinates.values(),
        ({ Node }) => Node,
        ({ Segment }) => Segment,
      ),
  );
  return list;
}

/** What each question's waiter knows. */
interface Waiting {
  question: Question;
  text: string;
  read: Read<unknown>;
  woken: boolean;
}

/** Tables made from the changes alone. */
class Shadow {
  readonly tables: Map<string, Map<string, unknown>> = new Map();
  apply(changes: readonly Change[]): void {
    for (const { table, key, before, after } of changes) {
      const records = this.tables.get(table) ?? new Map<string, unknown>();
      this.tables.set(table, records);
      const known = records.get(key) ?? null;
      // Derived rows are made anew by a restore: equal, not the same.
      if (table === "service-names") assert.deepEqual(known, before, `${table} ${key}`);
      else assert.equal(known, before, `what was before is what the last change left: ${table} ${key}`);
      if (after === null) records.delete(key);
      else records.set(key, after);
    }
  }
  text(table: string): string {
    return canonical([...(this.tables.get(table) ?? new Map<string, unknown>()).values()].map(canonical).sort());
  }
}

function run(seed: number, steps: number): void {
  const next = random(seed);
  let store = new StateStore();
  const model = new Model();
  const generator = new Generator(next, store);
  const watches = new Watches();
  const shadow = new Shadow();
  const waiting: Waiting[] = questions().map((question) => {
    const read = question.ask(store);
    return { question, text: canonical(read.value), read, woken: false };
  });
  const wait = (waiter: Waiting): void => {
    waiter.woken = false;
    watches.add(waiter.read.topics, waiter.read.index, () => {
      waiter.woken = true;
    });
  };
  for (const waiter of waiting) wait(waiter);
  // Index 1 is never a command's: a log begins with its configuration.
  let index = 1;

  for (let step = 0; step < steps; step++) {
    index += 1 + next(2);
    const where = `seed ${seed}, step ${step}`;
    const hashBefore = store.hash();
    if (next(40) === 0) {
      store.apply(index, { type: "tombstone.reap", index: index - next(30) });
      checkAnswers(`${where}: a reap`, true);
      assert.equal(store.hash(), hashBefore, where);
      continue;
    }
    const command = freeze(generator.command());
    const { result, changes, topics } = store.apply(index, command);
    const expected = model.apply(index, command);
    const said = result.ok ? result.value : `refused: ${result.error.message}`;
    assert.equal(canonical(said), canonical(expected), `${where}: ${canonical(command)}`);
    freeze(changes);
    for (const change of changes) {
      for (const topic of topicsOf(change)) assert.ok(topics.includes(topic), `${where}: ${topic}`);
    }
    shadow.apply(changes);
    // More changes than one may undo each other in a transaction.
    const records = changes.filter(({ table }) => table !== "service-names").length;
    if (records < 2) assert.equal(store.hash() === hashBefore, records === 0, where);
    watches.notify(topics, index);
    checkAnswers(`${where}: ${canonical(command)}`, false);
    if (step % 50 === 49) checkTables(where);
    if (step % 100 === 99) checkRestore(where);
  }

  function checkAnswers(where: string, reap: boolean): void {
    for (const waiter of waiting) {
      const { name } = waiter.question;
      const before = waiter.read;
      const read = waiter.question.ask(store);
      const answer = canonical(read.value);
      assert.equal(answer, canonical(waiter.question.expect(model)), `${where}: ${name}`);
      assert.ok(read.index >= before.index, `${where}: ${name}: the index went back, ${before.index} to ${read.index}`);
      assert.equal(read.index, Math.max(...read.topics.map((topic) => store.topicIndex(topic))), `${where}: ${name}`);
      if (answer !== waiter.text) {
        assert.ok(waiter.woken, `${where}: ${name}: changed, and its waiter was not woken`);
        assert.equal(read.index, index, `${where}: ${name}: changed at this index`);
      } else if (!waiter.woken && !reap) {
        assert.equal(read.index, before.index, `${where}: ${name}: the index moved without a wake`);
      }
      waiter.read = read;
      waiter.text = answer;
      if (waiter.woken) wait(waiter);
    }
  }

  function checkTables(where: string): void {
    for (const [table, records] of Object.entries(model.state)) {
      const expected = canonical([...(records as Map<string, unknown>).values()].map(canonical).sort());
      assert.equal(shadow.text(table), expected, `${where}: the changes tell all of ${table}`);
    }
    const usage = store.usage().value;
    assert.equal(usage.nodes, model.state.nodes.size, where);
    assert.equal(usage.services, names(model).length, where);
    assert.equal(usage.serviceInstances, model.state.services.size, where);
    assert.equal(usage.checks, model.state.checks.size, where);
    assert.equal(usage.sessions, model.state.sessions.size, where);
    assert.equal(usage.kvEntries, model.state.kv.size, where);
    const typical = [...model.state.services.values()].filter(({ Kind }) => Kind === "");
    assert.equal(usage.billableServiceInstances, typical.length, where);
    assert.equal(
      usage.connectServiceInstances.get("connect-proxy") ?? 0,
      model.state.services.size - typical.length,
      where,
    );
  }

  function checkRestore(where: string): void {
    const records = [...store.snapshot().records()];
    const restored = StateStore.restore(structuredClone(records));
    assert.equal(restored.hash(), store.hash(), where);
    assert.equal(restored.lastIndex, store.lastIndex, where);
    assert.equal(canonical([...restored.snapshot().records()]), canonical(records), where);
    for (const { question } of waiting) {
      const [a, b] = [question.ask(restored), question.ask(store)];
      assert.equal(
        canonical([a.value, a.index, a.topics]),
        canonical([b.value, b.index, b.topics]),
        `${where}: ${question.name}`,
      );
    }
    // Go on with the restored one: it must behave as the first, and its records are others.
    store = restored;
    generator.store = restored;
    shadow.tables.clear();
    for (const record of restored.snapshot().records()) {
      if (!("record" in record)) continue;
      const table = shadow.tables.get(record.table) ?? new Map<string, unknown>();
      shadow.tables.set(record.table, table);
      table.set(keyIn(record.table, record.record as unknown as Record<string, string>), record.record);
    }
    const derived = new Map<string, unknown>();
    shadow.tables.set("service-names", derived);
    for (const [Name, Tags] of restored.services().value) derived.set(low(Name), { Name, Tags });
  }
}

function keyIn(table: string, record: Record<string, string>): string {
  const fold = (name: string | undefined): string => low(name ?? "");
  switch (table) {
    case "kv":
      return record["Key"]!;
    case "nodes":
      return fold(record["Node"]);
    case "services":
      return `${fold(record["Node"])}\u0000${fold(record["ID"])}`;
    case "checks":
      return `${fold(record["Node"])}\u0000${fold(record["CheckID"])}`;
    case "config":
      return `${record["Kind"]}\u0000${fold(record["Name"])}`;
    case "coordinates":
      return `${fold(record["Node"])}\u0000${fold(record["Segment"])}`;
    default:
      return fold(record["ID"]);
  }
}

for (const seed of [1, 2, 3, 4, 5, 6]) {
  test(`the store under random commands, seed ${seed}: answers, indexes, wake-ups, changes and snapshots hold`, () => {
    run(seed, 250);
  });
}
