import assert from "node:assert/strict";
import { test } from "node:test";
import { Gossip } from "../../src/gossip/gossip.ts";
import { checkOptions, GOSSIP_LIMITS, LAN_TIMINGS, WAN_TIMINGS } from "../../src/gossip/options.ts";
import type { Answer, GossipInput, GossipOptions, MemberRecord, Request, Update } from "../../src/gossip/types.ts";
import { Random } from "../../src/util/random.ts";
import { optionsOf } from "./network.ts";
import { recordOf } from "./transcript.ts";

// What no right member sends, and what a host should not do: dropped, counted, answered, never thrown.

function machine(...members: string[]): Gossip {
  const gossip = new Gossip(optionsOf("me"));
  gossip.step(0, { type: "start" });
  for (const name of members)
    request(gossip, {
      type: "rumours",
      from: name,
      updates: [{ type: "alive", incarnation: 1, member: recordOf(name) }],
    });
  return gossip;
}

let lastRequest = 0;
function request(gossip: Gossip, message: Request): Answer {
  lastRequest += 1;
  const answers = gossip
    .step(0, { type: "request", id: lastRequest, from: "x:1", message })
    .flatMap((effect) => (effect.type === "respond" ? [effect] : []));
  assert.equal(answers.length, 1, "answered once");
  assert.equal(answers[0]!.id, lastRequest);
  return answers[0]!.message;
}

const wrong = (message: object): Request => message as unknown as Request;
const record = (change: object): MemberRecord => ({ ...recordOf("b"), ...change });

test("requests of a wrong shape are refused", () => {
  const state = { members: [], time: 1, eventTime: 1, events: [] };
  const row = { member: recordOf("b"), incarnation: 1, state: "alive", leaving: false, time: 0 };
  const rows: [string, object][] = [
    ["unknown type", { type: "steal", from: "b" }],
    ["no sender", { type: "rumours", updates: [] }],
    ["empty sender", { type: "rumours", from: "", updates: [] }],
    ["long sender", { type: "rumours", from: "x".repeat(129), updates: [] }],
    ["no updates", { type: "rumours", from: "b" }],
    ["too many updates", { type: "rumours", from: "b", updates: Array.from({ length: 5000 }, () => ({})) }],
    ["no target", { type: "ping", from: "b", updates: [], received: 0 }],
    ["received no count", { type: "ping", from: "b", target: "me", updates: [], received: -1 }],
    ["endless help", { type: "indirect-ping", from: "b", target: "c", updates: [], timeoutMs: Infinity }],
    ["no help", { type: "indirect-ping", from: "b", target: "c", updates: [], timeoutMs: 0 }],
    ["no state", { type: "push-pull", from: "b", join: false }],
    ["no members", { type: "push-pull", from: "b", join: false, state: { ...state, members: {} } }],
    [
      "strange state",
      { type: "push-pull", from: "b", join: false, state: { ...state, members: [{ ...row, state: "great" }] } },
    ],
    [
      "time beyond all",
      { type: "push-pull", from: "b", join: false, state: { ...state, time: Number.MAX_SAFE_INTEGER } },
    ],
    [
      "an event that is none",
      {
        type: "push-pull",
        from: "b",
        join: false,
        state: { ...state, events: [{ type: "dead", name: "b", incarnation: 1, from: "b" }] },
      },
    ],
  ];
  for (const [what, message] of rows) {
    const gossip = machine();
    const answer = request(gossip, wrong(message));
    assert.equal(answer.type === "refused" && answer.reason, "malformed", what);
    assert.equal(gossip.dropped.malformed, 1, what);
    assert.equal(gossip.counts.alive, 1, what);
  }
});

test("wrong updates are dropped one by one, and those beside them count", () => {
  const event = { type: "user-event", time: 5, name: "e", payload: new Uint8Array(), coalesce: false };
  const rows: [string, unknown][] = [
    ["nothing", null],
    ["a word", "alive"],
    ["unknown type", { type: "undead", name: "b" }],
    ["negative incarnation", { type: "alive", incarnation: -1, member: recordOf("b") }],
    ["incarnation that leaves no room", { type: "alive", incarnation: Number.MAX_SAFE_INTEGER, member: recordOf("b") }],
    ["fraction", { type: "suspect", name: "me", incarnation: 1.5, from: "c" }],
    ["no record", { type: "alive", incarnation: 1 }],
    ["neither address nor anchor", { type: "alive", incarnation: 1, member: record({ address: "" }) }],
    ["address and anchor", { type: "alive", incarnation: 1, member: record({ anchor: "c" }) }],
    ["tag that is no text", { type: "alive", incarnation: 1, member: record({ tags: { a: 1 } }) }],
    ["large tags", { type: "alive", incarnation: 1, member: record({ tags: { a: "x".repeat(3000) } }) }],
    ["no versions", { type: "alive", incarnation: 1, member: record({ versions: null }) }],
    ["nobody", { type: "dead", name: "", incarnation: 1, from: "c" }],
    ["far future", { type: "join-intent", name: "b", time: 2 ** 50 }],
    ["prune unsaid", { type: "leave-intent", name: "b", time: 5 }],
    ["large event", { ...event, payload: new Uint8Array(600) }],
    ["event without bytes", { ...event, payload: "text" }],
  ];
  for (const [what, update] of rows) {
    const gossip = machine();
    const good: Update = { type: "alive", incarnation: 1, member: recordOf("good") };
    request(gossip, { type: "rumours", from: "b", updates: [update as Update, good] });
    assert.equal(gossip.dropped.malformed, 1, what);
    assert.deepEqual(
      gossip.members.map(({ name }) => name),
      ["good", "me"],
      what,
    );
    assert.equal(gossip.self.incarnation, 1, what);
  }
});

test("names and tags of an object's own are names like any other", () => {
  const gossip = machine("constructor", "__proto__");
  assert.equal(gossip.counts.alive, 3);
  assert.equal(gossip.member("toString"), null);
  assert.equal(gossip.member("__proto__")?.status, "alive");
});

test("answers: of a wrong shape count as none, to no call are dropped", () => {
  const answers: unknown[] = [
    null,
    { type: "ack" },
    {
      type: "ack",
      from: "b",
      updates: [],
      sequence: 0,
      coordinate: { Vec: ["x"], Error: 1, Adjustment: 0, Height: 0 },
    },
    { type: "push-pull-answer", from: "b", state: {} },
    { type: "holder", from: "b", address: 5 },
    { type: "refused" },
    { type: "yes", from: "b" },
  ];
  for (const message of answers) {
    const gossip = machine("b");
    gossip.step(0, { type: "join", ref: 1, addresses: ["z:1"], ignoreOld: false });
    const effects = gossip.step(0, { type: "reply", id: 1, message: message as Answer });
    assert.equal(gossip.dropped.malformed, 1, JSON.stringify(message));
    assert.deepEqual(
      effects.map(({ type }) => type),
      ["joined"],
      JSON.stringify(message),
    );
    gossip.step(0, { type: "reply", id: 1, message: { type: "nack", from: "b", updates: [] } });
    gossip.step(0, { type: "failed", id: 99, reason: "timeout" });
    assert.equal(gossip.dropped.unexpected, 2);
  }
});

test("a right answer to the wrong question is no answer", () => {
  const gossip = machine("b");
  gossip.step(0, { type: "join", ref: 1, addresses: ["z:1"], ignoreOld: false });
  const [joined] = gossip.step(0, { type: "reply", id: 1, message: { type: "nack", from: "b", updates: [] } });
  assert.deepEqual(joined, {
    type: "joined",
    ref: 1,
    contacted: 0,
    failures: [{ address: "z:1", reason: "malformed", text: "" }],
  });
});

test("inputs that make no sense are dropped", () => {
  const early = new Gossip(optionsOf("me"));
  assert.deepEqual(early.step(0, { type: "timeout" }), []);
  assert.equal(early.dropped.unexpected, 1);
  const gossip = machine("b");
  const before = gossip.members;
  for (const input of [
    { type: "start" },
    { type: "heard", name: "nobody" },
    { type: "loop-delay", ms: Number.NaN },
    { type: "timeout" },
    { type: "timeout" },
  ] as GossipInput[]) {
    assert.deepEqual(gossip.step(0, input), [], input.type);
  }
  assert.deepEqual(gossip.members, before);
  assert.equal(gossip.healthScore, 0);
});

test("a flood of indirect probes is answered, and bounded", () => {
  const gossip = machine("b", "c");
  let calls = 0;
  let nacks = 0;
  for (let i = 0; i < 1000; i += 1) {
    for (const effect of gossip.step(0, {
      type: "request",
      id: i,
      from: "x:1",
      message: { type: "indirect-ping", from: "b", target: "c", timeoutMs: 1000, updates: [] },
    })) {
      if (effect.type === "call") calls += 1;
      else if (effect.type === "respond" && effect.message.type === "nack") nacks += 1;
    }
  }
  assert.deepEqual([calls, nacks], [GOSSIP_LIMITS.relays, 1000 - GOSSIP_LIMITS.relays]);
  assert.equal(gossip.dropped.overload, nacks);
});

test("a flood of intents of nobody is bounded, and forgotten", () => {
  const gossip = machine("b");
  for (let i = 0; i < 5000; i += 1) {
    request(gossip, { type: "rumours", from: "b", updates: [{ type: "join-intent", name: `n${i}`, time: 5 }] });
  }
  assert.equal(gossip.dropped.overload, 5000 - 4096);
});

test("random messages of the right types: nothing throws, and each is answered", () => {
  const random = new Random(7);
  const names = ["me", "b", "c", "d", "leaf"];
  const pick = <T>(list: readonly T[]): T => list[random.below(list.length)]!;
  const update = (): Update => {
    const name = pick(names);
    const incarnation = random.below(6);
    switch (random.below(6)) {
      case 0:
        return {
          type: "alive",
          incarnation,
          member:
            name === "leaf"
              ? { ...recordOf(name), address: "", anchor: pick(names) }
              : { ...recordOf(name), address: pick([`${name}:8301`, "other:1"]) },
        };
      case 1:
        return { type: "suspect", name, incarnation, from: pick(names) };
      case 2:
        return { type: "dead", name, incarnation, from: pick(names) };
      case 3:
        return { type: "join-intent", name, time: random.below(50) };
      case 4:
        return { type: "leave-intent", name, time: random.below(50), prune: random.below(4) === 0 };
      default:
        return { type: "user-event", time: random.below(50), name: "e", payload: new Uint8Array(), coalesce: false };
    }
  };
  const updates = (): Update[] => Array.from({ length: random.below(4) }, update);
  const message = (): Request => {
    const from = pick(names);
    switch (random.below(5)) {
      case 0:
        return { type: "ping", from, target: pick(["me", "x"]), updates: updates(), received: random.below(3) };
      case 1:
        return { type: "indirect-ping", from, target: pick(names), timeoutMs: 100, updates: updates() };
      case 2:
        return { type: "rumours", from, updates: updates() };
      case 3:
        return { type: "who-holds", from, name: pick(names) };
      default:
        return {
          type: "push-pull",
          from,
          join: random.below(2) === 0,
          state: {
            time: random.below(50),
            eventTime: random.below(50),
            events: [],
            members: [
              {
                member: { ...recordOf("d") },
                incarnation: random.below(6),
                state: pick(["alive", "suspect", "dead", "left"] as const),
                leaving: random.below(2) === 0,
                time: random.below(50),
              },
            ],
          },
        };
    }
  };
  for (const address of ["me:8301", ""]) {
    const gossip = new Gossip(optionsOf("me", { address, seed: 3 }));
    let now = 0;
    gossip.step(now, { type: "start" });
    const open: number[] = [];
    const waiting = new Set<number>();
    for (let i = 0; i < 20_000; i += 1) {
      now += random.below(40);
      const draw = random.below(10);
      let input: GossipInput = { type: "timeout" };
      if (draw < 5) {
        input = { type: "request", id: i, from: "x:1", message: message() };
        waiting.add(i);
      } else if (draw < 8 && open.length > 0) {
        const id = open.splice(random.below(open.length), 1)[0]!;
        const answers: Answer[] = [
          { type: "ack", from: pick(names), updates: updates(), coordinate: null, sequence: 0 },
          { type: "nack", from: pick(names), updates: updates() },
          { type: "holder", from: pick(names), address: "other:1" },
          { type: "refused", reason: "left", text: "" },
        ];
        input =
          random.below(3) === 0
            ? { type: "failed", id, reason: "timeout" }
            : { type: "reply", id, message: pick(answers) };
      } else if (random.below(200) === 0) {
        input = { type: "join", ref: i, addresses: ["b:8301", "other:1"], ignoreOld: false };
      }
      for (const effect of gossip.step(now, input)) {
        if (effect.type === "call") open.push(effect.id);
        if (effect.type === "respond") assert.ok(waiting.delete(effect.id), "answered once");
      }
      const counts = gossip.counts;
      assert.equal(counts.alive + counts.leaving + counts.left + counts.failed, gossip.members.length);
      assert.equal(gossip.self.status, "alive");
    }
    for (const id of open) {
      for (const effect of gossip.step(now, { type: "failed", id, reason: "unreachable" })) {
        if (effect.type === "respond") waiting.delete(effect.id);
      }
    }
    assert.equal(waiting.size, 0, "all are answered once the helpers' calls have ended");
    assert.equal(gossip.dropped.malformed, 0);
  }
});

test("options: the defaults are right, and contradictions are refused at once", () => {
  for (const timings of [LAN_TIMINGS, WAN_TIMINGS]) checkOptions(optionsOf("me", { timings }));
  const rows: [string, Partial<GossipOptions>][] = [
    ["no name", { name: "" }],
    ["long name", { name: "x".repeat(200) }],
    ["large tags", { tags: { a: "x".repeat(5000) } }],
    ["timeout beyond the interval", { timings: { ...LAN_TIMINGS, probeTimeoutMs: 1000 } }],
    ["nobody to tell", { timings: { ...LAN_TIMINGS, gossipNodes: 0 } }],
    ["no suspicion", { timings: { ...LAN_TIMINGS, suspicionMult: 0 } }],
    ["no room", { limits: { ...GOSSIP_LIMITS, piggybackBytes: 0 } }],
    ["versions out of order", { versions: { ...optionsOf("me").versions, protocolCurrent: 9 } }],
  ];
  for (const [what, change] of rows) assert.throws(() => new Gossip(optionsOf("me", change)), /./, what);
  assert.equal(WAN_TIMINGS.probeIntervalMs, 5000);
  assert.equal(WAN_TIMINGS.gossipNodes, 3, "as Consul has it, not as memberlist's WAN profile");
});
