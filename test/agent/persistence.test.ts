// What the agent remembers over a restart, with blobs in memory that can fail and be damaged.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { CheckRunner } from "../../src/agent/check-runner.ts";
import { LocalState } from "../../src/agent/local-state.ts";
import { agentChecks, agentServices } from "../../src/agent/local-view.ts";
import { LocalPersistence } from "../../src/agent/persistence.ts";
import { MemoryBlobs } from "../../src/host/memory-store.ts";
import { OperationalError } from "../../src/types/error.ts";
import { text, utf8 } from "../../src/util/bytes.ts";
import { Random } from "../../src/util/random.ts";
import { check, recordingLogger, service, settle, VirtualTime } from "./local-fixture.ts";

const sha256 = (id: string): string => createHash("sha256").update(id).digest("hex");

/** Blobs whose writes can be held or refused. */
class Disk extends MemoryBlobs {
  readonly written: string[] = [];
  fault: (name: string) => void | Promise<void> = () => {};
  override async write(name: string, bytes: Uint8Array): Promise<void> {
    await this.fault(name);
    this.written.push(name);
    await super.write(name, bytes);
  }
  override async delete(name: string): Promise<void> {
    await this.fault(name);
    await super.delete(name);
  }
}

/** An agent's local part on a disk; another one on the same disk is it restarted. */
class Agent {
  readonly time = new VirtualTime();
  readonly local = new LocalState({ nodeName: "n1", scriptChecks: { local: true, remote: true } });
  readonly log = recordingLogger();
  readonly persistence: LocalPersistence;
  runner: CheckRunner | null = null;

  constructor(disk: Disk, wallMs: number) {
    this.persistence = new LocalPersistence({
      platform: { blobs: disk, wall: () => wallMs + this.time.now() },
      logger: this.log.logger,
    });
  }

  static async start(
    disk: Disk,
    wallMs = 1_000_000,
    configure: (local: LocalState) => void = () => {},
  ): Promise<Agent> {
    const agent = new Agent(disk, wallMs);
    await agent.persistence.restore(agent.local, () => configure(agent.local));
    agent.runner = new CheckRunner({
      local: agent.local,
      platform: { wall: () => 0, now: () => agent.time.now(), fetch: async () => new Response("") },
      timers: agent.time.timers,
      random: new Random(1),
      logger: recordingLogger().logger,
      updateIntervalMs: 0,
      renewed: (...renewal) => agent.persistence.renewed(...renewal),
      failed: (error) => assert.fail(String(error)),
    });
    await agent.persistence.settled();
    return agent;
  }
}

const names = (disk: Disk): Promise<string[]> => disk.list("");
const shown = (agent: Agent): string => JSON.stringify([agentServices(agent.local, "dc1"), agentChecks(agent.local)]);

test("round trip: services and checks of every kind come back as they were", async () => {
  const disk = new Disk();
  const first = await Agent.start(disk);
  first.local.addService(
    service({
      ID: "web/1",
      Name: "web",
      Tags: ["a", "ä"],
      Address: "10.0.0.1",
      Port: 80,
      Meta: { constructor: "x" },
      Weights: { Passing: 3, Warning: 2 },
      EnableTagOverride: true,
      TaggedAddresses: { lan: { Address: "10.0.0.2", Port: 1 } },
      Locality: { Region: "r" },
      Checks: [
        { TTL: "15s" },
        {
          HTTP: "http://a/",
          Interval: "10s",
          Header: { A: ["1", "2"] },
          Method: "PUT",
          Body: "b",
          Notes: "n",
          FailuresBeforeCritical: 3,
        },
        { AliasService: "web/1", Name: "al" },
      ],
    }),
  );
  first.local.addService(
    service({
      Name: "proxy",
      Kind: "connect-proxy",
      Port: 1,
      Proxy: { DestinationServiceName: "web", Config: { a: 1 } },
    }),
  );
  for (const [name, body] of Object.entries({
    tcp: { TCP: "a:1", DeregisterCriticalServiceAfter: "90m" },
    script: { Args: ["a", "b"], OutputMaxSize: 9 },
    grpc: { GRPC: "a:1" },
    udp: { UDP: "a:1" },
    h2: { H2PING: "a:1" },
    os: { OSService: "w" },
    docker: { DockerContainerID: "c", Args: ["a"] },
  })) {
    first.local.addCheck(check({ Name: name, Interval: "1m", Timeout: "2s", ...body }), `token of ${name}`, "remote");
  }
  await first.persistence.settled();
  const second = await Agent.start(disk);
  assert.equal(shown(second), shown(first));
  for (const [id, { spec, declared, token, source }] of first.local.checks) {
    const restored = second.local.requireCheck(id);
    assert.deepEqual(
      [restored.spec, restored.declared, restored.token, restored.source],
      [spec, declared, token, source],
      id,
    );
  }
  assert.deepEqual(
    JSON.stringify(second.local.requireService("proxy").service.Proxy),
    JSON.stringify(first.local.requireService("proxy").service.Proxy),
  );
  assert.equal(Object.getPrototypeOf(Object.getPrototypeOf(second.local.requireService("web/1").service.Meta)), null);
});

test("names: as in Consul's data directory", async () => {
  const disk = new Disk();
  const agent = await Agent.start(disk);
  agent.local.addService(service({ Name: "web", Check: { TTL: "15s" } }));
  agent.runner?.updateTtl("service:web", "passing", "");
  await agent.persistence.settled();
  assert.deepEqual(await names(disk), [
    `checks/${sha256("service:web")}`,
    `checks/state/${sha256("service:web")}`,
    `services/${sha256("web")}`,
  ]);
});

test("files: what they define is not remembered, what they take over is forgotten", async () => {
  const disk = new Disk();
  const first = await Agent.start(disk);
  first.local.addService(service({ Name: "web", Port: 1, Check: { TTL: "15s" } }));
  first.local.addCheck(check({ Name: "mem", TTL: "15s" }), "", "remote");
  await first.persistence.settled();
  const second = await Agent.start(disk, 0, (local) => {
    local.addService(service({ Name: "web", Port: 2, Check: { TTL: "30s" } }, "local"));
    local.addCheck(check({ Name: "mem", TTL: "30s" }), "", "local");
  });
  assert.deepEqual(await names(disk), []);
  assert.equal(second.local.requireService("web").service.Port, 2);
  assert.deepEqual([second.local.services.size, second.local.checks.size], [1, 2]);
  // The same at a reload.
  second.local.addService(service({ Name: "api", Check: { TTL: "1s" } }));
  await second.persistence.settled();
  assert.equal((await names(disk)).length, 2);
  second.local.setConfigured([service({ Name: "api", Check: { TTL: "2s" } }, "local")], []);
  await second.persistence.settled();
  assert.deepEqual(await names(disk), []);
});

test("removal: what is deregistered is forgotten, with its state", async () => {
  const disk = new Disk();
  const agent = await Agent.start(disk);
  agent.local.addService(service({ Name: "web", Check: { TTL: "15s" } }));
  agent.runner?.updateTtl("service:web", "passing", "");
  await agent.persistence.settled();
  agent.local.removeService("web");
  await agent.persistence.settled();
  assert.deepEqual(await names(disk), []);
});

test("ttl: a state counts until it runs out, of configured checks too", async () => {
  for (const [laterMs, status, output] of [
    [14_000, "passing", "fine"],
    [15_000, "critical", ""],
  ] as const) {
    const disk = new Disk();
    const configured = (local: LocalState): void => local.addCheck(check({ Name: "own", TTL: "15s" }), "", "local");
    const first = await Agent.start(disk, 1_000_000, configured);
    first.local.addCheck(check({ Name: "mem", TTL: "15s" }), "", "remote");
    for (const id of ["mem", "own"]) first.runner?.updateTtl(id, "passing", "fine");
    await first.persistence.settled();
    const second = await Agent.start(disk, 1_000_000 + laterMs, configured);
    for (const id of ["mem", "own"]) {
      const { Status, Output } = second.local.requireCheck(id).check;
      assert.deepEqual([Status, Output], [status, output], `${id} after ${laterMs}`);
    }
    // Restored, it has its whole time again; run out, it is forgotten.
    await second.time.advance(14_999);
    assert.equal(second.local.requireCheck("mem").check.Status, status);
    assert.equal((await disk.list("checks/state/")).length, status === "passing" ? 2 : 0);
  }
});

test("last state: a check that the API registered shows it again until it has run", async () => {
  const disk = new Disk();
  const first = await Agent.start(disk);
  first.local.addCheck(check({ Name: "h", HTTP: "http://a/", Interval: "10s" }), "", "remote");
  await first.time.advance(10_000);
  await first.persistence.settled();
  const second = await Agent.start(disk, 9e9);
  const { Status, Output } = second.local.requireCheck("h").check;
  assert.deepEqual([Status, Output], ["passing", "HTTP GET http://a/: 200 OK Output: "]);
  // Without a state it is critical: nothing is taken to be well.
  for (const name of await disk.list("checks/state/")) await disk.delete(name);
  const third = await Agent.start(disk);
  assert.equal(third.local.requireCheck("h").check.Status, "critical");
});

test("last state: it is of the kind that it was, and goes with its check", async () => {
  const disk = new Disk();
  const first = await Agent.start(disk);
  first.local.addCheck(check({ Name: "c", HTTP: "http://a/", Interval: "10s" }), "", "remote");
  await first.time.advance(10_000);
  await first.persistence.settled();
  await disk.delete(`checks/${sha256("c")}`);
  const second = await Agent.start(disk, 0, (local) => local.addCheck(check({ Name: "c", TTL: "10s" }), "", "local"));
  assert.equal(second.local.requireCheck("c").check.Status, "critical");
  const third = await Agent.start(disk);
  assert.deepEqual([third.local.checks.size, await names(disk)], [0, []]);
});

test("maintenance: it survives, with its reason", async () => {
  const disk = new Disk();
  const first = await Agent.start(disk);
  first.local.addService(service({ Name: "web" }));
  first.local.enableServiceMaintenance("web", "upgrade", "t");
  first.local.enableNodeMaintenance("node", "");
  await first.persistence.settled();
  const second = await Agent.start(disk);
  assert.equal(shown(second), shown(first));
  assert.equal(second.local.requireCheck("_service_maintenance:web").token, "t");
  second.local.disableNodeMaintenance();
  second.local.removeService("web");
  await second.persistence.settled();
  assert.deepEqual(await names(disk), []);
});

test("a check whose service is gone is forgotten, and told of", async () => {
  const disk = new Disk();
  const first = await Agent.start(disk);
  first.local.addService(service({ Name: "web", Check: { TTL: "1s" } }));
  first.local.enableServiceMaintenance("web", "", "");
  await first.persistence.settled();
  await disk.delete(`services/${sha256("web")}`);
  const second = await Agent.start(disk);
  assert.equal(second.local.checks.size, 0);
  assert.equal(second.log.lines.filter((line) => line.startsWith("warn Failed to restore check")).length, 2);
  assert.deepEqual(await names(disk), []);
});

const damages: [string, (bytes: Uint8Array) => Uint8Array][] = [
  ["cut short", (bytes) => bytes.subarray(0, bytes.length - 5)],
  ["cut in half", (bytes) => bytes.subarray(0, bytes.length >> 1)],
  ["empty", () => new Uint8Array(0)],
  ["a bit flipped", (bytes) => bytes.map((byte, at) => (at === 30 ? byte ^ 1 : byte))],
  ["no UTF-8", (bytes) => bytes.map((byte, at) => (at === 30 ? 0xff : byte))],
  ["another's", () => utf8("{}\n")],
];
for (const [what, damage] of damages) {
  test(`damage: a blob that is ${what} is named and passed over, the rest is restored`, async () => {
    const disk = new Disk();
    const first = await Agent.start(disk);
    for (const name of ["good", "bad"]) first.local.addService(service({ Name: name, Port: 80, Check: { TTL: "1h" } }));
    first.runner?.updateTtl("service:bad", "passing", "");
    await first.persistence.settled();
    const hurt = [
      `services/${sha256("bad")}`,
      `checks/${sha256("service:bad")}`,
      `checks/state/${sha256("service:bad")}`,
    ];
    for (const name of hurt) await disk.write(name, damage((await disk.read(name)) as Uint8Array));
    const second = await Agent.start(disk);
    assert.deepEqual(
      [[...second.local.services.keys()], [...second.local.checks.keys()]],
      [["good"], ["service:good"]],
    );
    for (const name of hurt) {
      assert.ok(
        second.log.lines.some((line) => line.startsWith("error Failed decoding") && line.includes(`file=${name} `)),
        name,
      );
    }
    // It is kept for whoever wants to look, and written anew when it is registered again.
    assert.equal((await names(disk)).length, 5);
    second.local.addService(service({ Name: "bad", Check: { TTL: "1h" } }));
    await second.persistence.settled();
    const third = await Agent.start(disk);
    assert.equal(third.local.services.size, 2);
  });
}

test("damage: a blob by another's name is passed over", async () => {
  const disk = new Disk();
  const first = await Agent.start(disk);
  first.local.addService(service({ Name: "web" }));
  await first.persistence.settled();
  await disk.write(`services/${sha256("db")}`, (await disk.read(`services/${sha256("web")}`)) as Uint8Array);
  const second = await Agent.start(disk);
  assert.deepEqual([...second.local.services.keys()], ["web"]);
  assert.equal(second.log.lines.filter((line) => line.startsWith("error")).length, 1);
});

test("settled: it waits for what changed before, and tells when that could not be kept", async () => {
  const disk = new Disk();
  const agent = await Agent.start(disk);
  let open = (): void => {};
  const held = new Promise<void>((resolve) => (open = resolve));
  disk.fault = () => held;
  agent.local.addService(service({ Name: "web" }));
  let done = false;
  const settled = agent.persistence.settled().then(() => (done = true));
  await settle();
  assert.equal(done, false);
  open();
  await settled;
  assert.deepEqual(await names(disk), [`services/${sha256("web")}`]);
  disk.fault = () => {
    throw new OperationalError("disk-full", "no space left");
  };
  agent.local.addService(service({ Name: "db" }));
  await assert.rejects(
    agent.persistence.settled(),
    (error: OperationalError) => error.code === "disk-full" && error.message.includes("no space left"),
  );
  assert.ok(agent.log.lines.some((line) => line.startsWith("error failed to persist")));
  // The next change is tried afresh.
  disk.fault = () => {};
  agent.local.addService(service({ Name: "db", Port: 1 }));
  await agent.persistence.settled();
  await agent.persistence.settled();
  assert.equal((await names(disk)).length, 2);
});

test("settled: a failure is heard by those whose change it was, also when another change follows", async () => {
  const disk = new Disk();
  const agent = await Agent.start(disk);
  let fail = (): void => {};
  const held = new Promise<void>((_, reject) => (fail = () => reject(new Error("I/O error"))));
  disk.fault = (name) => (name.endsWith(sha256("a")) ? held : undefined);
  agent.local.addService(service({ Name: "a" }));
  await settle();
  const mine = agent.persistence.settled();
  agent.local.addService(service({ Name: "b" }));
  const both = agent.persistence.settled();
  fail();
  await assert.rejects(mine, { code: "storage-failed" });
  await assert.rejects(both, { code: "storage-failed" });
  await agent.persistence.settled();
  assert.deepEqual(await names(disk), [`services/${sha256("b")}`]);
});

test("a write that failed is tried again with the next change, whose own success it does not touch", async () => {
  const disk = new Disk();
  const agent = await Agent.start(disk);
  disk.fault = (name) => (name.endsWith(sha256("a")) ? Promise.reject(new Error("I/O error")) : undefined);
  agent.local.addService(service({ Name: "a" }));
  await assert.rejects(agent.persistence.settled(), { code: "storage-failed" });
  agent.local.addService(service({ Name: "b" }));
  await agent.persistence.settled();
  assert.deepEqual(await names(disk), [`services/${sha256("b")}`]);
  disk.fault = () => {};
  agent.local.removeService("b");
  await agent.persistence.settled();
  assert.deepEqual(await names(disk), [`services/${sha256("a")}`]);
});

test("many changes of one thing are one write", async () => {
  const disk = new Disk();
  const agent = await Agent.start(disk);
  agent.local.addCheck(check({ Name: "mem", TTL: "1h" }), "", "remote");
  for (let i = 0; i < 100; i += 1) agent.runner?.updateTtl("mem", "passing", `${i}`);
  await agent.persistence.settled();
  assert.ok(disk.written.length <= 3, disk.written.join(" "));
  const state = text((await disk.read(`checks/state/${sha256("mem")}`)) as Uint8Array);
  assert.match(state, /"Output":"99"/);
});

test("stop: nothing is written any more", async () => {
  const disk = new Disk();
  const agent = await Agent.start(disk);
  agent.persistence.stop();
  agent.local.addService(service({ Name: "web" }));
  await agent.persistence.settled();
  assert.deepEqual(await names(disk), []);
});
