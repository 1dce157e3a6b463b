// Events that the users of a pool send to all of it (Serf): each is delivered once at every member, in no promised order.
import type { Core } from "./core.ts";
import { textSize } from "./size.ts";
import { broadcast } from "./spreading.ts";
import type { UserEvent } from "./types.ts";

/** Delivers an event unless it is known or too old. True when it is news, to be passed on. */
export function onUserEvent(core: Core, event: UserEvent): boolean {
  core.eventClock.witness(event.time);
  if (!core.events.add(event, core.eventClock.time)) return false;
  const { time, name, payload, coalesce } = event;
  core.emit({ type: "user-event", time, name, payload, coalesce });
  return true;
}

/** Sends one. False when it is too large. */
export function sendUserEvent(core: Core, name: string, payload: Uint8Array, coalesce: boolean): boolean {
  if (textSize(name) + payload.length > core.options.limits.userEventBytes) return false;
  const event: UserEvent = { type: "user-event", time: core.eventClock.next(), name, payload, coalesce };
  onUserEvent(core, event);
  broadcast(core, event);
  return true;
}
