// What must hold whatever was sent: the agent answers, calls nothing a bug, and its own objects are untouched.
import assert from "node:assert/strict";
import type { TestAgent, TestReply } from "../support/agent.ts";

/** Own names of the prototypes that a careless `object[key] = value` would change. */
const PROTOTYPES = [Object.prototype, Array.prototype, Function.prototype, String.prototype, Map.prototype];
const before = PROTOTYPES.map((prototype) => Reflect.ownKeys(prototype).map(String).sort().join());

/** @throws AssertionError when a prototype has gained or lost something. */
export function assertPrototypesClean(): void {
  assert.deepEqual(
    PROTOTYPES.map((prototype) => Reflect.ownKeys(prototype).map(String).sort().join()),
    before,
  );
  for (const name of ["polluted", "a", "Value", "Name", "key"])
    assert.equal(({} as Record<string, unknown>)[name], undefined, name);
}

/** @throws AssertionError when the agent has logged a bug, or does not answer as before. */
export async function assertSound(agent: TestAgent): Promise<void> {
  const bugs = agent.platform.logs.filter(({ level, message }) => level === "error" || /this is a bug/.test(message));
  assert.deepEqual(
    bugs,
    [],
    JSON.stringify(bugs.slice(0, 3), (_key, value: unknown) => (value instanceof Error ? value.stack : value)),
  );
  assertPrototypesClean();
  assert.equal((await agent.fetch("PUT", "/v1/kv/still-there", "yes")).text.trim(), "true");
  assert.equal((await agent.fetch("GET", "/v1/kv/still-there?raw")).text, "yes");
}

/** @throws AssertionError unless the answer says in words what is wrong. */
export function assertRefused(
  reply: TestReply,
  status: number | readonly number[],
  what: string,
  words?: RegExp,
): void {
  const shown = `${what}: ${reply.status} ${reply.text.slice(0, 200)}`;
  assert.ok((typeof status === "number" ? [status] : status).includes(reply.status), shown);
  assert.ok(reply.text.length > 5 && reply.text.length < 1000 + what.length, shown);
  assert.doesNotMatch(reply.text, /internal error|TypeError|undefined|\[object|at .*\.ts/i, shown);
  if (words !== undefined) assert.match(reply.text, words, shown);
}
