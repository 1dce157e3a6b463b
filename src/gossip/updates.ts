// What other members' updates lead to. A wrong one is dropped, and those beside it count.
import type { Core } from "./core.ts";
import { onJoinIntent, onLeaveIntent } from "./intents.ts";
import { onAlive, onDead, onSuspect } from "./membership.ts";
import { isUpdate } from "./message-check.ts";
import { broadcast } from "./spreading.ts";
import type { Update } from "./types.ts";
import { onUserEvent } from "./user-events.ts";

/** Takes in the updates of a message. */
export function onUpdates(core: Core, updates: readonly Update[]): void {
  for (const update of updates) {
    if (isUpdate(update, core.options.limits)) onUpdate(core, update);
    else core.drop("malformed");
  }
}

function onUpdate(core: Core, update: Update): void {
  switch (update.type) {
    case "alive":
      return onAlive(core, update);
    case "suspect":
      return onSuspect(core, update);
    case "dead":
      return onDead(core, update);
    case "join-intent":
      return passOn(core, update, onJoinIntent(core, update));
    case "leave-intent":
      return passOn(core, update, onLeaveIntent(core, update));
    case "user-event":
      return passOn(core, update, onUserEvent(core, update));
  }
}

function passOn(core: Core, update: Update, isNews: boolean): void {
  if (isNews) broadcast(core, update);
  else core.drop("stale");
}
