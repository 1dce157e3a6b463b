// The runner of checks: scheduler, local state and a fake platform together, on virtual time.
import assert from "node:assert/strict";
import { test } from "node:test";
import { type AliasQuery, CheckRunner, type CheckRunnerOptions } from "../../src/agent/check-runner.ts";
import { LocalState } from "../../src/agent/local-state.ts";
import type { AliasedCheck } from "../../src/check/alias.ts";
import { OperationalError } from "../../src/types/error.ts";
import type { CheckStatus } from "../../src/types/records.ts";
import { Random } from "../../src/util/random.ts";
import { changesOf, check, recordingLogger, service, settle, VirtualTime } from "./local-fixture.ts";

class World {
  readonly time = new VirtualTime();
  readonly local = new LocalState({ nodeName: "n1" });
  readonly log = recordingLogger();
  readonly bugs: unknown[] = [];
  readonly fetched: Request[] = [];
  readonly renewed: string[] = [];
  answer: (request: Request) => Promise<Response> = async () => new Response("ok");
  readonly runner: CheckRunner;

  constructor(more: Partial<CheckRunnerOptions> = {}, prepare: (local: LocalState) => void = () => {}) {
    prepare(this.local);
    this.runner = new CheckRunner({
      local: this.local,
      platform: {
        now: () => this.time.now(),
        wall: () => this.time.now(),
        fetch: (request) => {
          this.fetched.push(request);
          return this.answer(request);
        },
      },
      timers: this.time.timers,
      random: new Random(1),
      logger: this.log.logger,
      updateIntervalMs: 300_000,
      renewed: (id, status, output, ttlMs) => this.renewed.push(`${id} ${status} ${output} ${ttlMs}`),
      failed: (error) => this.bugs.push(error),
      ...more,
    });
  }

  shows(id: string): [CheckStatus, string] {
    const { Status, Output } = this.local.requireCheck(id).check;
    return [Status, Output];
  }
}

const http = { ID: "h", Name: "h", HTTP: "http://svc/", Interval: "10s", Timeout: "2s" };

test("http: it runs within the interval, then once in each", async () => {
  const world = new World();
  world.local.addCheck(check(http), "", "remote");
  await world.time.advance(10_000);
  assert.equal(world.fetched.length, 1);
  assert.deepEqual(world.shows("h"), ["passing", "HTTP GET http://svc/: 200 OK Output: ok"]);
  await world.time.advance(100_000);
  assert.equal(world.fetched.length, 11);
  world.answer = async () => new Response("down", { status: 503 });
  const changes = changesOf(world.local);
  await world.time.advance(10_000);
  assert.deepEqual(changes, [
    'check-status h critical "HTTP GET http://svc/: 503 Service Unavailable Output: down" now changed',
  ]);
  assert.ok(world.log.lines.includes("warn Check is now critical check=h"));
  assert.deepEqual(world.bugs, []);
});

test("http: a run that hangs ends by its timeout, and the next comes an interval later", async () => {
  const world = new World();
  world.answer = () => new Promise(() => {});
  world.local.addCheck(check(http), "", "remote");
  await world.time.advance(60_000);
  assert.ok(world.fetched.length >= 5 && world.fetched.length <= 6, `${world.fetched.length}`);
  assert.deepEqual(world.shows("h"), ["critical", 'Get "http://svc/": no answer within 2s']);
  assert.ok(world.fetched.slice(0, -1).every(({ signal }) => signal.aborted));
});

test("checks that are there already run too", async () => {
  const world = new World({}, (local) => local.addCheck(check(http), "", "local"));
  await world.time.advance(10_000);
  assert.equal(world.fetched.length, 1);
});

test("removal: a run under way is ended, and what it would have said is not heard", async () => {
  const world = new World();
  world.answer = () => new Promise(() => {});
  world.local.addCheck(check({ ...http, Timeout: "1m" }), "", "remote");
  await world.time.advance(9_900);
  assert.deepEqual([world.fetched.length, world.fetched[0]?.signal.aborted], [1, false]);
  world.local.removeCheck("h");
  assert.equal(world.fetched[0]?.signal.aborted, true);
  world.local.addCheck(check({ ...http, HTTP: "http://other/" }), "", "remote");
  await world.time.advance(0);
  assert.deepEqual(world.shows("h"), ["critical", ""]);
  await world.time.advance(10_000);
  assert.equal(world.fetched[1]?.url, "http://other/");
});

test("ttl: the application's word counts, until it is too old", async () => {
  const world = new World();
  world.local.addService(service({ Name: "web", Check: { TTL: "15s" } }));
  world.runner.updateTtl("service:web", "passing", "fine");
  assert.deepEqual(world.shows("service:web"), ["passing", "fine"]);
  assert.deepEqual(world.renewed, ["service:web passing fine 15000"]);
  await world.time.advance(15_000);
  assert.deepEqual(world.shows("service:web"), ["critical", "TTL expired (last output before timeout follows): fine"]);
  assert.throws(() => world.runner.updateTtl("none", "passing", ""), {
    code: "not-found",
    message: /^Unknown check ID "none"/,
  });
  world.local.addCheck(check(http), "", "remote");
  assert.throws(() => world.runner.updateTtl("h", "passing", ""), {
    code: "refused",
    message: 'CheckID "h" does not have associated TTL',
  });
  world.local.enableNodeMaintenance("", "");
  assert.throws(() => world.runner.updateTtl("_node_maintenance", "passing", ""), { code: "refused" });
});

test("output: a new one is shown at once, and told of as deferred", async () => {
  const world = new World();
  world.local.addCheck(check({ Name: "t", TTL: "1h", Status: "passing" }), "", "remote");
  const changes = changesOf(world.local);
  world.runner.updateTtl("t", "passing", "1");
  await world.time.advance(450_000);
  assert.deepEqual(changes, ['check-status t passing "1" deferred', 'check-status t passing "1" now']);
});

test("deregister: a service that stays critical is removed with its checks", async () => {
  const world = new World();
  const body = { Name: "web", Checks: [{ TTL: "1s", DeregisterCriticalServiceAfter: "1m" }, { TTL: "1h" }] };
  world.local.addService(service(body));
  world.local.addService(service({ Name: "db", Check: { TTL: "1s" } }));
  await world.time.advance(120_000);
  assert.deepEqual([[...world.local.services.keys()], [...world.local.checks.keys()]], [["db"], ["service:db"]]);
  assert.ok(
    world.log.lines.some(
      (line) => line.includes("Service removed") && line.includes("service=web check=service:web:1 timeout=1m0s"),
    ),
  );
  assert.deepEqual(world.bugs, []);
});

test("maintenance: its check is never run", async () => {
  const world = new World();
  world.local.enableNodeMaintenance("", "");
  await world.time.advance(100_000);
  assert.deepEqual(world.shows("_node_maintenance"), ["critical", ""]);
  assert.equal(world.time.timers.pending, 0);
});

test("alias: it follows a service of this node, and the node", async () => {
  const world = new World();
  world.local.addCheck(check({ Name: "a", AliasService: "web" }), "", "remote");
  assert.deepEqual(world.shows("a"), ["critical", "Service web could not be found on node "]);
  world.local.addService(service({ Name: "web" }));
  assert.deepEqual(world.shows("a"), ["passing", "No checks found."]);
  world.local.addCheck(check({ Name: "w", ServiceID: "web", TTL: "1h" }), "", "remote");
  assert.deepEqual(world.shows("a"), ["critical", 'Aliased check "w" failing: ']);
  world.runner.updateTtl("w", "warning", "hm");
  assert.deepEqual(world.shows("a"), ["warning", 'Aliased check "w" failing: hm']);
  world.runner.updateTtl("w", "passing", "");
  assert.deepEqual(world.shows("a"), ["passing", "All checks passing."]);
  world.local.addCheck(check({ Name: "n", TTL: "1h" }), "", "remote");
  assert.deepEqual(world.shows("a"), ["critical", 'Aliased check "n" failing: ']);
  world.local.removeCheck("n");
  assert.equal(world.shows("a")[0], "passing");
  world.local.addService(service({ Name: "db", Check: { TTL: "1h" } }));
  assert.equal(world.shows("a")[0], "passing");
  world.local.removeService("web");
  assert.equal(world.shows("a")[0], "critical");
  world.local.removeCheck("a");
  world.local.addService(service({ Name: "web" }));
  assert.deepEqual(world.bugs, []);
});

test("alias: aliases of each other come to rest, and do not quote one another for ever", async () => {
  const world = new World();
  world.local.addService(service({ Name: "a", Check: { CheckID: "a", Name: "a", AliasService: "b" } }));
  world.local.addService(service({ Name: "b", Check: { CheckID: "b", Name: "b", AliasService: "a" } }));
  world.local.addCheck(check({ Name: "t", ServiceID: "a", TTL: "1h" }), "", "remote");
  assert.deepEqual([world.shows("a")[0], world.shows("b")[0]], ["critical", "critical"]);
  assert.ok(world.shows("a")[1].length + world.shows("b")[1].length < 300);
  assert.deepEqual(world.bugs, []);
});

/** The catalog as an alias asks for it: each question waits until it is answered. */
class Questions implements AliasQuery {
  readonly asked: string[] = [];
  exists = true;
  reply: ((answer: { index: number; checks: AliasedCheck[] } | Error) => void) | null = null;
  nodeChecks(node: string, index: number, signal: AbortSignal): Promise<{ index: number; checks: AliasedCheck[] }> {
    this.asked.push(`${node}@${index}`);
    return new Promise((resolve, reject) => {
      signal.addEventListener("abort", () => reject(new Error("aborted")));
      this.reply = (answer) => (answer instanceof Error ? reject(answer) : resolve(answer));
    });
  }
  async hasService(): Promise<boolean> {
    return this.exists;
  }
}
const remote = (Status: CheckStatus): AliasedCheck => ({
  CheckID: "r",
  Name: "r",
  Output: "said",
  ServiceID: "web",
  Status,
});

test("alias: another node's checks are followed by blocking queries", async () => {
  const aliases = new Questions();
  const world = new World({ aliases });
  world.local.addCheck(check({ Name: "a", AliasNode: "n2", AliasService: "web" }), "", "remote");
  await settle();
  aliases.reply?.({ index: 5, checks: [remote("warning")] });
  await settle();
  assert.deepEqual(world.shows("a"), ["warning", 'Aliased check "r" failing: said']);
  aliases.reply?.({ index: 7, checks: [remote("passing")] });
  await settle();
  assert.deepEqual(world.shows("a"), ["passing", "All checks passing."]);
  // The catalog was restored: its index went back.
  aliases.exists = false;
  aliases.reply?.({ index: 3, checks: [] });
  await settle();
  assert.deepEqual(world.shows("a"), ["critical", "Service web could not be found on node n2"]);
  assert.deepEqual(aliases.asked, ["n2@0", "n2@5", "n2@7", "n2@0"]);
  world.local.removeCheck("a");
  await world.time.advance(120_000);
  assert.equal(aliases.asked.length, 4);
});

test("alias: one failure is passed over, the second shows; pauses double up to a minute", async () => {
  const aliases = new Questions();
  const world = new World({ aliases });
  world.local.addCheck(check({ Name: "a", AliasNode: "n2", AliasService: "web", Status: "passing" }), "", "remote");
  const at: number[] = [];
  for (let failure = 1; failure <= 9; failure += 1) {
    await settle();
    at.push(world.time.now());
    aliases.reply?.(new OperationalError("no-leader", "No cluster leader"));
    await settle();
    const shown =
      failure === 1 ? ["passing", ""] : ["critical", "Failure checking aliased node or service: No cluster leader"];
    assert.deepEqual(world.shows("a"), shown);
    const before = aliases.asked.length;
    while (aliases.asked.length === before) await world.time.advance(1000);
  }
  assert.deepEqual(at, [0, 1000, 3000, 7000, 15_000, 31_000, 63_000, 123_000, 183_000]);
  aliases.reply?.({ index: 1, checks: [remote("passing")] });
  await settle();
  assert.equal(world.shows("a")[0], "passing");
});

test("alias: without a catalog to ask it says so", () => {
  const world = new World();
  world.local.addCheck(check({ Name: "a", AliasNode: "n2" }), "", "remote");
  assert.deepEqual(world.shows("a"), [
    "critical",
    "Failure checking aliased node or service: this agent has no catalog to ask",
  ]);
});

test("stop: runs end, and nothing is left to wake for", async () => {
  const aliases = new Questions();
  const world = new World({ aliases });
  world.answer = () => new Promise(() => {});
  world.local.addCheck(check({ ...http, Timeout: "1m" }), "", "remote");
  world.local.addCheck(check({ Name: "a", AliasNode: "n2" }), "", "remote");
  world.local.addCheck(check({ Name: "t", TTL: "1h" }), "", "remote");
  await world.time.advance(9_900);
  assert.equal(world.fetched[0]?.signal.aborted, false);
  world.runner.stop();
  assert.equal(world.fetched[0]?.signal.aborted, true);
  await world.time.advance(3_600_000);
  world.local.updateCheck("t", "passing", "", "now");
  assert.equal(world.time.timers.pending, 0);
  assert.equal(aliases.asked.length, 1);
  assert.deepEqual(world.shows("t"), ["passing", ""]);
});
