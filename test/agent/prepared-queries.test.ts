// Failover of prepared queries between datacenters that answer, hang and fail, on virtual time.
import assert from "node:assert/strict";
import { test } from "node:test";
import { executeQuery, failoverOf } from "../../src/agent/prepared-queries.ts";
import type { FailoverResult } from "../../src/endpoint/failover.ts";
import type { QueryExecution } from "../../src/endpoint/query.ts";
import type { Answer, QueryOptions } from "../../src/rpc/authority.ts";
import type { Route } from "../../src/rpc/route.ts";
import type { Router } from "../../src/rpc/router.ts";
import type { InstanceHealth } from "../../src/state/read.ts";
import { OperationalError } from "../../src/types/error.ts";
import type { PreparedQuery } from "../../src/types/records.ts";
import { recordingLogger, VirtualTime } from "./local-fixture.ts";

/** What a datacenter does when it is asked: after so many milliseconds, with so many instances or an error. */
type Behaviour = { afterMs: number; instances: number } | { afterMs: number; error: string };

const query = (parts: Partial<PreparedQuery["Service"]["Failover"]>): PreparedQuery =>
  ({
    Name: "web",
    Service: { Service: "web", Failover: { NearestN: 0, Datacenters: null, Targets: null, ...parts } },
  }) as unknown as PreparedQuery;

const instances = (datacenter: string, count: number): InstanceHealth[] =>
  Array.from({ length: count }, (_none, at) => ({
    Node: { Node: `${datacenter}-${at}` },
  })) as unknown as InstanceHealth[];

const answerOf = <R>(value: R): Answer<R> => ({
  shared: { read: { value, index: 7, topics: [] }, fresh: true, encodings: new Map() },
  index: 7,
  knownLeader: true,
  lastContactMs: 0,
});

class Datacenters {
  readonly time = new VirtualTime();
  readonly asked: [number, string][] = [];
  readonly log = recordingLogger();
  readonly silent = new Set<string>();
  readonly #behaviours: Record<string, Behaviour>;

  constructor(behaviours: Record<string, Behaviour>) {
    this.#behaviours = behaviours;
  }

  /** Runs the walk of a server of dc1 to its end, and says when that was. */
  async walk(failover: Partial<PreparedQuery["Service"]["Failover"]>): Promise<FailoverResult & { atMs: number }> {
    const { time, asked } = this;
    const router = {
      datacenter: "dc1",
      datacenters: () => ["dc1", ...Object.keys(this.#behaviours)],
      isSilent: (datacenter: string) => this.silent.has(datacenter),
      query: (datacenter: string) => {
        asked.push([time.now(), datacenter]);
        const behaviour = this.#behaviours[datacenter] as Behaviour;
        return new Promise((resolve, reject) => {
          time.timers.after(behaviour.afterMs, () => {
            if ("error" in behaviour) reject(new OperationalError("unreachable", behaviour.error));
            else resolve(answerOf(instances(datacenter, behaviour.instances)));
          });
        });
      },
    } as unknown as Router;
    const walk = failoverOf({ router, timers: time.timers, logger: this.log.logger });
    const results: (FailoverResult & { atMs: number })[] = [];
    void walk({ query: query(failover), connect: false, stale: true }).then((found) => {
      results.push({ ...found, atMs: time.now() });
    });
    for (let turn = 0; results.length === 0 && turn < 1000; turn += 1) await time.advance(10);
    const [result] = results;
    assert.ok(result !== undefined, "the walk has ended");
    return result;
  }
}

test("failover: the nearest datacenter that has instances gives the answer, and no other is asked", async () => {
  const world = new Datacenters({
    dc2: { afterMs: 40, instances: 0 },
    dc3: { afterMs: 40, instances: 2 },
    dc4: { afterMs: 1, instances: 9 },
  });
  const { datacenter, failovers, nodes, atMs } = await world.walk({ NearestN: 3 });
  assert.deepEqual({ datacenter, failovers, count: nodes.length }, { datacenter: "dc3", failovers: 2, count: 2 });
  assert.deepEqual(
    world.asked.map(([, name]) => name),
    ["dc2", "dc3"],
  );
  assert.ok(atMs < 200, `${atMs} ms`);
});

test("failover: a datacenter that fails is passed over at once, and the log says why", async () => {
  const world = new Datacenters({
    dc2: { afterMs: 5, error: "link dc1-dc2 is cut" },
    dc3: { afterMs: 5, instances: 1 },
  });
  const { datacenter, atMs } = await world.walk({ Datacenters: ["dc2", "dc3"] });
  assert.equal(datacenter, "dc3");
  assert.ok(atMs < 100, `${atMs} ms`);
  assert.match(world.log.lines.join("\n"), /^warn a prepared query .* datacenter=dc2 error=link dc1-dc2 is cut$/);
});

test("failover: one that hangs costs half a second; the next is asked meanwhile", async () => {
  const world = new Datacenters({ dc2: { afterMs: 60_000, instances: 5 }, dc3: { afterMs: 20, instances: 1 } });
  const { datacenter, failovers, atMs } = await world.walk({ NearestN: 2 });
  assert.deepEqual({ datacenter, failovers }, { datacenter: "dc3", failovers: 2 });
  assert.ok(atMs >= 500 && atMs < 600, `${atMs} ms`);
});

test("failover: one that was silent before gets no head start, and still counts when it answers again", async () => {
  const world = new Datacenters({ dc2: { afterMs: 60_000, instances: 5 }, dc3: { afterMs: 20, instances: 1 } });
  world.silent.add("dc2");
  const { datacenter, atMs } = await world.walk({ NearestN: 2 });
  assert.equal(datacenter, "dc3");
  assert.ok(atMs < 100, `${atMs} ms`);
  const back = new Datacenters({ dc2: { afterMs: 5, instances: 5 }, dc3: { afterMs: 20, instances: 1 } });
  back.silent.add("dc2");
  assert.equal((await back.walk({ NearestN: 2 })).datacenter, "dc2");
});

test("failover: one that is only slow still counts when nobody else has any", async () => {
  const world = new Datacenters({ dc2: { afterMs: 900, instances: 5 }, dc3: { afterMs: 20, instances: 0 } });
  assert.equal((await world.walk({ NearestN: 2 })).datacenter, "dc2");
});

test("failover: nowhere else either, and everybody silent: the own datacenter's nothing, within four seconds", async () => {
  const none = new Datacenters({ dc2: { afterMs: 5, instances: 0 }, dc3: { afterMs: 5, error: "gone" } });
  const { datacenter, failovers, nodes } = await none.walk({ NearestN: 2 });
  assert.deepEqual({ datacenter, failovers, nodes }, { datacenter: "dc1", failovers: 2, nodes: [] });
  const silent = new Datacenters({ dc2: { afterMs: 60_000, instances: 1 } });
  const late = await silent.walk({ NearestN: 1 });
  assert.deepEqual({ datacenter: late.datacenter, nodes: late.nodes }, { datacenter: "dc1", nodes: [] });
  assert.ok(late.atMs >= 4000 && late.atMs < 4100, `${late.atMs} ms`);
});

const options: QueryOptions = { consistency: "default", index: 0, waitMs: 0 };
const args = { idOrName: "web", near: "", agent: "n1", connect: false };

function routeWith(execution: Partial<QueryExecution>, failover: () => FailoverResult): Route {
  const whole = { query: query({ NearestN: 1 }), nodes: [], sorted: true, elsewhere: null, ...execution };
  return { query: () => answerOf(whole), local: failover } as unknown as Route;
}

test("a query that finds instances, or names no other datacenter, is answered at once and asks nobody", () => {
  const nobody = (): never => assert.fail("nobody is asked");
  const here = executeQuery(routeWith({ nodes: instances("dc1", 1) }, nobody), args, options, "");
  assert.ok(!(here instanceof Promise));
  assert.equal(here.shared.read.value.elsewhere, null);
  assert.ok(!(executeQuery(routeWith({ query: query({}) }, nobody), args, options, "") instanceof Promise));
});

test("a query that finds nothing has the instances of elsewhere, of which nobody here vouches that they stay", async () => {
  const elsewhere: FailoverResult = { datacenter: "dc2", failovers: 1, nodes: instances("dc2", 2) };
  const { shared, index } = await executeQuery(
    routeWith({}, () => elsewhere),
    args,
    options,
    "",
  );
  const { nodes, sorted, elsewhere: where } = shared.read.value;
  assert.deepEqual(
    { nodes, sorted, where, index },
    { nodes: elsewhere.nodes, sorted: false, where: { datacenter: "dc2", failovers: 1 }, index: 7 },
  );
  assert.equal(shared.fresh, false);
});
