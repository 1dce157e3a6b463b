// Probing for others (SWIM §3.1: ping-req). Only members that are known are asked, at the address known here: nobody can use
// this one to call an address of his choice.
import type { Core } from "./core.ts";
import { isLeaf, isReachable } from "./member-table.ts";
import { answerUpdates, takeUpdates } from "./spreading.ts";
import type { Answer, IndirectPing } from "./types.ts";

/** Asks the target, and answers when it has. */
export function onIndirectPing(core: Core, request: number, { from, target, timeoutMs }: IndirectPing): void {
  const answer = (type: "ack" | "nack"): void => answerRelay(core, request, from, type);
  if (target === core.name) return answer("ack");
  const member = core.table.get(target);
  if (member === undefined || !isReachable(member) || isLeaf(member.record)) return answer("nack");
  if (core.relays >= core.options.limits.relays) {
    core.drop("overload");
    return answer("nack");
  }
  core.relays += 1;
  const { updates, items } = takeUpdates(core, member);
  const message = { type: "ping", from: core.name, target, updates, received: 0 } as const;
  core.call(member.record.address, message, timeoutMs, { type: "relay", request, from, target }, items);
}

/** The target has answered, or not. */
export function onRelayed(
  core: Core,
  relay: { request: number; from: string; target: string },
  answer: Answer | null,
): void {
  core.relays -= 1;
  answerRelay(core, relay.request, relay.from, answer?.type === "ack" && answer.from === relay.target ? "ack" : "nack");
}

function answerRelay(core: Core, request: number, to: string, type: "ack" | "nack"): void {
  const { updates, sequence } = answerUpdates(core, to);
  const message: Answer =
    type === "ack"
      ? { type, from: core.name, updates, coordinate: null, sequence }
      : { type, from: core.name, updates };
  core.respond(request, message);
}
