// Anti-entropy against a catalog with faults, on virtual time.
import assert from "node:assert/strict";
import { test } from "node:test";
import { AntiEntropy } from "../../src/agent/anti-entropy.ts";
import type { NodeIdentity, SyncTokens } from "../../src/agent/catalog-diff.ts";
import { LocalState } from "../../src/agent/local-state.ts";
import { OperationalError } from "../../src/types/error.ts";
import { Random } from "../../src/util/random.ts";
import { FakeCatalog, gate } from "./fake-catalog.ts";
import { check, recordingLogger, service, settle, VirtualTime } from "./local-fixture.ts";

const noLeader = (): never => {
  throw new OperationalError("no-leader", "No cluster leader");
};
const denied = (): never => {
  throw new OperationalError("permission-denied", "Permission denied");
};

class World {
  readonly time = new VirtualTime();
  readonly catalog = new FakeCatalog();
  readonly local = new LocalState({ nodeName: "n1" });
  readonly log = recordingLogger();
  readonly bugs: unknown[] = [];
  identity: NodeIdentity = {
    ID: "id-1",
    Node: "n1",
    Address: "127.0.0.1",
    Datacenter: "dc1",
    TaggedAddresses: { lan: "127.0.0.1" },
    Meta: null,
  };
  readonly sync: AntiEntropy;

  constructor(tokens: SyncTokens = { agent: "", user: "", configFile: "" }, seed = 1) {
    this.sync = new AntiEntropy({
      local: this.local,
      identity: () => this.identity,
      catalog: this.catalog,
      tokens,
      platform: this.time,
      timers: this.time.timers,
      random: new Random(seed),
      logger: this.log.logger,
      failed: (error) => this.bugs.push(error),
    });
  }

  async started(): Promise<this> {
    this.sync.start();
    await settle();
    return this;
  }

  /** Asserts that the catalog has exactly what is here. */
  agrees(): void {
    assert.deepEqual(
      [...this.catalog.services.keys()].filter((id) => id !== "consul").sort(),
      [...this.local.services.keys()].sort(),
    );
    for (const [id, { service }] of this.local.services)
      assert.equal(this.catalog.services.get(id)?.Port, service.Port, id);
    const ids = [...this.catalog.checks.keys()].filter((id) => id !== "serfHealth");
    assert.deepEqual(ids.sort(), [...this.local.checks.keys()].sort());
    for (const [id, { check }] of this.local.checks) {
      const remote = this.catalog.checks.get(id);
      assert.deepEqual(
        [remote?.Status, remote?.Output, remote?.ServiceID],
        [check.Status, check.Output, check.ServiceID],
        id,
      );
    }
    assert.deepEqual(this.bugs, []);
  }
}

test("start: everything goes, a service with its checks, and is quiet then", async () => {
  const world = new World({ agent: "a", user: "u", configFile: "" });
  world.local.addService(service({ Name: "web", Check: { TTL: "1s" } }));
  world.local.addCheck(check({ Name: "mem", TTL: "1s" }), "own", "remote");
  await world.started();
  assert.deepEqual(world.catalog.taken(), [
    "services?",
    "checks?",
    "+ node by a",
    "+ web /service:web by u",
    "+ node /mem by own",
  ]);
  world.agrees();
  assert.deepEqual(world.log.lines, [
    "info Synced node info",
    "info Synced service service=web",
    "info Synced check check=mem",
  ]);
  await world.time.advance(59_000);
  assert.deepEqual(world.catalog.taken(), []);
  await world.time.advance(61_000);
  assert.deepEqual(world.catalog.taken(), ["services?", "checks?"]);
});

test("changes: a registration goes at once and whole, a state too, an output when its time has come", async () => {
  const world = await new World().started();
  world.catalog.taken();
  world.local.addService(service({ Name: "web", Checks: [{ TTL: "1s" }, { TTL: "2s" }] }));
  await settle();
  assert.deepEqual(world.catalog.taken(), ["+ web /service:web:1 /service:web:2"]);
  world.local.updateCheck("service:web:1", "passing", "ok", "now");
  await settle();
  assert.deepEqual(world.catalog.taken(), ["+ web /service:web:1"]);
  world.local.updateCheck("service:web:1", "passing", "new", "deferred");
  await settle();
  assert.deepEqual(world.catalog.taken(), []);
  // A comparison does not send what waits.
  await world.time.advance(120_000);
  assert.deepEqual(world.catalog.taken(), ["services?", "checks?"]);
  world.local.updateCheck("service:web:1", "passing", "new", "now");
  await settle();
  assert.deepEqual(world.catalog.taken(), ["+ web /service:web:1"]);
  world.agrees();
});

test("removals: they go at once, and what the catalog has too much at the next comparison", async () => {
  const world = new World();
  world.local.addService(service({ Name: "web", Check: { TTL: "1s" } }));
  await world.started();
  const web = world.catalog.services.get("web");
  const own = world.catalog.checks.get("service:web");
  assert.ok(web !== undefined && own !== undefined);
  world.catalog.services.set("consul", { ...web, ID: "consul", Service: "consul" });
  world.catalog.services.set("old", { ...web, ID: "old" });
  world.catalog.checks.set("serfHealth", { ...own, CheckID: "serfHealth", ServiceID: "" });
  world.catalog.checks.set("old", { ...own, CheckID: "old", ServiceID: "old" });
  world.catalog.checks.set("stray", { ...own, CheckID: "stray", ServiceID: "" });
  world.catalog.taken();
  await world.time.advance(120_000);
  assert.deepEqual(world.catalog.taken(), ["services?", "checks?", "- old", "- /stray"]);
  world.local.removeService("web");
  await settle();
  assert.deepEqual(world.catalog.taken(), ["- web"]);
  assert.deepEqual(
    [[...world.catalog.services.keys()], [...world.catalog.checks.keys()]],
    [["consul"], ["serfHealth"]],
  );
  assert.deepEqual([world.local.removedServices.size, world.local.removedChecks.size], [0, 0]);
});

test("repair: what others change in the catalog is put right", async () => {
  const world = new World();
  world.local.addService(service({ Name: "web", Port: 80, Check: { TTL: "1s" } }));
  await world.started();
  (world.catalog.services.get("web") as { Port: number }).Port = 1;
  world.catalog.checks.delete("service:web");
  world.catalog.taken();
  await world.time.advance(120_000);
  assert.deepEqual(world.catalog.taken(), ["services?", "checks?", "+ web /service:web"]);
  world.agrees();
  world.catalog.node = null;
  world.catalog.services.clear();
  world.catalog.checks.clear();
  await world.time.advance(120_000);
  world.agrees();
  assert.equal(world.catalog.node?.["Address"], "127.0.0.1");
});

test("node: a change of its information goes at once", async () => {
  const world = await new World().started();
  world.catalog.taken();
  world.identity = { ...world.identity, Meta: { rack: "r2" } };
  world.sync.nodeChanged();
  await settle();
  assert.deepEqual(world.catalog.taken(), ["+ node"]);
  assert.deepEqual(world.catalog.node?.Meta, { rack: "r2" });
});

test("node: what changes while it is sent is sent again", async () => {
  const world = new World();
  const held = gate();
  world.catalog.fault = (call) => (call === "+ node" ? held.opened : undefined);
  await world.started();
  world.identity = { ...world.identity, Meta: { rack: "r3" } };
  world.sync.nodeChanged();
  held.open();
  await settle();
  assert.deepEqual(world.catalog.node?.Meta, { rack: "r3" });
});

test("node: when an ACL forbids it, it is tried once for each comparison", async () => {
  const world = new World();
  world.catalog.fault = (call) => (call === "+ node" ? denied() : undefined);
  await world.started();
  world.local.addService(service({ Name: "a" }));
  await settle();
  assert.deepEqual(world.catalog.taken(), ["services?", "checks?", "+ node", "+ a"]);
  assert.ok(world.log.lines.includes("warn Node info update blocked by ACLs"));
});

test("tags: with EnableTagOverride the catalog's are taken over and kept", async () => {
  const world = new World();
  world.local.addService(service({ Name: "web", Tags: ["a"], EnableTagOverride: true, Check: { TTL: "1s" } }));
  await world.started();
  (world.catalog.services.get("web") as { Tags: string[] }).Tags = ["z"];
  world.catalog.taken();
  let heard = 0;
  world.local.watchService("web", () => (heard += 1));
  await world.time.advance(120_000);
  assert.deepEqual(world.catalog.taken(), ["services?", "checks?"]);
  assert.deepEqual([world.local.requireService("web").service.Tags, heard], [["z"], 1]);
  world.local.updateCheck("service:web", "passing", "", "now");
  await settle();
  assert.deepEqual(world.catalog.services.get("web")?.Tags, ["z"]);
});

test("failure: it is tried again 15 to 30 seconds later, and the rest is sent meanwhile", async () => {
  const world = new World();
  world.local.addService(service({ Name: "a" }));
  world.local.addService(service({ Name: "b" }));
  world.catalog.fault = (call) => (call === "+ a" ? noLeader() : undefined);
  await world.started();
  assert.deepEqual(world.catalog.taken(), ["services?", "checks?", "+ node", "+ a", "+ b"]);
  assert.ok(world.log.lines.includes("warn Syncing service failed. service=a error=No cluster leader"));
  world.catalog.fault = () => {};
  await world.time.advance(14_999);
  assert.deepEqual(world.catalog.taken(), []);
  await world.time.advance(15_001);
  assert.deepEqual(world.catalog.taken(), ["services?", "checks?", "+ a"]);
  world.agrees();
});

test("failure: without a leader nothing is sent, and a server that appears ends the wait", async () => {
  const world = new World();
  world.local.addService(service({ Name: "a" }));
  world.catalog.fault = noLeader;
  await world.started();
  assert.deepEqual(world.catalog.taken(), ["services?"]);
  assert.ok(world.log.lines.some((line) => line.startsWith("error failed to sync remote state")));
  world.catalog.fault = () => {};
  world.sync.serverUp();
  await world.time.advance(3000);
  world.agrees();
});

test("failure: when the node cannot be registered, nothing of it is", async () => {
  const world = new World();
  world.local.addService(service({ Name: "a" }));
  world.catalog.fault = (call) => (call === "+ node" ? noLeader() : undefined);
  await world.started();
  assert.deepEqual(world.catalog.taken(), ["services?", "checks?", "+ node"]);
});

test("ACL: what is forbidden is tried once for each comparison", async () => {
  const world = new World();
  world.local.addService(service({ Name: "a" }));
  world.local.addService(service({ Name: "b" }));
  await world.started();
  world.catalog.fault = (call) => (/^[+-] a/.test(call) ? denied() : undefined);
  world.catalog.taken();
  world.local.addService(service({ Name: "a", Port: 1 }));
  await settle();
  world.local.addService(service({ Name: "b", Port: 1 }));
  await settle();
  assert.deepEqual(world.catalog.taken(), ["+ a", "+ b"]);
  assert.ok(world.log.lines.includes("warn Service registration blocked by ACLs service=a"));
  await world.time.advance(120_000);
  assert.deepEqual(world.catalog.taken(), ["services?", "checks?", "+ a"]);
  world.local.removeService("a");
  await settle();
  world.local.removeService("b");
  await settle();
  assert.deepEqual(world.catalog.taken(), ["- a", "- b"]);
  await world.time.advance(120_000);
  assert.deepEqual(world.catalog.taken(), ["services?", "checks?", "- a"]);
  world.catalog.fault = () => {};
  await world.time.advance(120_000);
  world.agrees();
  assert.equal(world.local.removedServices.size, 0);
});

test("races: what changes while it is sent is sent again", async () => {
  const world = new World();
  world.local.addService(service({ Name: "web", Check: { TTL: "1s" } }));
  const held = gate();
  world.catalog.fault = (call) => (call.startsWith("+ web") ? held.opened : undefined);
  await world.started();
  world.local.updateCheck("service:web", "passing", "later", "now");
  world.local.addService(service({ Name: "web", Port: 99 }));
  held.open();
  await settle();
  world.agrees();
  assert.equal(world.catalog.services.get("web")?.Port, 99);
});

test("races: what changes while the catalog is asked is not taken to be in sync", async () => {
  const world = new World();
  world.local.addService(service({ Name: "web", Port: 1 }));
  await world.started();
  const held = gate();
  world.catalog.fault = (call) => (call === "checks?" ? held.opened : undefined);
  await world.time.advance(120_000);
  world.local.addService(service({ Name: "new" }));
  world.local.addService(service({ Name: "web", Port: 2 }));
  held.open();
  await settle();
  world.agrees();
});

test("races: a service that comes back while it is removed stays", async () => {
  const world = new World();
  world.local.addService(service({ Name: "web" }));
  await world.started();
  const held = gate();
  world.catalog.fault = (call) => (call === "- web" ? held.opened : undefined);
  world.local.removeService("web");
  await settle();
  world.local.addService(service({ Name: "web", Port: 5 }));
  held.open();
  await settle();
  world.agrees();
});

test("pause: changes made together go together", async () => {
  const world = await new World().started();
  world.catalog.taken();
  const held = gate();
  const done = world.sync.paused(() => {
    world.local.addService(service({ Name: "a" }));
    return held.opened.then(() => 7);
  });
  held.open();
  assert.equal(await done, 7);
  await settle();
  assert.deepEqual(world.catalog.taken(), ["+ a"]);
  assert.throws(() => world.sync.paused(() => noLeader()), OperationalError);
  world.local.addService(service({ Name: "b" }));
  await settle();
  assert.deepEqual(world.catalog.taken(), ["+ b"]);
});

test("stop: nothing is sent any more", async () => {
  const world = new World();
  for (const name of ["a", "b", "c"]) world.local.addService(service({ Name: name }));
  const held = gate();
  world.catalog.fault = (call) => (call === "+ b" ? held.opened : undefined);
  await world.started();
  world.sync.stop();
  held.open();
  await world.time.advance(600_000);
  world.local.addService(service({ Name: "d" }));
  await settle();
  assert.deepEqual(world.catalog.taken(), ["services?", "checks?", "+ node", "+ a", "+ b"]);
  assert.equal(world.time.timers.pending, 0);
});

test("a bug in the client is told and ends nothing", async () => {
  const world = new World();
  world.catalog.fault = () => {
    throw new TypeError("x is not a function");
  };
  await world.started();
  assert.equal(world.bugs.length, 1);
  world.bugs.length = 0;
  world.catalog.fault = () => {};
  await world.time.advance(30_000);
  world.agrees();
});

test("whatever happens, the catalog agrees once the faults have ended", async () => {
  for (let seed = 1; seed <= 30; seed += 1) {
    const random = new Random(seed);
    const world = new World(undefined, seed);
    world.catalog.fault = async () => {
      for (let turns = random.below(4); turns > 0; turns -= 1) await Promise.resolve();
      const chance = random.below(10);
      if (chance === 0) noLeader();
      if (chance === 1) denied();
    };
    await world.started();
    for (let step = 0; step < 150; step += 1) {
      const id = `s${random.below(4)}`;
      const checkId = `c${random.below(4)}`;
      switch (random.below(7)) {
        case 0:
          world.local.addService(service({ Name: id, Port: random.below(100) + 1, Check: { TTL: "1s" } }));
          break;
        case 1:
          if (world.local.services.has(id)) world.local.removeService(id);
          break;
        case 2:
          world.local.addCheck(check({ Name: checkId, TTL: "1s" }), "", "remote");
          break;
        case 3:
          if (world.local.checks.has(checkId)) world.local.removeCheck(checkId);
          break;
        case 4:
          world.local.updateCheck(`service:${id}`, random.below(2) === 0 ? "passing" : "warning", `${step}`, "now");
          break;
        case 5:
          world.local.updateCheck(checkId, "passing", `${step}`, "now");
          break;
        default:
          await world.time.advance(random.below(40_000));
      }
      for (let turns = random.below(8); turns > 0; turns -= 1) await Promise.resolve();
    }
    world.catalog.fault = () => {};
    // A failure is mended within 30 seconds, what an ACL forbade at the next comparison.
    await world.time.advance(300_000);
    world.agrees();
    assert.equal(world.local.removedServices.size + world.local.removedChecks.size, 0);
  }
});
