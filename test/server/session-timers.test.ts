import assert from "node:assert/strict";
import { test } from "node:test";
import { Timers } from "../../src/host/timers.ts";
import { SessionTimers } from "../../src/server/session-timers.ts";
import type { Session } from "../../src/types/records.ts";
import { VirtualClock } from "../host/virtual-clock.ts";

const session = (ID: string, TTL: string): Session => ({
  ID,
  TTL,
  Name: "",
  Node: "n1",
  LockDelay: 0,
  Behavior: "release",
  NodeChecks: null,
  ServiceChecks: null,
  CreateIndex: 1,
  ModifyIndex: 1,
});

function setUp(expire: (id: string) => Promise<unknown>): { clock: VirtualClock; sessions: SessionTimers } {
  const clock = new VirtualClock();
  const timers = new Timers(clock);
  clock.wake = () => timers.wake();
  return { clock, sessions: new SessionTimers(timers, expire) };
}

test("a session ends at twice its TTL after the last renewal, and one without a TTL never", () => {
  const ended: string[] = [];
  const { clock, sessions } = setUp(async (id) => ended.push(id));
  sessions.renew(session("a", "10s"));
  sessions.renew(session("b", ""));
  sessions.renew(session("c", "0s"));
  assert.equal(sessions.active, 1);
  clock.advance(15_000);
  sessions.renew(session("a", "10s"));
  clock.advance(19_999);
  assert.deepEqual(ended, []);
  clock.advance(1);
  assert.deepEqual(ended, ["a"]);
});

test("a removed session, or all of them when leadership ends, have no timer left", () => {
  const { clock, sessions } = setUp(async () => assert.fail("expired"));
  sessions.renew(session("a", "10s"));
  sessions.renew(session("b", "10s"));
  sessions.remove("a");
  sessions.clear();
  assert.equal(sessions.active, 0);
  clock.advance(100_000);
});

test("an expiry that cannot be written is tried again, later each time, and no more after six", async () => {
  const tries: number[] = [];
  const { clock, sessions } = setUp(async () => {
    tries.push(clock.at);
    throw new Error("no leader");
  });
  sessions.renew(session("a", "10s"));
  for (let minute = 0; minute < 60; minute++) {
    clock.advance(60_000);
    // The rejection is noticed in a later job.
    await Promise.resolve();
    await Promise.resolve();
  }
  assert.equal(tries.length, 7);
  assert.equal(tries[0], 20_000);
  for (let i = 2; i < tries.length; i++)
    assert.ok((tries[i] as number) - (tries[i - 1] as number) >= (tries[i - 1] as number) - (tries[i - 2] as number));
  assert.equal(sessions.active, 0);
});
