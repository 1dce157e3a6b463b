// What comes in by the peer door may be anything: noise, halves of calls, right calls with one byte or one field made wrong. The
// agent answers each, with an error where it cannot do better, and goes on: no call is called a bug in its log, nothing it
// keeps grows without bound, and prototypes stay as they are.
import assert from "node:assert/strict";
import { test } from "node:test";
import { encodeBatch, encodeMessage } from "../../src/codec/raft-message.ts";
import { encode } from "../../src/codec/value.ts";
import { decodeReply, encodeRequestHead } from "../../src/rpc/envelope.ts";
import { OperationalError } from "../../src/types/error.ts";
import { concat } from "../../src/util/bytes.ts";
import { crc32c } from "../../src/util/crc32c.ts";
import { Random } from "../../src/util/random.ts";
import { startTestAgent, type TestAgent } from "../support/agent.ts";

const CALL = "/rpc/1/call";
const HELLO = "/rpc/1/hello";
const MESSAGE = "/raft/1/message";
const SNAPSHOT = "/raft/1/snapshot";
const PATHS = [CALL, HELLO, MESSAGE, SNAPSHOT, "/rpc/1/restore", "/", "/rpc/1/nothing"];

// A frame that is still to come.
const data = new Uint8Array(0);
const part = {
  name: "snapshots/0000000000000009-1.snap",
  term: 1,
  offset: 0,
  isLast: false,
  checksum: crc32c(data),
  data,
};
const member = {
  name: "x",
  id: "22222222-2222-2222-2222-222222222222",
  address: "10.0.0.2",
  datacenter: "dc1",
  status: "alive",
  server: { port: 8300, meta: {} },
};
const hello = {
  member,
  address: "10.0.0.2:8300",
  expect: 1,
  state: "empty",
  configuration: { servers: [] },
  knows: [],
  cluster: "",
};
const query = { name: "kv.get", args: "a", options: { consistency: "default", index: 0, waitMs: 0 } };
const vote = { type: "request-vote", term: 1, preVote: true, transfer: false, lastIndex: 1, lastTerm: 1 } as const;

const RIGHT: readonly [string, Uint8Array][] = [
  [CALL, encode(query)],
  [HELLO, encode(hello)],
  [MESSAGE, encodeBatch([encodeMessage(vote)])],
  [SNAPSHOT, encode(part)],
];

function call(path: string, body: Uint8Array, from = "22222222-2222-2222-2222-222222222222"): Uint8Array {
  return concat([encodeRequestHead({ datacenter: "dc1", from, address: "10.0.0.2:8300", to: "", path }), body]);
}

/** Every value that is not what it should be, one field at a time. */
const WRONG: readonly unknown[] = [null, true, -1, 1.5, 2 ** 60, "", "x", [], [null], {}, new Uint8Array(3)];
function variants(right: Record<string, unknown>): Record<string, unknown>[] {
  return Object.keys(right).flatMap((key) => [
    ...WRONG.map((value) => ({ ...right, [key]: value })),
    Object.fromEntries(Object.entries(right).filter(([name]) => name !== key)),
  ]);
}

/** @param argumentsToo when the arguments of an endpoint are wrong too, what it makes of them may be called a bug. */
async function withAgent(body: (agent: TestAgent) => Promise<void>, argumentsToo = false): Promise<void> {
  const agent = await startTestAgent();
  try {
    await body(agent);
    await agent.settle();
    const bugs = agent.platform.logs.filter(({ message }) => message.includes("bug"));
    if (!argumentsToo)
      assert.deepEqual(
        bugs.map(({ fields }) => (fields?.error as Error | undefined)?.stack),
        [],
      );
    // What one part of a call did must not end the agent.
    assert.equal(agent.stopped, null);
    assert.equal(({} as Record<string, unknown>).polluted, undefined);
    // It still does its work.
    assert.equal((await agent.fetch("PUT", "/v1/kv/after", "x")).text, "true");
  } finally {
    await agent.stop();
  }
}

/** The code of the error that the agent answers with; null for an answer. Time passes where it waits. */
async function answer(agent: TestAgent, path: string, bytes: Uint8Array): Promise<string | null> {
  const reply = agent.running.peer(path, bytes, "203.0.113.9");
  await agent.settle();
  try {
    decodeReply(await reply);
    return null;
  } catch (error) {
    assert.ok(error instanceof OperationalError, String(error));
    return error.code;
  }
}

test("hostile calls: noise of any length is answered", async () => {
  await withAgent(async (agent) => {
    const random = new Random(3);
    for (let i = 0; i < 700; i += 1) {
      const noise = Uint8Array.from({ length: random.below(300) }, () => random.next());
      if (i % 2 === 0) noise.set([0x50, 1].slice(0, noise.length));
      assert.notEqual(await answer(agent, PATHS[i % PATHS.length] as string, noise), null);
    }
  });
});

for (const [path, right] of RIGHT)
  test(`hostile calls: ${path} cut short, or with bytes changed, is answered`, async () => {
    await withAgent(async (agent) => {
      const random = new Random(5);
      const whole = call(path, right);
      for (let length = 0; length < whole.length; length += 1) await answer(agent, path, whole.subarray(0, length));
      for (let i = 0; i < 300; i += 1) {
        const changed = whole.slice();
        for (let flips = 1 + random.below(3); flips > 0; flips -= 1)
          changed[random.below(changed.length)] = random.next();
        await answer(agent, path, changed);
      }
    }, path === CALL);
  });

for (const [path, right] of [
  [CALL, query],
  [HELLO, hello],
  [SNAPSHOT, part],
] as const)
  test(`hostile calls: ${path} with a field that is another thing is refused or answered`, async () => {
    await withAgent(async (agent) => {
      for (const value of [...WRONG, ...variants(right)])
        // Arguments are what the endpoint makes of them.
        if (path !== CALL || (value as typeof query | null)?.args === query.args || typeof value !== "object")
          await answer(agent, path, call(path, encode(value)));
      if (path === CALL)
        for (const options of variants(query.options))
          await answer(agent, path, call(path, encode({ ...query, options })));
      if (path === HELLO)
        for (const wrong of variants(member))
          await answer(agent, path, call(path, encode({ ...hello, member: wrong })));
    });
  });

test("hostile calls: arguments that are another thing are refused or answered", async () => {
  await withAgent(async (agent) => {
    for (const args of WRONG) await answer(agent, CALL, call(CALL, encode({ ...query, args })));
  }, true);
});

test("hostile calls: keys that are a prototype's change no prototype", async () => {
  await withAgent(async (agent) => {
    // A map of one pair: __proto__ → { polluted: true }.
    const pair = concat([Uint8Array.of(0x81, 0xa9), new TextEncoder().encode("__proto__"), encode({ polluted: true })]);
    for (const path of PATHS) await answer(agent, path, call(path, pair));
  });
});

test("hostile calls: snapshots begun by ever new senders are not all kept", async () => {
  let open = 0;
  let most = 0;
  const agent = await startTestAgent();
  const { blobs } = agent.platform;
  const create = blobs.create.bind(blobs);
  blobs.create = async (name) => {
    const writer = await create(name);
    most = Math.max(most, (open += 1));
    const end = (then: () => Promise<void>): Promise<void> => {
      open -= 1;
      return then();
    };
    return {
      write: (chunk) => writer.write(chunk),
      commit: () => end(() => writer.commit()),
      abort: () => end(() => writer.abort()),
    };
  };
  for (let i = 0; i < 200; i += 1)
    await agent.running.peer(SNAPSHOT, call(SNAPSHOT, encode(part), `sender-${i}`), "203.0.113.9");
  assert.ok(most > 0 && most <= 16, `${most} at a time`);
  await agent.stop();
});

test("hostile calls: of introductions under ever new names a bounded number is kept", async () => {
  await withAgent(async (agent) => {
    const codes = new Map<string | null, number>();
    for (let i = 0; i < 400; i += 1) {
      const id = `${String(i).padStart(8, "0")}-3333-3333-3333-333333333333`;
      const wrong = { ...hello, state: "working", member: { ...member, id, name: `x${i}`, server: null } };
      const code = await answer(agent, HELLO, call(HELLO, encode(wrong)));
      codes.set(code, (codes.get(code) ?? 0) + 1);
    }
    assert.deepEqual(
      [...codes],
      [
        [null, 256],
        ["refused", 144],
      ],
    );
  });
});
